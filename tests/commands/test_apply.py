"""Fields applied from files to files: what comes out is where the field leads."""

import json

import numpy as np
import pytest
import SimpleITK
import torch
from click.testing import CliRunner

from monai_cortex.__main__ import main
from monai_cortex.data import read_volume, write_displacement, write_transform, write_volume
from monai_cortex.geometry.displacement import warp

SHAPE = (9, 8, 7)
AFFINE = np.array([[-1.2, 0.5, 0, 10], [0.4, 1.5, 0.3, -8], [0, -0.2, 3.0, 4], [0, 0, 0, 1]])
FLIP = np.diag([-1.0, -1.0, 1.0])
ROWS = "name,x,y,z\n"


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, ["apply", *(str(word) for word in words)])


@pytest.fixture
def ddf():
    return 1.3 * torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def field(tmp_path, ddf):
    write_displacement(tmp_path / "warp.nii.gz", ddf, AFFINE)
    return tmp_path / "warp.nii.gz"


@pytest.fixture
def image(tmp_path):
    values = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    write_volume(tmp_path / "moving.nii.gz", values, AFFINE)
    return tmp_path / "moving.nii.gz"


def world(voxels, affine=AFFINE):
    return np.asarray(voxels) @ affine[:3, :3].T + affine[:3, 3]


def test_images_are_read_where_the_field_points(call, field, image, ddf, tmp_path):
    out = tmp_path / "new" / "warped.nii.gz"
    answer = call(field, image, out)
    assert answer.exit_code == 0, answer.output
    found, source = read_volume(out), torch.from_numpy(read_volume(image).values)
    np.testing.assert_allclose(found.values, warp(source[None, None], ddf[None])[0, 0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.affine, AFFINE, atol=1e-6)
    record = json.loads((tmp_path / "new" / "warped.json").read_text())
    assert record["sources"] == ["moving.nii.gz", "warp.nii.gz"]
    assert record["interpolation"] == "linear"
    assert sorted(path.name for path in out.parent.iterdir()) == ["warped.json", "warped.nii.gz"]


def test_labels_are_not_mixed(call, field, ddf, tmp_path):
    labels = torch.randint(0, 4, SHAPE, generator=torch.Generator().manual_seed(2)) * 100
    write_volume(tmp_path / "labels.nii.gz", labels, AFFINE, dtype=np.int16)
    assert call(field, tmp_path / "labels.nii.gz", tmp_path / "out.nii.gz", "--labels").exit_code == 0
    found = read_volume(tmp_path / "out.nii.gz").values
    assert set(np.unique(found)) == {0, 100, 200, 300}
    assert (found == warp(labels[None, None].float(), ddf[None], "nearest")[0, 0].numpy()).mean() > 0.999
    assert json.loads((tmp_path / "out.json").read_text())["interpolation"] == "nearest"


def test_numbers_of_large_labels_are_kept(call, field, tmp_path):
    write_volume(tmp_path / "labels.nii.gz", np.full(SHAPE, 12175 * 100), AFFINE, dtype=np.int32)
    assert call(field, tmp_path / "labels.nii.gz", tmp_path / "out.nii.gz", "--labels").exit_code == 0
    assert (read_volume(tmp_path / "out.nii.gz", constant=True).values == 1217500).all()


def test_each_volume_of_a_series_is_warped(call, field, image, tmp_path):
    first = read_volume(image).values
    write_volume(tmp_path / "series.nii.gz", np.stack([first, 2 * first], -1), AFFINE)
    assert call(field, image, tmp_path / "one.nii.gz").exit_code == 0
    assert call(field, tmp_path / "series.nii.gz", tmp_path / "both.nii.gz").exit_code == 0
    one, both = (read_volume(tmp_path / f"{name}.nii.gz").values for name in ("one", "both"))
    np.testing.assert_allclose(both, np.stack([one, 2 * one], -1), atol=1e-5)


def test_other_grids_are_refused_and_both_are_named(call, field, tmp_path):
    write_volume(tmp_path / "other.nii.gz", np.random.default_rng(0).normal(size=(10, 8, 7)), np.diag([2, 2, 4, 1]))
    answer = call(field, tmp_path / "other.nii.gz", tmp_path / "out.nii.gz")
    assert answer.exit_code == 2
    for word in ("GeometryError", "image (10, 8, 7) voxels", "field (9, 8, 7) voxels", "[2.0, 0.0, 0.0", "--resample"):
        assert word in answer.output
    assert not (tmp_path / "out.nii.gz").exists()
    shifted = AFFINE.copy()
    shifted[0, 3] += 1
    write_volume(tmp_path / "shifted.nii.gz", np.random.default_rng(0).normal(size=SHAPE), shifted)
    assert call(field, tmp_path / "shifted.nii.gz", tmp_path / "out.nii.gz").exit_code == 2


def test_other_grids_are_read_in_space_as_itk_does(call, tmp_path):
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    here, there = np.eye(4), np.eye(4)
    here[:3, :3], here[:3, 3] = turn @ np.diag([1.2, -1.5, 3.0]), (3, 4, 5)
    there[:3, :3], there[:3, 3] = np.diag([-0.7, 0.9, 2.0]), (14, -12, -3)
    write_displacement(tmp_path / "warp.nii.gz", torch.randn(3, *SHAPE), here)
    write_volume(tmp_path / "other.nii.gz", np.random.default_rng(0).normal(size=(30, 40, 20)), there)
    answer = call(tmp_path / "warp.nii.gz", tmp_path / "other.nii.gz", tmp_path / "out.nii.gz", "--resample")
    assert answer.exit_code == 0, answer.output
    found = read_volume(tmp_path / "out.nii.gz")
    assert found.values.shape == SHAPE
    vectors = SimpleITK.ReadImage(str(tmp_path / "warp.nii.gz"), SimpleITK.sitkVectorFloat64)
    other = SimpleITK.ReadImage(str(tmp_path / "other.nii.gz"), SimpleITK.sitkFloat64)
    grid = SimpleITK.ReadImage(str(tmp_path / "out.nii.gz"))
    expected = SimpleITK.Resample(
        other, grid, SimpleITK.DisplacementFieldTransform(vectors), SimpleITK.sitkLinear, 99.0
    )
    expected = SimpleITK.GetArrayFromImage(expected).transpose(2, 1, 0)
    inside = (expected != 99) & (found.values != 0)
    assert inside.mean() > 0.3
    # Half a voxel around the image ITK goes on constantly, where ours fades.
    assert (np.abs(found.values - expected)[inside] < 1e-4).mean() > 0.9


def test_images_far_away_are_zero(call, field, tmp_path):
    write_volume(tmp_path / "far.nii.gz", np.full(SHAPE, 7.0), np.diag([2, 2, 2, 1]) + np.eye(4, k=3) * 900)
    assert call(field, tmp_path / "far.nii.gz", tmp_path / "out.nii.gz", "--resample").exit_code == 0
    assert not read_volume(tmp_path / "out.nii.gz", constant=True).values.any()


def test_points_of_the_fixed_image_go_to_the_moving_one(call, field, ddf, tmp_path):
    voxels = [[2, 3, 4], [5, 1, 2]]
    rows = [",".join(map(repr, ["p", *map(float, point)])).replace("'", "") for point in world(voxels)]
    (tmp_path / "in.csv").write_text(ROWS + "\n".join(rows) + "\n")
    answer = call(field, tmp_path / "in.csv", tmp_path / "out.csv", "--points")
    assert answer.exit_code == 0, answer.output
    found = np.genfromtxt(tmp_path / "out.csv", delimiter=",", skip_header=1)[:, 1:]
    expected = world([np.add(voxel, ddf[(slice(None), *voxel)].numpy()) for voxel in voxels])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert (tmp_path / "out.csv").read_text().startswith(ROWS + "p,")
    assert json.loads((tmp_path / "out.csv.json").read_text())["axes"] == "RAS"
    assert "outside" not in answer.output


def test_points_go_where_simpleitk_takes_them(call, field, ddf, tmp_path):
    points = world(np.random.default_rng(0).uniform(0.5, 5.5, (20, 3)))
    np.savetxt(tmp_path / "in.csv", points, "%.9f", ",", header="x,y,z", comments="")
    assert call(field, tmp_path / "in.csv", tmp_path / "out.csv", "--points").exit_code == 0
    found = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    write_transform(tmp_path / "transform.h5", ddf, AFFINE)
    transform = SimpleITK.ReadTransform(str(tmp_path / "transform.h5"))
    expected = [FLIP @ transform.TransformPoint(FLIP @ point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_points_outside_are_counted(call, field, tmp_path):
    np.savetxt(tmp_path / "in.csv", world([[2, 3, 4], [50, 3, 4]]), "%.9f", ",", header="x,y,z", comments="")
    answer = call(field, tmp_path / "in.csv", tmp_path / "out.csv", "--points")
    assert "2 points" in answer.output
    assert "1 of them outside the field" in answer.output


def test_inverse_field_brings_points_back(call, tmp_path):
    ddf = torch.zeros(3, *SHAPE)
    ddf[0] = 1.5
    for name, sign in (("warp", 1), ("inverse_warp", -1)):
        write_displacement(tmp_path / f"{name}.nii.gz", sign * ddf, AFFINE)
    points = world([[2, 3, 4], [5, 1, 2]])
    np.savetxt(tmp_path / "in.csv", points, "%.9f", ",", header="x,y,z", comments="")
    assert call(tmp_path / "warp.nii.gz", tmp_path / "in.csv", tmp_path / "there.csv", "--points").exit_code == 0
    back = call(tmp_path / "inverse_warp.nii.gz", tmp_path / "there.csv", tmp_path / "back.csv", "--points")
    assert back.exit_code == 0
    np.testing.assert_allclose(np.loadtxt(tmp_path / "back.csv", delimiter=",", skiprows=1), points, atol=1e-5)


def test_help_says_which_way_points_go(call):
    words = " ".join(call("--help").output.split())
    assert "point x of the FIXED image is taken to x + u(x) in the moving one" in words
    assert "To carry points of the MOVING image to the fixed one, name inverse_warp.nii.gz" in words


def test_misuse_is_answered(call, field, image, tmp_path):
    (tmp_path / "in.csv").write_text("x,y,z\n1,2,3\n")
    for words, text in [
        ((field, image, tmp_path / "out.mgz"), "written as .nii"),
        ((field, tmp_path / "in.csv", tmp_path / "out.csv", "--points", "--labels"), "leave --labels"),
        ((field, tmp_path / "in.csv", tmp_path / "out.csv", "--points", "--resample"), "leave --labels"),
        ((field, image, image), "is an input"),
        ((field, image, tmp_path / "out.nii.gz", "--labels"), "labels are no whole numbers"),
        ((image, image, tmp_path / "out.nii.gz"), "no vector image"),
        ((tmp_path / "none.nii.gz", image, tmp_path / "out.nii.gz"), "does not exist"),
    ]:
        answer = call(*words)
        assert answer.exit_code == 2
        assert text in answer.output
    assert not list(tmp_path.glob("out*"))
