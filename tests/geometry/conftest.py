import pytest
import torch
from numpy.polynomial.legendre import leggauss
from scipy.spatial.transform import Rotation


@pytest.fixture(scope="session")
def rotation_matrix():
    """Random proper rotation, (3, 3) float64, one per seed."""
    return lambda seed: torch.from_numpy(Rotation.random(rng=seed).as_matrix())


@pytest.fixture(scope="session")
def gauss_sphere():
    """Quadrature exact to polynomials of degree 2 * degree: unit vectors (N, 3) and weights (N,) that sum to 4 pi."""

    def build(degree):
        nodes, weights = (torch.from_numpy(a) for a in leggauss(degree + 1))
        count = 2 * degree + 1
        azimuth = torch.arange(count, dtype=torch.float64) * 2 * torch.pi / count
        radius = (1 - nodes**2).sqrt()[:, None]
        x, y = radius * azimuth.cos(), radius * azimuth.sin()
        points = torch.stack([x, y, nodes[:, None].expand_as(x)], -1).reshape(-1, 3)
        return points, (weights[:, None] * 2 * torch.pi / count).expand(-1, count).reshape(-1)

    return build
