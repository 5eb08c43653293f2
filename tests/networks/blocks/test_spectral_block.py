"""Block of filters around a nonlinearity: its start, its scale, and how nearly it commutes with rotations."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.metrics.equivariance import equivariance_error
from monai_cortex.networks.blocks import SpectralBlock
from monai_cortex.networks.layers import SphericalHarmonicTransform

DEGREE = 8
COUNT = (DEGREE + 1) ** 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def block(inputs=3, outputs=3, level=3, trained=True):
    torch.manual_seed(0)
    module = SpectralBlock(inputs, outputs, SphericalHarmonicTransform(icosphere(level), DEGREE), 5)
    if trained:
        for part in (module.leave.weight, module.scale.linear.weight):
            torch.nn.init.normal_(part, std=0.3)
    return module


def smooth(seed, channels=3):
    """Coefficients whose power falls with the degree, as those of folds do."""
    return normal(seed, 2, channels, COUNT) / (1 + (harmonic_degrees(DEGREE) / 3.0) ** 2)


@torch.no_grad()
def test_block_starts_as_its_shortcut():
    x, condition = normal(0, 2, 3, COUNT), normal(1, 2, 5)
    assert torch.equal(block(trained=False)(x, condition), x)
    wider = block(outputs=4, trained=False)
    assert torch.equal(wider(x, condition), wider.shortcut(x))


@torch.no_grad()
def test_block_is_the_nonlinearity_at_the_vertices_of_normalized_maps():
    module, x, condition = block(), normal(0, 2, 3, COUNT), normal(1, 2, 5)
    hidden = module.enter(x)
    square = hidden.square().sum((1, 2), keepdim=True) / (4 * math.pi * 3)
    hidden = module.scale(hidden / (square + 1e-6).sqrt(), condition)
    values = torch.nn.functional.gelu(module.transform.inverse(hidden))
    expected = x + module.leave(module.transform(values))
    torch.testing.assert_close(module(x, condition), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_normalization_is_the_mean_square_over_the_sphere():
    """What the block adds does not depend on the scale of what it gets."""
    module, x, condition = block(), normal(0, 2, 3, COUNT), normal(1, 2, 5)
    once, hundredfold = module(x, condition) - x, module(100 * x, condition) - 100 * x
    torch.testing.assert_close(once, hundredfold, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(2))
def test_block_commutes_with_rotations_but_for_what_the_mesh_cannot_hold(seed):
    """3 % of what the block adds at level 2, a tenth of that at level 3, then of the order of h^2."""
    matrix = harmonic_rotation(random_rotation(torch.Generator().manual_seed(seed)), DEGREE, even=False).float().T
    x, condition = smooth(seed), normal(1, 2, 5)
    errors = []
    for level in (2, 3, 4):
        module = block(level=level)
        errors.append(equivariance_error(lambda c, m=module: m(c, condition) - c, x, lambda c: c @ matrix).item())
    assert errors[0] < 0.06
    assert errors[1] < 0.004
    assert errors[2] < 0.3 * errors[1]


def test_everything_learns():
    module, x, condition = block(outputs=4), normal(0, 2, 3, COUNT), normal(1, 2, 5)
    module(x, condition).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in module.parameters())


@torch.no_grad()
def test_zero_maps_are_finite():
    module = block()
    assert module(torch.zeros(1, 3, COUNT), torch.zeros(1, 5)).isfinite().all()
