import math

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.quadrature import product_quadrature
from monai_cortex.geometry.rotation import random_rotation


@pytest.mark.parametrize(
    ("i", "j", "k", "integral"),
    [(0, 0, 0, 1), (2, 0, 0, 1 / 3), (0, 0, 2, 1 / 3), (2, 2, 0, 1 / 15), (2, 2, 2, 1 / 105), (0, 4, 4, 9 / 945)],
)
def test_powers_have_the_integrals_known_on_paper(i, j, k, integral):
    """The mean of x^i y^j z^k, all even, over the sphere is (i-1)!! (j-1)!! (k-1)!! / (i+j+k+1)!!."""
    points, weights = product_quadrature(i + j + k)
    x, y, z = points.unbind(1)
    found = (weights * x**i * y**j * z**k).sum().item()
    assert found == pytest.approx(4 * math.pi * integral, rel=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 12])
def test_products_of_harmonics_are_orthonormal_up_to_the_degree_and_not_beyond(degree):
    points, weights = product_quadrature(2 * degree)
    basis = real_harmonics(points, degree + 1)
    gram = (basis * weights[:, None]).T @ basis
    inside = (degree + 1) ** 2
    torch.testing.assert_close(gram[:inside, :inside], torch.eye(inside).double(), atol=1e-12, rtol=0)
    assert (gram - torch.eye(len(gram)).double()).abs().max() > 1e-2


@pytest.mark.parametrize("degree", [1, 4, 7])
def test_integrals_are_those_of_turned_functions(degree):
    points, weights = product_quadrature(degree)
    axis = torch.tensor([0.48, 0.6, 0.64], dtype=torch.float64)
    turned = random_rotation(torch.Generator().manual_seed(degree)) @ axis
    assert (weights @ (points @ axis) ** degree).item() == pytest.approx(
        (weights @ (points @ turned) ** degree).item(), abs=1e-12
    )


def test_points_are_on_the_sphere_off_the_poles_and_weigh_its_area():
    for degree in range(8):
        points, weights = product_quadrature(degree)
        torch.testing.assert_close(points.norm(dim=1), torch.ones(len(points)).double(), atol=1e-15, rtol=0)
        assert points[:, 2].abs().max() < 1
        assert weights.min() > 0
        assert weights.sum().item() == pytest.approx(4 * math.pi, rel=1e-14)
        assert len(points) == (degree + 1) * (degree // 2 + 1)


def test_negative_degree_is_refused():
    with pytest.raises(ValueError, match="degree must be 0 or more, got -1"):
        product_quadrature(-1)
