"""Shape models of cortices from folders, and in files."""

import numpy as np
import pytest
import torch

from monai_cortex.data.cortex_shapes import CortexShapes
from monai_cortex.data.freesurfer import read_surface_geometry, write_surface_geometry
from monai_cortex.errors import ConfigError, GeometryError, InputFileError
from monai_cortex.geometry.cortex_features import stack_cortex
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation

PEOPLE = {"a": (1.0, 0.5), "b": (-0.5, 1.0), "c": (0.2, -1.0), "d": (0.7, 0.1)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_cortices):
    return write_cortices(tmp_path_factory.mktemp("people"), PEOPLE)


@pytest.fixture(scope="module")
def shapes(folder):
    return CortexShapes.fit(folder)


@pytest.mark.parametrize("alignment", ["none", "rigid", "similarity"])
def test_people_come_back(folder, alignment):
    found = CortexShapes.fit(folder, alignment=alignment)
    for name in PEOPLE:
        shape = found.shape(folder, name)
        back = found.decode(found.model.encode(shape))
        torch.testing.assert_close(stack_cortex(*back), shape, rtol=0, atol=1e-6)
        assert found.residual(shape) < 1e-6
    if alignment == "none":
        own = read_surface_geometry(folder / "d" / "surf" / "rh.pial").mesh
        torch.testing.assert_close(back.pial[1].vertices, own.vertices, rtol=0, atol=1e-6)


def test_paths_meet_both_ends_and_are_the_same_from_both(folder, shapes):
    ends = [shapes.shape(folder, name) for name in "ab"]
    a, b = (shapes.model.encode(shape) for shape in ends)
    for path in (shapes.model.slerp, shapes.model.lerp):
        for place, end in zip((0.0, 1.0), ends, strict=True):
            torch.testing.assert_close(stack_cortex(*shapes.decode(path(a, b, place))), end, rtol=0, atol=1e-6)
        torch.testing.assert_close(path(a, b, 0.3), path(b, a, 0.7))


def test_a_family_of_balls_has_one_component_and_radii_between(tmp_path):
    ball, radii = icosphere(2), (30.0, 31.0, 33.0, 36.0)
    for radius in radii:
        for kind, extra in (("white", 0), ("pial", 3)):
            points = (radius + extra) * ball.vertices.numpy() - [40, 0, 0]
            write_surface_geometry(tmp_path / f"{radius:.0f}" / "surf" / f"lh.{kind}", points, ball.faces.numpy())
    found = CortexShapes.fit(tmp_path, hemispheres=("lh",), alignment="none")
    assert len(found.model.deviations) == 1
    a, b = (found.model.encode(found.shape(tmp_path, name)) for name in ("30", "36"))
    for place in (0.0, 0.25, 0.5, 1.0):
        (white,), (pial,) = found.decode(found.model.lerp(a, b, place))
        for mesh, extra in ((white, 0), (pial, 3)):
            radius = (mesh.vertices + mesh.vertices.new_tensor([40, 0, 0])).norm(dim=1)
            torch.testing.assert_close(radius, torch.full_like(radius, 30 + 6 * place + extra), rtol=0, atol=1e-5)


def test_alignment_takes_poses_out(tmp_path, folder, shapes):
    turn = random_rotation(torch.Generator().manual_seed(1), 0.3)
    for path in sorted(folder.glob("*/surf/*")):
        mesh = read_surface_geometry(path).mesh
        points = mesh.vertices @ turn + torch.tensor([0.0, 4, 9]) if path.parts[-3] == "b" else mesh.vertices
        write_surface_geometry(tmp_path / path.relative_to(folder), points.numpy(), mesh.faces.numpy())
    found = CortexShapes.fit(tmp_path)
    torch.testing.assert_close(found.model.deviations, shapes.model.deviations, rtol=1e-4, atol=0)
    assert CortexShapes.fit(tmp_path, alignment="none").model.deviations[0] > 2 * found.model.deviations[0]
    assert shapes.residual(shapes.shape(tmp_path, "b")) < 1e-4


def test_spheres_give_the_shape_that_equal_meshes_give(tmp_path, write_cortices):
    ball = icosphere(4)
    turns = [random_rotation(torch.Generator().manual_seed(seed)) for seed in range(4)]
    for turn, (name, numbers) in zip(turns, PEOPLE.items(), strict=True):
        ways = ball._replace(vertices=ball.vertices @ turn)
        write_cortices(tmp_path / "free", {name: numbers}, ways, sphere="sphere.mcx.reg")
    free = CortexShapes.fit(tmp_path / "free", level=3, spheres_dir=tmp_path / "free")
    equal = CortexShapes.fit(write_cortices(tmp_path / "equal", PEOPLE))
    torch.testing.assert_close(free.model.mean, equal.model.mean, rtol=0, atol=0.16)
    shape = free.shape(tmp_path / "free", "c")
    assert free.residual(shape) < 1e-6
    torch.testing.assert_close(shape, equal.shape(tmp_path / "equal", "c"), rtol=0, atol=0.16)


def test_mid_thickness_and_one_hemisphere(folder):
    found = CortexShapes.fit(folder, 1, features="mid_thickness", hemispheres=("rh",), alignment="similarity")
    assert found.model.mean.shape == (642, 4)
    assert len(found.model.deviations) == 1
    (white,), (pial,) = found.decode(torch.zeros(1))
    assert len(white.vertices) == len(pial.vertices) == 642
    assert 0 < found.residual(found.shape(folder, "a"))


def test_a_file_gives_the_same_model_without_pickle(tmp_path, folder, shapes):
    file = tmp_path / "model.npz"
    shapes.save(file)
    back = CortexShapes.load(file)
    assert (back.alignment, back.people, back.correspondence[::2]) == ("rigid", 4, (("lh", "rh"), ""))
    code = shapes.model.encode(shapes.shape(folder, "c"))
    assert torch.equal(stack_cortex(*back.decode(code)), stack_cortex(*shapes.decode(code)))
    assert all(map(torch.equal, back.correspondence.faces, shapes.correspondence.faces))
    with np.load(file, allow_pickle=False) as content:
        assert all(content[name].dtype.kind in "fiU" for name in content.files)
    assert list(tmp_path.iterdir()) == [file]


def test_damaged_and_foreign_files_are_refused(tmp_path, shapes):
    file = tmp_path / "model.npz"
    shapes.model.save(file)
    with pytest.raises(InputFileError, match="no shape model of cortices"):
        CortexShapes.load(file)
    shapes.save(file)
    with np.load(file) as content:
        arrays = dict(content)
    np.savez(file, **{**arrays, "faces_rh": arrays["faces_rh"][::-1]})
    with pytest.raises(GeometryError, match="other meshes"):
        CortexShapes.load(file)
    np.savez(file, **{**arrays, "faces_rh": arrays["faces_rh"][:, :2] * 0})
    with pytest.raises(InputFileError, match="no shape model of cortices"):
        CortexShapes.load(file)
    with pytest.raises(InputFileError, match="missing"):
        CortexShapes.load(tmp_path / "nothing.npz")


def test_wrong_input_is_refused(tmp_path, folder, shapes, write_cortices):
    for wrong in ({"features": "pial"}, {"alignment": "affine"}):
        with pytest.raises(ConfigError, match="no such"):
            CortexShapes.fit(folder, **wrong)
    with pytest.raises(InputFileError, match="too few subjects"):
        CortexShapes.fit(write_cortices(tmp_path / "two", dict(list(PEOPLE.items())[:2])))
    with pytest.raises(InputFileError, match="the same surfaces"):
        CortexShapes.fit(write_cortices(tmp_path / "twins", dict.fromkeys("abc", (1.0, 0.5))))
    with pytest.raises(InputFileError, match="no such subject"):
        shapes.shape(folder, "nobody")
