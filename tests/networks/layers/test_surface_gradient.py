"""Gradients of harmonics whose gradient is known by hand, and the way back to the potentials."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.networks.layers import SurfaceGradient

MESH = icosphere(4)
DEGREE = 6
COUNT = (DEGREE + 1) ** 2


def unit(index, count=COUNT):
    return torch.nn.functional.one_hot(torch.tensor(index), count).float()


@pytest.fixture(scope="module")
def gradient():
    return SurfaceGradient(MESH, DEGREE)


@pytest.fixture(scope="module")
def coefficients():
    """Two functions, the constant part of each is not 0."""
    found = torch.randn(2, COUNT, generator=torch.Generator().manual_seed(0))
    return found / (1 + harmonic_degrees(DEGREE)) + unit(0)


def turned(vectors):
    """x cross v."""
    return torch.linalg.cross(MESH.vertices.to(vectors).expand_as(vectors), vectors)


def test_gradient_of_the_height_is_the_axis_along_the_sphere(gradient):
    """Y_10 is sqrt(3 / 4 pi) z, and the gradient of z is e_z - z x."""
    x = MESH.vertices.float()
    expected = math.sqrt(3 / (4 * math.pi)) * (torch.tensor([0.0, 0, 1]) - x[:, 2:] * x)
    torch.testing.assert_close(gradient(unit(2)), expected, atol=1e-6, rtol=0)


def test_gradient_of_a_product(gradient):
    """Y_2-2 is sqrt(15 / 4 pi) x y, whose gradient in space is (y, x, 0)."""
    x, y, z = MESH.vertices.float().T
    slope = torch.stack([y - 2 * x * y * x, x - 2 * x * y * y, -2 * x * y * z], 1)
    torch.testing.assert_close(gradient(unit(4)), math.sqrt(15 / (4 * math.pi)) * slope, atol=1e-6, rtol=0)


def test_potentials_of_a_gradient_come_back_without_the_constant(gradient, coefficients):
    found = gradient.potentials(gradient(coefficients))
    assert found.shape == (2, 2, COUNT)
    assert not found[..., 0].any()
    torch.testing.assert_close(found[:, 0, 1:], coefficients[:, 1:], atol=3e-3, rtol=0)
    assert found[:, 1].abs().max() < 3e-3


def test_potentials_of_a_turned_gradient_are_the_other_ones(gradient, coefficients):
    """v = -x cross grad g."""
    found = gradient.potentials(-turned(gradient(coefficients)))
    torch.testing.assert_close(found[:, 1, 1:], coefficients[:, 1:], atol=3e-3, rtol=0)
    assert found[:, 0].abs().max() < 3e-3


def test_error_of_the_potentials_falls_with_the_size_of_the_triangles(coefficients):
    errors = []
    for level in (3, 4):
        layer = SurfaceGradient(icosphere(level), DEGREE)
        errors.append((layer.potentials(layer(coefficients))[:, 0, 1:] - coefficients[:, 1:]).abs().max())
    assert errors[0] / errors[1] > 3


def test_rotation_of_the_function_rotates_its_gradient(coefficients):
    """On a turned mesh, the turned function has the turned gradient: by (R f)(R x) = f(x)."""
    rotation = random_rotation(torch.Generator().manual_seed(1))
    layer = SurfaceGradient(Mesh(MESH.vertices @ rotation.T, MESH.faces), DEGREE)
    moved = coefficients.double() @ harmonic_rotation(rotation, DEGREE, even=False).T
    expected = SurfaceGradient(MESH, DEGREE)(coefficients.double()) @ rotation.T
    torch.testing.assert_close(layer(moved), expected, atol=1e-5, rtol=0)


def test_rotation_of_a_field_rotates_its_potentials(gradient, coefficients):
    rotation = random_rotation(torch.Generator().manual_seed(2))
    mixing = harmonic_rotation(rotation, DEGREE, even=False).float()
    field = gradient(coefficients[0]) - turned(gradient(coefficients[1]))
    there = SurfaceGradient(Mesh(MESH.vertices @ rotation.T, MESH.faces), DEGREE)
    found = there.potentials(field @ rotation.T.float())
    torch.testing.assert_close(found, gradient.potentials(field) @ mixing.T, atol=5e-3, rtol=0)


def test_radius_does_not_matter_and_leading_axes_are_kept(gradient, coefficients):
    large = SurfaceGradient(Mesh(100 * MESH.vertices, MESH.faces), DEGREE)
    batch = coefficients.expand(4, 3, 2, COUNT)
    assert gradient(batch).shape == (4, 3, 2, len(MESH.vertices), 3)
    assert gradient.potentials(gradient(batch)).shape == (4, 3, 2, 2, COUNT)
    torch.testing.assert_close(large(coefficients), gradient(coefficients), atol=1e-6, rtol=0)


def test_buffers_are_no_weights(gradient):
    assert not gradient.state_dict()
