"""One figure of a path between cortices."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize.trajectory import TrajectoryPicture, TrajectoryStep, trajectory_figure


def step(radius, title="a_b", size=13):
    ball = icosphere(2)
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -24
    distance = np.linalg.norm(np.stack(np.indices((size,) * 3), -1) * 4.0 - 24, axis=-1)
    values = np.full(len(ball.vertices), radius / 10)
    values[0] = np.nan
    mesh = Mesh(radius * ball.vertices, ball.faces)
    image = (distance < radius).astype(float)
    return TrajectoryStep(title, image, distance - radius + 3, distance - radius, affine, "lh", mesh, values, values)


def picture(count):
    names = ("thickness_mm", "found_thickness_mm", "pial_area_mm2", "cortex_volume_mm3")
    curves = {name: [2.0 + k for k in range(count)] for name in names}
    return TrajectoryPicture([step(15 + k / 4, f"place_{k}") for k in range(count)], curves, 2.5)


def axes_of(figure):
    return [axes for part in figure.subfigs for axes in part.axes]


@pytest.fixture(scope="module")
def axes():
    """All panels of a path with eight places: drawing them takes seconds."""
    return axes_of(trajectory_figure(picture(8)))


def test_seven_columns_with_units_and_sides(axes):
    titles = [part.get_title() for part in axes if part.get_title()]
    assert (len(titles), titles[0], titles[-1]) == (7, "place 0", "place 7")
    labels = " ".join(part.get_ylabel() for part in axes)
    for text in ("mean thickness [mm]", "thickness [mm]", "[%]", "left hemisphere", "T1-weighted signal [1]"):
        assert text in labels
    letters = {text.get_text() for part in axes for text in part.texts}
    assert {"L", "R", "S", "I"} <= letters
    images = [part.images[0] for part in axes if part.images and part.images[0].cmap.name == "gray"]
    assert {image.get_clim() for image in images} == {(0, 1)}


def test_curves_hold_all_that_was_measured_and_where_the_search_starts(axes):
    left, right = axes[-2:]
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert list(lines["from the meshes (true)"]) == [2.0 + k for k in range(8)]
    assert set(lines["where the search starts"]) == {2.5}
    change = next(line.get_ydata() for line in right.lines if line.get_label() == "pial area")
    np.testing.assert_allclose(change[:3], [0, 50, 100])


def test_grids_may_differ_and_no_place_is_an_error():
    two = picture(2)
    trajectory_figure(two._replace(steps=[two.steps[0], step(15, size=14)]))
    with pytest.raises(ValueError, match="need a place"):
        trajectory_figure(two._replace(steps=[]))
