"""Paths between shells, whose radii are known in closed form."""

import math

import numpy as np
import pytest
import torch

from monai_cortex.data import read_mgh, read_surface_geometry
from monai_cortex.errors import ConfigError
from monai_cortex.trajectory import TrajectoryRequest
from monai_cortex.trajectory.path import lay_path, places_between
from monai_cortex.trajectory.people import People

ANGLE = 2 * math.pi / 3  # between the whitened codes of any three people


@pytest.fixture
def lay(shells, tmp_path):
    def call(stations, steps=5, name="path", spacing=2.0):
        people = People(shells, shells / "a", ("a", "b", "c"), stations)
        asked = TrajectoryRequest(tmp_path, shells, steps=steps, hemispheres=("lh",), level=3, spacing=spacing)
        return tmp_path / name, lay_path(people, asked, shells, tmp_path / name)

    return call


def points(folder, step, kind):
    return read_surface_geometry(folder / f"step-{step:02d}" / "surf" / f"lh.{kind}").mesh.vertices


def thickness(folder, step):
    return (points(folder, step, "pial") - points(folder, step, "white")).norm(dim=1)


def on_the_way(start, end, mean, share):
    parts = math.sin((1 - share) * ANGLE), math.sin(share * ANGLE)
    return mean + (parts[0] * (start - mean) + parts[1] * (end - mean)) / math.sin(ANGLE)


def test_thickness_and_radius_follow_the_closed_form(lay, radii):
    folder, found = lay(("a", "b"))
    means = [sum(pair[kind] for pair in radii.values()) / 3 for kind in (0, 1)]
    middle = torch.tensor([-45.0, 3.0, -8.0], dtype=torch.float64)
    for step in range(5):
        white, pial = (on_the_way(radii["a"][k], radii["b"][k], means[k], step / 4) for k in (0, 1))
        radius = (points(folder, step, "white") - middle).norm(dim=1)
        torch.testing.assert_close(radius, torch.full_like(radius, white), rtol=0, atol=1e-4)
        measured = thickness(folder, step)
        torch.testing.assert_close(measured, torch.full_like(measured, pial - white), rtol=0, atol=1e-4)
    assert max(found["model"]["off_model_mm"].values()) < 1e-6
    assert [step["share"] for step in found["steps"]] == [0, 0.25, 0.5, 0.75, 1]


def test_the_ends_are_the_subjects(lay, shells):
    folder, _ = lay(("c", "a"), steps=3)
    for step, name in ((0, "c"), (2, "a")):
        for kind in ("white", "pial"):
            own = read_surface_geometry(shells / name / "surf" / f"lh.{kind}").mesh.vertices
            torch.testing.assert_close(points(folder, step, kind), own, rtol=0, atol=1e-4)


def test_a_way_to_oneself_stays_and_the_way_back_is_the_way_reversed(lay):
    folder, _ = lay(("b", "b"), steps=3)
    for step in (1, 2):
        torch.testing.assert_close(points(folder, step, "pial"), points(folder, 0, "pial"), rtol=0, atol=1e-5)
    there, _ = lay(("a", "b"), steps=4, name="there")
    back, _ = lay(("b", "a"), steps=4, name="back")
    for step in range(4):
        torch.testing.assert_close(points(there, step, "pial"), points(back, 3 - step, "pial"), rtol=0, atol=1e-4)


def test_a_station_between_two_legs_is_one_place():
    codes = {"a": torch.tensor([1.0, 0]), "b": torch.tensor([0, 1.0]), "c": torch.tensor([1.0, 1])}
    places = places_between(("a", "b", "c"), codes, 3)
    assert [place.ends for place in places] == [("a", "a"), ("a", "b"), ("b", "b"), ("b", "c"), ("c", "c")]
    assert [place.name for place in places] == [f"step-{k:02d}" for k in range(5)]
    torch.testing.assert_close(places[1].code, torch.full((2,), 0.5**0.5))
    codes["b"] = -codes["a"]
    with pytest.raises(ConfigError, match="no way leads from a to b"):
        places_between(("a", "b"), codes, 3)


def test_all_images_have_one_grid_that_the_bundle_keeps(lay):
    from monai_cortex.data import synthesis_subjects
    from monai_cortex.transforms import cortex_preprocessing

    folder, found = lay(("a", "b"), steps=3)
    assert found["equal_grid"]
    grids = [read_mgh(folder / f"step-{k:02d}" / "mri" / "T1.mgz", constant=True) for k in range(3)]
    read = [cortex_preprocessing()(item) for item in synthesis_subjects(folder)]
    for grid, item in zip(grids, read, strict=True):
        np.testing.assert_array_equal(grid.affine, grids[0].affine)
        assert item["source"].shape[1:] == item["full_shape"] == grids[0].values.shape
