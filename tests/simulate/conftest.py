import pytest
import torch

from monai_cortex.geometry.rotation import random_rotation


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def vector():
    return lambda *numbers: torch.tensor(numbers, dtype=torch.float64)


@pytest.fixture(scope="session")
def turn():
    """A rotation of the world, (3, 3)."""
    return random_rotation(torch.Generator().manual_seed(7))


@pytest.fixture(scope="session")
def random_points():
    """Points (count, 3) in a cube of half edge ``reach`` mm about the origin, the same for the same count."""

    def build(count, reach):
        chance = torch.rand(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
        return reach * (2 * chance - 1)

    return build
