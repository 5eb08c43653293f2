from types import SimpleNamespace

import pytest
import torch

from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index
from monai_cortex.geometry.zonal import tensor_response

AXIAL, RADIAL, WATER = 1.7e-3, 0.2e-3, 3e-3  # mm^2/s


@pytest.fixture(scope="session")
def make_scan():
    """Gradient table with two volumes at b = 0 and the directions of a HEALPix hemisphere on each shell."""

    def build(*shells, nside=4):
        grid = healpix_directions(nside)
        grid = grid[hemisphere_index(grid)]
        shell = torch.tensor([0, 0] + [k + 1 for k in range(len(shells)) for _ in grid])
        directions = torch.cat([torch.zeros(2, 3, dtype=torch.float64), *[grid] * len(shells)])
        values = torch.tensor([0.0, *shells], dtype=torch.float64)
        return SimpleNamespace(bvalues=values[shell], directions=directions, shell=shell, shells=values)

    return build


@pytest.fixture(scope="session")
def tensor_signal():
    """Noiseless signal (N, P) of axially symmetric tensors along axes (P, 3), 1 at b = 0."""

    def simulate(scan, axes, axial=AXIAL, radial=RADIAL):
        cosine = scan.directions @ axes.T
        return torch.exp(-scan.bvalues[:, None] * (radial + (axial - radial) * cosine**2))

    return simulate


@pytest.fixture(scope="session")
def make_responses():
    """Zonal coefficients (T, S, n_l) of a fiber and of isotropic tissues of the given diffusivities."""

    def build(scan, degree=8, s0=1.0, isotropic=(WATER,)):
        tissues = [(AXIAL, RADIAL), *((d, d) for d in isotropic)]
        table = torch.stack(
            [torch.stack([tensor_response(b.item(), *t, degree, s0) for b in scan.shells]) for t in tissues]
        )
        table[:, 0, 1:] = 0  # where quadrature leaves 1e-17
        table[1:, :, 1:] = 0
        return table

    return build


@pytest.fixture(scope="session")
def random_axes():
    """Unit vectors (count, 3), the same for the same count."""

    def build(count):
        axes = torch.randn(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
        return torch.nn.functional.normalize(axes, dim=1)

    return build
