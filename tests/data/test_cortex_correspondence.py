"""Vertices of different people that are the same place."""

import shutil

import pytest
import torch

from monai_cortex.data.cortex_correspondence import cortices_of, find_correspondence, read_corresponding
from monai_cortex.data.freesurfer import read_surface_geometry, write_surface_geometry
from monai_cortex.errors import ConfigError, GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation

PEOPLE = {"a": (1.0, 0.5), "b": (-0.5, 1.0), "c": (0.2, -1.0)}


def turned_sphere(level, seed=5):
    ball = icosphere(level)
    return Mesh(ball.vertices @ random_rotation(torch.Generator().manual_seed(seed)), ball.faces)


def bring(folder, spheres=None, level=3):
    items = cortices_of(folder)
    found = find_correspondence(items, folder, spheres, level)
    return found, [read_corresponding(item, found, spheres or folder) for item in items]


def test_equal_meshes_are_used_as_they_are(tmp_path, write_cortices):
    write_cortices(tmp_path, PEOPLE)
    found, people = bring(tmp_path)
    assert (found.sides, found.sphere, found.level) == (("lh", "rh"), "", -1)
    own = read_surface_geometry(tmp_path / "b" / "surf" / "rh.pial").mesh
    assert torch.equal(people[1].pial[1].vertices, own.vertices)
    assert torch.equal(found.faces[1], own.faces)


def test_same_vertices_on_spheres_come_back_exactly(tmp_path, write_cortices):
    write_cortices(tmp_path, PEOPLE, sphere="sphere.reg")
    found, people = bring(tmp_path, tmp_path)
    assert (found.sphere, found.level) == ("sphere.reg", 3)
    own = read_surface_geometry(tmp_path / "a" / "surf" / "lh.white").mesh
    torch.testing.assert_close(people[0].white[0].vertices, own.vertices, rtol=0, atol=1e-4)
    assert torch.equal(people[0].white[0].faces, icosphere(3).faces)


@pytest.mark.parametrize(("level", "most"), [(4, 0.16), (5, 0.04)])
def test_another_tessellation_gives_the_same_shape(tmp_path, write_cortices, level, most):
    write_cortices(tmp_path, {"a": PEOPLE["a"]}, icosphere(level), sphere="sphere.mcx.reg")
    write_cortices(tmp_path, {"b": PEOPLE["a"]}, turned_sphere(level), sphere="sphere.mcx.reg")
    found, (one, other) = bring(tmp_path, tmp_path)
    assert found.sphere == "sphere.mcx.reg"
    for first, second in zip([*one.white, *one.pial], [*other.white, *other.pial], strict=True):
        off = (first.vertices - second.vertices).norm(dim=1)
        # A chord of h mm leaves an arc of radius r by h^2 / 8 r.
        assert 0 < off.max() < most


def test_a_registration_for_all_is_taken_from_its_own_folder(tmp_path, write_cortices):
    data, out = tmp_path / "data", tmp_path / "out"
    for level, (name, numbers) in enumerate(PEOPLE.items(), 2):
        write_cortices(data, {name: numbers}, level=level, sphere="sphere.reg")
    for name in PEOPLE:
        (out / name / "surf").mkdir(parents=True)
        for side in ("lh", "rh"):
            shutil.copy(data / name / "surf" / f"{side}.sphere.reg", out / name / "surf" / f"{side}.sphere.mcx.reg")
    assert bring(data)[0].sphere == "sphere.reg"
    assert bring(data, out)[0].sphere == "sphere.mcx.reg"
    (out / "c" / "surf" / "rh.sphere.mcx.reg").unlink()
    with pytest.raises(GeometryError, match=r"rh.sphere.mcx.reg(.|\n)*1 missing(.|\n)*--spheres"):
        bring(data, out)


def test_other_meshes_without_spheres_are_refused(tmp_path, write_cortices):
    write_cortices(tmp_path, {"a": PEOPLE["a"]})
    write_cortices(tmp_path, {"b": PEOPLE["b"]}, level=2)
    with pytest.raises(GeometryError, match="subject b") as caught:
        bring(tmp_path)
    assert "spherical_diffusion_registration" in str(caught.value)


def test_unequal_hemispheres_are_refused_unless_one_is_asked_for(tmp_path, write_cortices):
    write_cortices(tmp_path, {"a": PEOPLE["a"]})
    write_cortices(tmp_path, {"b": PEOPLE["b"]}, sides=("lh",))
    with pytest.raises(InputFileError, match=r"subject b(.|\n)*--hemispheres"):
        cortices_of(tmp_path)
    with pytest.raises(InputFileError, match="subject b"):
        cortices_of(tmp_path, ("rh",))
    assert [list(item["white"]) for item in cortices_of(tmp_path, ("lh",))] == [["lh"], ["lh"]]


@pytest.mark.parametrize("sides", [("left",), ("lh", "lh"), ()])
def test_wrong_hemispheres_are_refused(tmp_path, write_cortices, sides):
    write_cortices(tmp_path, {"a": PEOPLE["a"]})
    with pytest.raises(ConfigError, match="hemispheres"):
        cortices_of(tmp_path, sides)


def test_pial_of_another_mesh_and_sphere_of_another_are_refused(tmp_path, write_cortices):
    write_cortices(tmp_path, PEOPLE, sphere="sphere.reg")
    ball = icosphere(2)
    sphere = tmp_path / "b" / "surf" / "lh.sphere.reg"
    write_surface_geometry(sphere, 100 * ball.vertices.numpy(), ball.faces.numpy())
    with pytest.raises(GeometryError, match="different numbers of vertices"):
        bring(tmp_path, tmp_path)
    pial = tmp_path / "c" / "surf" / "lh.pial"
    write_surface_geometry(pial, 30 * ball.vertices.numpy() - [45, 0, 0], ball.faces.numpy())
    with pytest.raises(GeometryError, match="pial surface has other triangles"):
        bring(tmp_path)


def test_a_mesh_that_the_shape_has_not_is_refused(tmp_path, write_cortices):
    found, _ = bring(write_cortices(tmp_path / "one", PEOPLE))
    items = cortices_of(write_cortices(tmp_path / "two", PEOPLE, level=2))
    with pytest.raises(GeometryError, match="white surface has other triangles"):
        read_corresponding(items[0], found, tmp_path)
