from types import SimpleNamespace

import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.geometry.displacement import voxel_grid, warp
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


@pytest.fixture
def moving_pair():
    """A pair whose moving image is linear and whose displacement is affine, so that all is exact; 16 x 16 x 6, float64.

    `place` holds where each voxel lies in mm.
    """
    shape = (16, 16, 6)
    index = voxel_grid(shape, torch.zeros(1, dtype=torch.float64))
    matrix = torch.tensor([[1.05, 0.08, 0.1], [-0.12, 0.95, -0.06], [0.02, -0.03, 1.02]], dtype=torch.float64)
    shift = torch.tensor([0.7, -1.1, 0.3], dtype=torch.float64)
    slope = torch.tensor([[0.02, -0.05, 0.09]], dtype=torch.float64)
    forward = torch.tensordot(matrix, index, 1) + shift.view(3, 1, 1, 1)
    backward = torch.tensordot(matrix.inverse(), index - shift.view(3, 1, 1, 1), 1)
    affine = torch.tensor([[0, -1.5, 0, 30], [-1.4, 0, 0.3, 5], [0, 0.2, 5, -8], [0, 0, 0, 1]], dtype=torch.float64)
    labels = ((index - 7.0).norm(dim=0, keepdim=True) < 3).double()
    item = {
        "fixed_image": torch.tensordot(slope, forward, 1),
        "moving_image": torch.tensordot(slope, index, 1),
        "fixed_label": labels,
        "moving_label": labels.roll(2, 1),
        "valid": torch.ones(1, *shape, dtype=torch.float64),
        "true_displacement": forward - index,
        "true_inverse": backward - index,
        "place": torch.tensordot(affine[:3, :3], index, 1) + affine[:3, 3].view(3, 1, 1, 1),
    }
    return {"subject": "a", "direction": "ed2es"} | {
        key: MetaTensor(value, affine=affine.clone()) for key, value in item.items()
    }


@pytest.fixture
def motion_error():
    """Largest difference between the fixed image and the moving one warped by the truth, where that stays inside."""

    def measure(item, field="true_displacement", fixed="fixed_image", moving="moving_image"):
        ddf, target, source = (item[key].as_tensor().double()[None] for key in (field, fixed, moving))
        index = voxel_grid(ddf.shape[2:], ddf)
        last = torch.tensor(ddf.shape[2:]).view(3, 1, 1, 1) - 1
        inside = ((index + ddf[0] >= 0) & (index + ddf[0] <= last)).all(0)
        assert inside.float().mean() > 0.3
        return float((warp(source, ddf) - target)[0, 0][inside].abs().max())

    return measure


@pytest.fixture
def affine_error():
    """Largest difference, in mm, between where the affine puts voxels and the places that they hold."""

    def measure(places):
        affine = torch.as_tensor(places.affine).double()
        index = voxel_grid(places.shape[1:], torch.zeros(1, dtype=torch.float64))
        return float(
            (torch.tensordot(affine[:3, :3], index, 1) + affine[:3, 3].view(3, 1, 1, 1) - places.as_tensor())
            .abs()
            .max()
        )

    return measure


@pytest.fixture(scope="session")
def synthetic_hearts(tmp_path_factory):
    """Folder of one simulated pair, as scanned, with its labels and its true motion."""
    from monai_cortex.simulate.synthetic_heart import write_synthetic_heart

    folder = tmp_path_factory.mktemp("hearts")
    write_synthetic_heart(folder / "heart-0000", 0)
    return folder
