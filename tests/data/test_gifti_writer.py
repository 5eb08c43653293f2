import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data.gifti import read_gifti_surface, read_gifti_values
from monai_cortex.data.gifti_writer import write_gifti_sphere, write_gifti_values
from monai_cortex.data.surface_checks import check_sphere


@pytest.mark.parametrize(("hemisphere", "structure"), [("lh", "CortexLeft"), ("rh", "CortexRight")])
def test_sphere_reads_back(tmp_path, ball, hemisphere, structure):
    path = tmp_path / f"{hemisphere}.sphere.mcx.reg.surf.gii"
    write_gifti_sphere(path, ball.vertices, ball.faces, hemisphere)
    found = read_gifti_surface(path)
    assert torch.equal(found.mesh.vertices, ball.vertices)
    assert torch.equal(found.mesh.faces, ball.faces)
    assert found.hemisphere == hemisphere
    assert check_sphere(found)[1].radius == pytest.approx(100, abs=1e-4)
    image = nib.load(path)
    points, triangles = image.darrays
    assert points.metadata == {"AnatomicalStructurePrimary": structure, "GeometricType": "Spherical"}
    assert triangles.metadata == {"TopologicalType": "Closed"}
    np.testing.assert_array_equal(image.agg_data("pointset"), ball.vertices.numpy())
    np.testing.assert_array_equal(image.agg_data("triangle"), ball.faces.numpy())
    np.testing.assert_array_equal(points.coordsys.xform, np.eye(4))
    assert path.read_text().count("<CoordinateSystem") == 1


def test_values_read_back(tmp_path):
    values = np.random.default_rng(0).normal(size=162)
    write_gifti_values(tmp_path / "rh.areal.shape.gii", values, "rh")
    found = read_gifti_values(tmp_path / "rh.areal.shape.gii", 162, hemisphere="rh")
    np.testing.assert_array_equal(found, values.astype(np.float32))
    image = nib.load(tmp_path / "rh.areal.shape.gii")
    assert image.darrays[0].intent == nib.nifti1.intent_codes["NIFTI_INTENT_SHAPE"]
    assert image.meta["AnatomicalStructurePrimary"] == "CortexRight"


def test_equal_inputs_are_equal_files(tmp_path, ball):
    for folder in ("first", "second"):
        write_gifti_sphere(tmp_path / folder / "a.gii", ball.vertices, ball.faces.int(), "lh")
        write_gifti_values(tmp_path / folder / "b.gii", ball.vertices[:, 0], "lh")
    for name in ("a.gii", "b.gii"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["a.gii", "b.gii"]


def test_failed_write_keeps_the_old_file(tmp_path, ball, monkeypatch):
    path = tmp_path / "a.gii"
    write_gifti_sphere(path, ball.vertices, ball.faces, "lh")
    old = path.read_bytes()

    def stop(self, content):
        with open(self, "wb") as stream:
            stream.write(content[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        write_gifti_values(path, np.ones(3), "lh")
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["a.gii"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "lh.sphere"}, "written as .gii"),
        ({"hemisphere": "left"}, '"lh" or "rh"'),
        ({"scale": 0.01}, "radius 100"),
        ({"scale": np.nan}, "radius 100"),
        ({"shift": 2}, "radius 100"),
        ({"points": slice(0)}, r"vertices \(V, 3\)"),
        ({"points": slice(100)}, "0 to 99"),
        ({"faces": (slice(None), slice(2))}, r"faces \(F, 3\)"),
        ({"faces": slice(0)}, r"faces \(F, 3\)"),
        ({"step": -1}, "-1 to 160"),
        ({"step": 0.5}, "integer faces"),
    ],
)
def test_what_is_no_sphere_is_refused(tmp_path, ball, change, word):
    points = change.get("scale", 1) * (ball.vertices + change.get("shift", 0))[change.get("points", slice(None))]
    faces = (ball.faces + change.get("step", 0))[change.get("faces", slice(None))]
    with pytest.raises(ValueError, match=word):
        write_gifti_sphere(tmp_path / change.get("name", "a.gii"), points, faces, change.get("hemisphere", "lh"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "name", "hemisphere"),
    [
        ([], "a.gii", "lh"),
        ([[1.0]], "a.gii", "lh"),
        ([np.nan], "a.gii", "lh"),
        ([1e39], "a.gii", "lh"),
        ([1.0], "a.gii", ""),
        ([1.0], "a.gii.gz", "lh"),
    ],
)
def test_what_no_file_of_values_can_hold_is_refused(tmp_path, values, name, hemisphere):
    with pytest.raises(ValueError, match=r"values|hemisphere|\.gii"):
        write_gifti_values(tmp_path / name, values, hemisphere)
    assert not list(tmp_path.iterdir())
