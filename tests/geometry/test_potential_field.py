"""Fields of potentials, against derivatives on the sphere and under rotations."""

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.potential_field import potential_matrix
from monai_cortex.geometry.quadrature import product_quadrature
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation

DEGREE = 5


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def points(seed=9, count=40):
    return torch.nn.functional.normalize(normal(seed, count, 3), dim=1)


def field(potentials):
    """Coefficients (3, (L + 2)^2) of the field of f and g, (2, (L + 1)^2)."""
    degree = round(potentials.shape[1] ** 0.5) - 1
    return torch.einsum("pn,pncm->cm", potentials, potential_matrix(degree))


def at(coefficients, x):
    return real_harmonics(x, round(coefficients.shape[1] ** 0.5) - 1) @ coefficients.T


def surface_gradient(coefficients, x):
    """Gradient in space of the function continued along the radius."""
    x = x.clone().requires_grad_()
    values = at(coefficients[None], torch.nn.functional.normalize(x, dim=1))
    return torch.autograd.grad(values.sum(), x)[0]


def test_first_potential_gives_the_curl_of_autograd():
    f, x = normal(0, (DEGREE + 1) ** 2), points()
    found = at(field(torch.stack([f, torch.zeros_like(f)])), x)
    torch.testing.assert_close(found, torch.linalg.cross(x, surface_gradient(f, x)), atol=1e-11, rtol=0)


def test_second_potential_gives_the_gradient_of_autograd():
    g, x = normal(1, (DEGREE + 1) ** 2), points()
    found = at(field(torch.stack([torch.zeros_like(g), g])), x)
    torch.testing.assert_close(found, surface_gradient(g, x), atol=1e-11, rtol=0)


def test_velocity_is_a_gradient_and_a_turned_gradient():
    f, g = normal(2, 2, (DEGREE + 1) ** 2)
    x = points()
    velocity = torch.linalg.cross(at(field(torch.stack([f, g])), x), x)
    expected = surface_gradient(f, x) - torch.linalg.cross(x, surface_gradient(g, x))
    torch.testing.assert_close(velocity, expected, atol=1e-11, rtol=0)


def test_degree_one_of_the_second_potential_turns_the_whole_sphere():
    """g(x) = w . x moves points with the velocity w x x."""
    axis, x = normal(3, 3), points()
    nodes, weights = product_quadrature(2)
    g = (real_harmonics(nodes, 1) * weights[:, None]).T @ (nodes @ axis)
    velocity = torch.linalg.cross(at(field(torch.stack([torch.zeros(4).double(), g])), x), x)
    torch.testing.assert_close(velocity, torch.linalg.cross(axis.expand_as(x), x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_field_of_turned_potentials_is_the_turned_vector_field(seed):
    """(R w)(x) = R w(R^-1 x), in coefficients."""
    rotation = random_rotation(torch.Generator().manual_seed(seed))
    potentials = normal(seed, 2, (DEGREE + 1) ** 2)
    there = field(potentials @ harmonic_rotation(rotation, DEGREE, even=False).T)
    carried = rotation @ field(potentials) @ harmonic_rotation(rotation, DEGREE + 1, even=False).T
    torch.testing.assert_close(there, carried, atol=1e-10, rtol=0)
    assert (field(potentials) - there).abs().max() > 0.1


def test_mirrored_potentials_turn_the_other_way():
    """A mirror changes the sign of the axis of a rotation: the curl of f flips with it, the gradient of g does not."""
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    potentials, x = normal(4, 2, (DEGREE + 1) ** 2), points()
    signs = harmonic_rotation(mirror, DEGREE, even=False).T
    for row, parity in ((0, -1), (1, 1)):
        single = torch.zeros_like(potentials)
        single[row] = potentials[row]
        torch.testing.assert_close(
            at(field(single @ signs), x), parity * at(field(single), x @ mirror) @ mirror, atol=1e-11, rtol=0
        )


def test_constants_have_no_field():
    assert potential_matrix(DEGREE)[:, 0].abs().max() < 1e-14
    assert potential_matrix(0).shape == (2, 1, 3, 4)
    assert not potential_matrix(0).abs().gt(1e-14).any()


def test_curls_keep_the_degree_and_gradients_go_one_up_and_down():
    matrix = potential_matrix(DEGREE)
    before, after = harmonic_degrees(DEGREE)[:, None, None], harmonic_degrees(DEGREE + 1)
    distance = (before - after).abs().expand_as(matrix[0])
    assert matrix[0][distance != 0].abs().max() < 1e-13
    assert matrix[1][distance != 1].abs().max() < 1e-13
    assert matrix.abs().amax((2, 3))[:, 1:].min() > 0.3


def test_fields_have_the_power_of_the_eigenvalue():
    """The square of a gradient integrates to l(l + 1) times that of the function."""
    degrees = harmonic_degrees(DEGREE).double()
    power = potential_matrix(DEGREE).square().sum((2, 3))
    torch.testing.assert_close(power, (degrees * (degrees + 1)).expand(2, -1), atol=1e-11, rtol=1e-12)


def test_negative_degree_is_refused():
    with pytest.raises(ValueError, match="degree"):
        potential_matrix(-1)
