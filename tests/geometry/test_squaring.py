"""Compiled composition of a map with itself, against the same written in tensors."""

import pytest
import torch
from torch.nn.functional import normalize

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import rotate
from monai_cortex.geometry.squaring import square

MESH = icosphere(2)


def plain(moved, times):
    for _ in range(times):
        moved = normalize(interpolate(moved.T, MESH, locate(moved, MESH)).T, dim=-1)
    return moved


@pytest.fixture
def moved():
    generator = torch.Generator().manual_seed(0)
    omega = 0.05 * torch.randn(len(MESH.vertices), 3, generator=generator, dtype=torch.float64)
    return rotate(omega, MESH.vertices).requires_grad_()


@pytest.mark.parametrize("times", [0, 1, 4])
def test_value_and_gradient_are_those_of_tensors(moved, times):
    weight = torch.randn(moved.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = [square(moved, locator(MESH), times), plain(moved, times)]
    gradients = [torch.autograd.grad((r * weight).sum(), moved)[0] for r in results]
    torch.testing.assert_close(*results, atol=1e-13, rtol=0)
    torch.testing.assert_close(*gradients, atol=1e-11, rtol=0)


def test_identity_stays():
    torch.testing.assert_close(square(MESH.vertices, locator(MESH), 5), MESH.vertices, atol=1e-14, rtol=0)


def test_places_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        square(torch.full_like(MESH.vertices, torch.nan), locator(MESH), 1)
