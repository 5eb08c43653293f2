"""Fields of single levels: how they are enlarged, and what they see of the diffusion decoder."""

import pytest
import torch
from torch import nn

from monai_cortex.networks.blocks.guided_field_head import GuidedFieldHead, enlarge, zero_

LEVEL = (3, 4, 5)
FINE = (12, 16, 10)
RATIO = torch.tensor([4.0, 4.0, 2.0]).view(3, 1, 1, 1)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def head(**options):
    torch.manual_seed(0)
    module = GuidedFieldHead(8, **options)
    nn.init.normal_(module.blend.weight, std=0.3)
    return module


def passing(field, **options):
    """A head whose last convolution lets through what its first one is made to give."""
    module = head(**options)
    zero_(module.blend)
    module.blend.weight.data[:, :, 1, 1, 1] = torch.eye(3)
    module.narrow.register_forward_hook(lambda *_: field)
    return module


def features(seed=1):
    return normal(seed, 2, 8, *LEVEL)


def affine(shape, matrix):
    """Displacement matrix (x - center) in voxels of a grid."""
    lines = [torch.arange(size) - (size - 1) / 2 for size in shape]
    return torch.einsum("cd,dijk->cijk", matrix, torch.stack(torch.meshgrid(*lines, indexing="ij")))[None]


def test_published_field_repeats_cells_in_their_own_voxels():
    field = normal(0, 2, 3, *LEVEL)
    expected = field
    for axis, times in ((2, 4), (3, 4), (4, 2)):
        expected = expected.repeat_interleave(times, axis)
    torch.testing.assert_close(passing(field)(features(), features(2), FINE), expected)


def test_scaled_field_is_the_same_map_on_the_finer_grid():
    """An affine map stays what it is, but for the half cell at the border: no shift, no shrinking."""
    matrix = 0.3 * normal(0, 3, 3)
    mixed = RATIO.view(3, 1) * matrix / RATIO.view(1, 3)
    found = passing(affine(LEVEL, matrix), scaled=True)(features()[:1], features(2)[:1], FINE)
    inner = (..., slice(2, -2), slice(2, -2), slice(1, -1))
    torch.testing.assert_close(found[inner], affine(FINE, mixed)[inner], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"fusion": "projected"}])
@pytest.mark.parametrize("scaled", [False, True])
def test_constant_field(options, scaled):
    module = head(scaled=scaled, **options)
    nn.init.zeros_(module.blend.weight)
    module.blend.bias.data = torch.tensor([1.0, -2.0, 0.5])
    expected = module.blend.bias.data.view(3, 1, 1, 1) * (RATIO if scaled else 1)
    torch.testing.assert_close(module(features(), features(2), FINE), expected.expand(2, 3, *FINE))


def test_scaled_field_is_zero_at_first_and_learns():
    module = GuidedFieldHead(8, scaled=True)
    field = module(features(), features(2), FINE)
    assert torch.equal(field, torch.zeros(2, 3, *FINE))
    field[:, 0].sum().backward()
    assert module.blend.weight.grad[0].abs().max() > 0


@pytest.mark.parametrize("fusion", ["reference", "projected"])
def test_guide_is_read_as_a_whole_and_matters(fusion):
    module, guide = head(fusion=fusion), features(2)
    field = module(features(), guide, FINE)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(5))
    shuffled = guide.flatten(2)[..., order].view_as(guide)
    torch.testing.assert_close(module(features(), shuffled, FINE), field, atol=1e-5, rtol=1e-4)
    assert (module(features(), features(3), FINE) - field).abs().max() > 1e-3


def test_contrast_of_the_guide_does_not_matter():
    module, guide = head(), features(2)
    expected = module(features(), guide, FINE)
    torch.testing.assert_close(module(features(), 9 * guide - 4, FINE), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("fusion", ["reference", "projected"])
@pytest.mark.parametrize("scaled", [False, True])
def test_features_themselves_go_beside_what_is_attended(fusion, scaled):
    """Where the attention gives nothing, the field is the first convolution of the features, not normalized."""
    module = head(fusion=fusion, scaled=scaled)
    zero_(module.project)
    zero_(module.blend)
    module.blend.weight.data[:, :, 1, 1, 1] = torch.eye(3)
    field = module(features(), features(2), LEVEL)
    torch.testing.assert_close(field, module.narrow(features()))
    assert field.std() > 0.1
    torch.testing.assert_close(field, module(features(), features(3), LEVEL))


def test_parameters_of_the_published_heads():
    counts = [sum(p.numel() for p in GuidedFieldHead(width).parameters()) for width in (32, 32, 32, 32, 16, 16, 8, 8)]
    assert sum(counts) == 21_512
    projected = GuidedFieldHead(32, fusion="projected")
    assert sum(p.numel() for p in projected.parameters()) == counts[0] + 3 * 32**2


def test_another_fusion_is_refused():
    with pytest.raises(ValueError, match=r"reference, projected, got 'sum'"):
        GuidedFieldHead(8, fusion="sum")


def test_enlarging_is_exact_on_ramps_and_alike_in_all_axes():
    ramp = affine(LEVEL, torch.eye(3))
    found = enlarge(ramp, FINE)[..., 2:-2, 2:-2, 1:-1]
    torch.testing.assert_close(found, (affine(FINE, torch.eye(3)) / RATIO)[..., 2:-2, 2:-2, 1:-1])
    field = normal(0, 1, 2, *LEVEL)
    turned = enlarge(field.permute(0, 1, 4, 2, 3), (10, 12, 16))
    torch.testing.assert_close(turned, enlarge(field, FINE).permute(0, 1, 4, 2, 3))
    assert enlarge(field, LEVEL) is field
