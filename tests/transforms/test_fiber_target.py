import numpy as np
import pytest
import torch

from monai_cortex.data import write_volume
from monai_cortex.errors import InputFileError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import FiberTarget, FiberTargetD, FiberTargetd, FiberTargetDict

GRID = (3, 4, 2)


@pytest.fixture
def truth():
    """Random coefficients up to degree 8, (3, 4, 2, 45)."""
    return np.random.default_rng(0).normal(size=(*GRID, 45)).astype(np.float32)


@pytest.fixture
def path(tmp_path, truth):
    write_volume(tmp_path / "fod.nii.gz", truth, np.diag([2.0, 2, 2, 1]))
    return str(tmp_path / "fod.nii.gz")


@pytest.fixture
def scale():
    """A power of two in each voxel, so that quotients are exact; zero outside the mask."""
    scale = 2.0 ** torch.arange(24).reshape(1, *GRID)
    scale[0, 0] = 0
    return scale


def test_quotient_of_coefficients_and_scale(path, truth, scale):
    found = FiberTarget()(path, scale)
    assert found.shape == (45, *GRID)
    assert found.dtype == torch.float32
    expected = truth[1:] / scale[0, 1:, ..., None].numpy()
    np.testing.assert_array_equal(found[:, 1:].movedim(0, -1).numpy(), expected)
    assert (found[:, 0] == 0).all()


def test_a_scaled_scan_has_the_target_of_the_original(tmp_path, path, truth, scale):
    """Signal and orientations of the scanner's unit: what is left is in that of the normalized signal."""
    write_volume(tmp_path / "bright.nii", 4 * truth, np.diag([2.0, 2, 2, 1]))
    bright = FiberTarget()(str(tmp_path / "bright.nii"), 4 * scale)
    torch.testing.assert_close(bright, FiberTarget()(path, scale), rtol=0, atol=0)


@pytest.mark.parametrize(("degree", "count"), [(0, 1), (2, 6), (6, 28), (8, 45)])
def test_degree_cuts_the_coefficients(path, scale, degree, count):
    found = FiberTarget(degree)(path, scale)
    assert len(found) == count
    torch.testing.assert_close(found, FiberTarget(8)(path, scale)[:count], rtol=0, atol=0)


def assert_names(error, path, *words):
    for word in ("the true orientations do not fit", path, "subject s1", *words):
        assert word in str(error)


def test_too_few_coefficients_are_refused(path, scale):
    with pytest.raises(InputFileError) as caught:
        FiberTarget(10)(path, scale, "s1")
    found, expected = "found: 45 coefficients on (3, 4, 2) voxels", "expected: at least 66 (lmax 10) on (3, 4, 2)"
    assert_names(caught.value, path, found, expected, "lower lmax")


@pytest.mark.parametrize("shape", [(3, 2, 4), (3, 4, 3), (1, 1, 1)])
def test_another_grid_is_refused(path, shape):
    with pytest.raises(InputFileError) as caught:
        FiberTarget()(path, torch.ones(1, *shape), "s1")
    assert_names(caught.value, path, "45 coefficients on (3, 4, 2) voxels", f"at least 45 (lmax 8) on {shape}")


def test_missing_file_and_image_without_coefficients_are_refused(tmp_path, truth, scale):
    single = tmp_path / "single.nii.gz"
    write_volume(single, truth[..., 0], np.eye(4))
    for absent in (tmp_path / "fod.nii.gz", single):
        with pytest.raises(InputFileError) as caught:
            FiberTargetd()({"target": str(absent), "scale": scale, "subject": "s1"})
        assert str(absent) in str(caught.value)
        assert "s1" in str(caught.value)


def test_pair_agrees(path, scale):
    data = {"target": path, "scale": scale, "subject": "s1"}
    assert_pair_agrees(lambda name: name, FiberTargetd(), data, "target")
    result = FiberTargetd(degree=4)(data)
    assert set(result) == {*data, "truth"}
    torch.testing.assert_close(result["truth"], FiberTarget(4)(path, scale), rtol=0, atol=0)
    assert FiberTargetD is FiberTargetDict is FiberTargetd


def test_scans_without_known_orientations_may_be_skipped(scale):
    assert set(FiberTargetd(allow_missing_keys=True)({"scale": scale})) == {"scale"}
    with pytest.raises(KeyError, match="target"):
        FiberTargetd()({"scale": scale})
