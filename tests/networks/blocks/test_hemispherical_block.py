import pytest
import torch

from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.blocks import HemisphericalBlock

pytestmark = pytest.mark.usefixtures("double_precision")


def block(build=hemispheric_graph, **options):
    torch.manual_seed(1)
    return HemisphericalBlock(2, 3, build(2), **options)


@pytest.mark.parametrize("kernel_size", [1, 3])
@torch.no_grad()
def test_training_normalizes_over_batch_vertices_and_voxels(kernel_size):
    layer, x = block(kernel_size=kernel_size), torch.randn(2, 2, 24, 3, 4, 2)
    y = layer.conv(x)
    variance, mean = torch.var_mean(y, (0, 2, 3, 4, 5), correction=0, keepdim=True)
    torch.testing.assert_close(layer(x), ((y - mean) / (variance + 1e-5).sqrt()).relu(), atol=1e-10, rtol=0)


@torch.no_grad()
def test_evaluation_uses_the_running_statistics():
    layer, x = block().eval(), torch.randn(1, 2, 24, 3, 3, 3)
    layer.norm.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
    layer.norm.running_var.copy_(torch.tensor([4.0, 1.0, 0.25]))
    mean, variance = (s.view(1, 3, 1, 1, 1, 1) for s in (layer.norm.running_mean, layer.norm.running_var))
    expected = ((layer.conv(x) - mean) / (variance + 1e-5).sqrt()).relu()
    torch.testing.assert_close(layer(x), expected, atol=1e-10, rtol=0)


@torch.no_grad()
def test_hemisphere_equals_sphere_in_training(antipodal_pair):
    on_sphere, on_hemisphere, kept = antipodal_pair(2, 2, (2, 3, 2), dtype=torch.float64)
    half, full = block(hemispheric_graph), block(spherical_graph)
    torch.testing.assert_close(half(on_hemisphere), full(on_sphere)[:, :, kept], atol=1e-10, rtol=0)


def test_input_is_left_alone():
    layer, x = block(), torch.randn(1, 2, 24, 2, 2, 2, requires_grad=True)
    before = x.detach().clone()
    layer(x).sum().backward()
    assert torch.equal(x.detach(), before)
    assert x.grad.isfinite().all()


def test_what_normalization_takes_away_is_not_trained():
    layer, x = block(), torch.randn(2, 2, 24, 2, 2, 2)
    before = layer(x)
    with torch.no_grad():
        layer.conv.bias.add_(3)
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=1e-4)
    assert [name for name, parameter in layer.named_parameters() if not parameter.requires_grad] == ["conv.bias"]
