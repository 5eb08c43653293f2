"""Maps known as functions: their derivative and their inverse."""

import math

import pytest
import torch

from monai_cortex.geometry.point_map import invert_map, map_jacobian

MATRIX = torch.tensor([[1.2, 0.3, 0.0], [-0.1, 0.8, 0.2], [0.0, 0.1, 1.1]], dtype=torch.float64)


@pytest.fixture
def points():
    return 40 * torch.rand(500, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 20


def affine(points):
    return points @ MATRIX.T + torch.tensor([3.0, -2, 1], dtype=torch.float64)


def kinked(points):
    """Monotone along each axis with a corner, steep on one side: slopes 0.5 and 3."""
    return torch.where(points > 1, 3 * points - 2, 0.5 * points + 0.5)


def test_jacobian_of_an_affine_map_is_its_matrix(points):
    torch.testing.assert_close(map_jacobian(affine, points), MATRIX.expand(500, 3, 3), atol=1e-9, rtol=0)


def test_affine_inverse_is_exact(points):
    torch.testing.assert_close(invert_map(affine, affine(points)), points, atol=1e-6, rtol=0)


def test_corners_do_not_stop_the_search(points):
    torch.testing.assert_close(invert_map(kinked, kinked(points)), points, atol=1e-5, rtol=0)


def test_moving_the_map_moves_the_inverse(points):
    """f(x) + c = y exactly where f(x) = y - c."""
    shift = torch.tensor([0.4, 1.0, -2], dtype=torch.float64)
    moved = invert_map(lambda x: kinked(x) + shift, points)
    torch.testing.assert_close(moved, invert_map(kinked, points - shift), atol=1e-5, rtol=0)


def test_targets_out_of_reach_are_told(points):
    with pytest.raises(ArithmeticError, match="points were not found"):
        invert_map(torch.atan, points + 3 * math.pi)
