import pytest
import torch

from monai_cortex.data import write_morph, write_surface_geometry
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation


@pytest.fixture(scope="session")
def anatomy():
    """Two features of each side as functions of the place, with power where folds have it: (N, 3) to (2, N)."""

    def build(side="lh"):
        degrees = harmonic_degrees(12).double()
        power = (degrees > 1) / (1 + degrees / 6) ** 2
        generator = torch.Generator().manual_seed(4 if side == "lh" else 5)
        coefficients = power * torch.randn(2, len(degrees), generator=generator, dtype=torch.float64)
        return lambda points: coefficients @ real_harmonics(points, 12).T

    return build


@pytest.fixture(scope="session")
def write_cortex(anatomy):
    """Write a subject whose sphere is turned at random; returns the rotations from its directions to the anatomy's."""

    def write(folder, seed=None, sides=("lh", "rh"), level=4):
        mesh, turns = icosphere(level), {}
        for number, side in enumerate(sides):
            turn = torch.eye(3, dtype=torch.float64)
            if seed is not None:
                turn = random_rotation(torch.Generator().manual_seed(10 * seed + number))
            turns[side] = turn
            write_surface_geometry(folder / "surf" / f"{side}.sphere", 100 * mesh.vertices @ turn, mesh.faces)
            for name, values in zip(("sulc", "curv"), anatomy(side)(mesh.vertices), strict=True):
                write_morph(folder / "surf" / f"{side}.{name}", values)
        return turns

    return write
