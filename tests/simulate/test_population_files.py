"""Populations from FreeSurfer's files, made small."""

import pytest
import torch

from monai_cortex.data import write_morph, write_surface_geometry
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.simulate import read_population, read_population_map

MESH = icosphere(3)


@pytest.fixture
def folder(tmp_path):
    """Spheres of two sizes; the left mean is x, the right one -x, and people deviate by z squared."""
    for level in (2, 3):
        write_surface_geometry(
            tmp_path / f"template{level}.sphere", 100 * icosphere(level).vertices, icosphere(level).faces
        )
    for sign, side in ((1, "lh"), (-1, "rh")):
        write_morph(tmp_path / f"{side}.904_mean.sulc", sign * MESH.vertices[:, 0])
        write_morph(tmp_path / f"{side}.904_std.sulc", MESH.vertices[:, 2] ** 2)
    return tmp_path


@pytest.mark.parametrize(("side", "sign"), [("lh", 1), ("rh", -1)])
def test_map_lies_on_the_sphere_of_its_size(folder, side, sign):
    found = read_population_map(folder, side)
    assert found.values.shape == (1, 642)
    assert found.values.dtype == torch.float64
    torch.testing.assert_close(found.mesh.vertices, MESH.vertices, atol=1e-6, rtol=0)
    assert torch.equal(found.mesh.faces, MESH.faces)
    torch.testing.assert_close(found.values[0], sign * MESH.vertices[:, 0], atol=1e-6, rtol=0)
    deviation = read_population_map(folder, side, "std").values[0]
    torch.testing.assert_close(deviation, MESH.vertices[:, 2] ** 2, atol=1e-6, rtol=0)


def test_population_has_the_files_mean(folder):
    population = read_population(folder, "rh")
    expected = read_population_map(folder, "rh").at(population.mesh.vertices)
    torch.testing.assert_close(population.template().values, expected)
    person = population.draw(0.0, torch.Generator().manual_seed(0))
    equator = population.mesh.vertices[:, 2].abs() < 0.02
    off = (person.values - expected).abs()[0]
    assert off[equator].max() < 0.02
    assert off.max() > 0.5


def test_sphere_of_the_other_side_is_not_taken(folder):
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    (folder / "template3.sphere").rename(folder / "rh.sphere")
    write_surface_geometry(folder / "lh.sphere", 100 * MESH.vertices @ turn, MESH.faces)
    for side, expected in (("lh", MESH.vertices @ turn), ("rh", MESH.vertices)):
        torch.testing.assert_close(read_population_map(folder, side).mesh.vertices, expected, atol=1e-6, rtol=0)


@pytest.fixture
def refusal():
    """Read, and give the message of the refusal."""

    def read(*arguments):
        with pytest.raises(InputFileError) as caught:
            read_population_map(*arguments)
        return str(caught.value)

    return read


def test_missing_and_ambiguous_maps_name_the_folder(folder, tmp_path, refusal):
    text = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere" / "lh.*mean.sulc") in text
    assert "none" in text
    assert str(folder / "lh.*mean.curv") in refusal(folder, "lh", "mean", "curv")
    (folder / "lh.older_mean.sulc").write_bytes(b"")
    assert "lh.904_mean.sulc, lh.older_mean.sulc" in refusal(folder)


def test_spheres_that_do_not_fit_are_listed(folder, refusal):
    (folder / "template3.sphere").unlink()
    text = refusal(folder)
    assert str(folder / "lh.904_mean.sulc") in text
    assert "642 values; spheres with 162" in text
    (folder / "template2.sphere").unlink()
    assert "spheres with none" in refusal(folder)


def test_two_spheres_that_fit_are_refused(folder, refusal):
    (folder / "again.sphere").write_bytes((folder / "template3.sphere").read_bytes())
    assert "2 spheres" in refusal(folder)


def test_damaged_map_is_named(folder, refusal):
    path = folder / "lh.904_mean.sulc"
    path.write_bytes(b"\xff\xff\xfe" + path.read_bytes()[3:])
    assert str(path) in refusal(folder)
