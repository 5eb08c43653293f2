from importlib.metadata import distributions

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter, shift

SHAPE = (40, 36, 16)
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/cardiac_peers")


@pytest.fixture
def item():
    """A texture that moved by 1.5 voxels along i and by -1 along j, on an oblique grid, with padded slices."""
    image = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), (3, 3, 1.5))
    image = (image / np.abs(image).max()).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = TURN @ np.diag([-1.5, 1.5, 3.0])
    affine[:3, 3] = (4, -7, 11)
    valid = torch.zeros(1, *SHAPE)
    valid[..., 2:14] = 1
    pair = {"moving_image": image, "fixed_image": shift(image, (-1.5, 1, 0), order=1, mode="nearest")}
    tensors = {name: MetaTensor(torch.from_numpy(v)[None], affine=torch.from_numpy(affine)) for name, v in pair.items()}
    return {**tensors, "valid": valid}


@pytest.mark.parametrize("name", ["demons", pytest.param("elastix", marks=pytest.mark.whole)])
def test_peers_find_a_shift_in_voxels_of_the_grid(tool, item, name):
    needed = {"demons": "simpleitk", "elastix": "itk-elastix"}[name]
    if needed not in {found.name.lower() for found in distributions()}:
        pytest.skip(f"{needed} is not installed")
    ddf, seconds = tool.peer_field(name, item)
    assert ddf.shape == (3, *SHAPE)
    assert seconds > 0
    inner = ddf[:, 10:-10, 10:-10, 4:12].flatten(1).mean(1)
    assert inner.tolist() == pytest.approx([1.5, -1, 0], abs=0.2)
    torch.testing.assert_close(ddf[..., 0], ddf[..., 2])  # padding
    torch.testing.assert_close(ddf[..., 15], ddf[..., 13])
