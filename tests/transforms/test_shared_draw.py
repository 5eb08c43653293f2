import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.transforms.rand_rotate_sphere import RandRotateSphere
from monai_cortex.transforms.rand_warp_sphere import RandWarpSphere
from monai_cortex.transforms.shared_draw import SharedDraw

KINDS = pytest.mark.parametrize("kind", [RandRotateSphere, RandWarpSphere])


def heights(level):
    return icosphere(level).vertices[:, 2:].T.float()


@KINDS
def test_one_draw_serves_all_keys_and_levels(kind):
    change = SharedDraw(kind(), ["a", "b", "c"]).set_random_state(3)
    result = change({"a": heights(2), "b": heights(2), "c": heights(3), "other": 1})
    assert torch.equal(result["a"], result["b"])
    assert not torch.allclose(result["a"], heights(2), atol=1e-3)
    assert (result["c"][:, : result["a"].shape[1]] - result["a"]).abs().max() < 0.1  # coarser vertices come first
    assert result["other"] == 1


@KINDS
def test_equal_seeds_give_equal_draws(kind):
    first, again, other = (SharedDraw(kind(), "a").set_random_state(seed)({"a": heights(2)})["a"] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_missing_keys_are_an_error_unless_allowed():
    with pytest.raises(KeyError):
        SharedDraw(RandRotateSphere(), "a")({})
    assert SharedDraw(RandRotateSphere(), "a", allow_missing_keys=True)({}) == {}
