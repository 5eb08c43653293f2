"""Synthetic people in files, with the registration that they were made with."""

import json
import math
from pathlib import Path

import pytest
import torch

from monai_cortex.data import (
    cortical_subjects,
    read_cortical_subject,
    read_surface_geometry,
    registration_subjects,
    write_morph,
    write_surface_geometry,
)
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.simulate import (
    CorticalPopulation,
    population_around,
    simulate_cortex,
    write_synthetic_cortex,
    write_synthetic_cortices,
)

MESH, SIDES = icosphere(4), ("lh", "rh")


def mean_of(side):
    """A smooth map on a sphere, ``(1, V)``."""
    return SphereMap(MESH, real_harmonics(MESH.vertices, 6)[:, [30, 45]].sum(1)[None] * (1 if side == "lh" else -2))


@pytest.fixture(scope="module")
def populations():
    deviation = SphereMap(MESH, torch.full((1, len(MESH.vertices)), 0.5, dtype=torch.float64))
    return {side: CorticalPopulation(mean_of(side), deviation, level=4) for side in SIDES}


@pytest.fixture(scope="module")
def people(populations):
    """One whose folds are the mean's own."""
    return simulate_cortex(populations, 3, residual=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, people):
    place = tmp_path_factory.mktemp("people")
    write_synthetic_cortex(place / "synthetic-0003", people, MESH)
    return place


def test_true_registration_reproduces_the_features_from_the_mean(folder):
    for item in cortical_subjects(folder):
        side = item["hemisphere"]
        hemisphere = read_cortical_subject(item)
        reg = read_surface_geometry(Path(item["sphere"]).with_name(f"{side}.sphere.true.reg"))
        torch.testing.assert_close(
            reg.mesh.vertices.norm(dim=1), torch.full((2562,), 100.0).double(), atol=1e-4, rtol=0
        )
        expected = mean_of(side).at(reg.mesh.vertices)
        torch.testing.assert_close(hemisphere.values, expected, atol=1e-5, rtol=0)
        assert not torch.allclose(hemisphere.values, mean_of(side).values, atol=0.1)


def test_files_are_those_of_a_subject(folder, people):
    (item,) = registration_subjects(folder)
    assert item["subject"] == "synthetic-0003"
    assert list(item["hemispheres"]) == ["lh", "rh"]
    found = {path.name for path in (folder / "synthetic-0003" / "surf").iterdir()}
    assert found == {f"{side}.{name}" for side in SIDES for name in ("sphere", "sphere.true.reg", "sulc")}
    for side, (person, rotation) in people.items():
        hemisphere = read_cortical_subject(item["hemispheres"][side])
        turned = MESH.vertices @ rotation.T
        torch.testing.assert_close(hemisphere.sphere.vertices, turned, atol=1e-6, rtol=0)
        torch.testing.assert_close(hemisphere.values, person.values, atol=1e-6, rtol=0)
        assert hemisphere.sphere_report.folded == 0
        assert hemisphere.sphere_report.radius == pytest.approx(100, abs=1e-4)


def test_record_holds_the_rotations(folder, people):
    record = json.loads((folder / "synthetic-0003" / "SIMULATION.json").read_text())
    assert record["synthetic"] is True
    for side, (_, rotation) in people.items():
        assert torch.equal(torch.tensor(record["rotation"][side], dtype=torch.float64), rotation)


def test_people_are_turned_and_deformed_by_2_to_10_degrees(populations):
    angles = []
    for seed in range(4):
        for person, rotation in simulate_cortex(populations, seed).values():
            assert torch.linalg.det(rotation).item() == pytest.approx(1)
            angles.append(math.degrees(arc_angle(person.places, MESH.vertices).mean()))
            assert folded(MESH.vertices, person.places, MESH.faces) < 0.002 * len(MESH.faces)
    assert 2 <= min(angles) < 5
    assert 7 < max(angles) <= 10.01
    assert len({round(angle, 6) for angle in angles}) == 8


def test_residual_is_what_differs_from_the_mean(populations, people):
    """Seen through the same deformation, and proportional."""
    whole, half = (simulate_cortex(populations, 3, residual) for residual in (1.0, 0.5))
    for side, (person, _) in people.items():
        assert torch.equal(person.places, whole[side][0].places)
        difference = whole[side][0].values - person.values
        assert difference.std().item() == pytest.approx(0.5, rel=0.2)
        torch.testing.assert_close(half[side][0].values - person.values, difference / 2)


def test_seed_decides(populations):
    first, again, other = (simulate_cortex(populations, seed) for seed in (5, 5, 6))
    for side in SIDES:
        assert torch.equal(first[side][0].values, again[side][0].values)
        assert torch.equal(first[side][1], again[side][1])
        assert not torch.equal(first[side][1], other[side][1])
    assert not torch.equal(first["lh"][1], first["rh"][1])


def test_population_around_one_deviates_by_half_of_its_own(folder):
    hemisphere = read_cortical_subject(cortical_subjects(folder)[0])
    population = population_around(hemisphere)
    deviation = population.deviation
    torch.testing.assert_close(deviation, (hemisphere.values.std() / 2).expand_as(deviation))
    expected = SphereMap(hemisphere.sphere, hemisphere.values).at(population.mesh.vertices)
    torch.testing.assert_close(population.template().values, expected)


def test_a_folder_is_replaced(tmp_path, people):
    (tmp_path / "s" / "old").mkdir(parents=True)
    write_synthetic_cortex(tmp_path / "s", people, MESH)
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"surf", "SIMULATION.json"}


def test_features_are_named_and_all_written(tmp_path, people):
    with pytest.raises(ValueError, match="argument"):
        write_synthetic_cortex(tmp_path / "s", people, MESH, ("sulc", "curv"))
    assert not list(tmp_path.iterdir())
    write_synthetic_cortex(tmp_path / "s", people, MESH, ("curv",))
    assert len(registration_subjects(tmp_path, features=("curv",))) == 1


@pytest.fixture
def template(tmp_path):
    """A population in files."""
    place = tmp_path / "population"
    write_surface_geometry(place / "ico.sphere", 100 * MESH.vertices, MESH.faces)
    for side in SIDES:
        write_morph(place / f"{side}.mean.sulc", mean_of(side).values[0])
        write_morph(place / f"{side}.std.sulc", torch.full((2562,), 0.5))
    return place


def test_people_of_a_population_in_files(tmp_path, template):
    write_synthetic_cortices(tmp_path / "out", 2, 7, template)
    items = registration_subjects(tmp_path / "out")
    assert [item["subject"] for item in items] == ["synthetic-0007", "synthetic-0008"]
    values = [read_cortical_subject(item["hemispheres"]["lh"]).values for item in items]
    assert values[0].shape == (1, 10242)
    assert not torch.equal(*values)
    write_synthetic_cortices(tmp_path / "again", 1, 8, template)
    for path in (tmp_path / "again" / "synthetic-0008" / "surf").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / "synthetic-0008" / "surf" / path.name).read_bytes()


def test_population_that_lacks_a_file_is_named_and_nothing_written(tmp_path, template):
    (template / "rh.std.sulc").unlink()
    with pytest.raises(InputFileError, match=r"population.rh\.\*std\.sulc"):
        write_synthetic_cortices(tmp_path / "out", 1, 0, template)
    assert not (tmp_path / "out").exists()
