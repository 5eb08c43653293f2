import itertools

import pytest
import torch

from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index


@pytest.fixture(scope="session")
def cube_symmetries():
    """The 48 maps of a cubic grid onto itself, each a function of a tensor that ends in (I, J, K)."""

    def build(order, flips):
        def apply(x):
            lead = x.ndim - 3
            moved = x.permute(*range(lead), *(lead + a for a in order))
            return moved.flip([lead + a for a in flips])

        return apply

    subsets = [s for n in range(4) for s in itertools.combinations(range(3), n)]
    return [build(order, flips) for order in itertools.permutations(range(3)) for flips in subsets]


@pytest.fixture(scope="session")
def healpix_rotations():
    """The 8 signed permutation matrices of determinant 1 that map HEALPix onto itself: the z axis stays a line."""
    matrices = []
    for order in ([0, 1, 2], [1, 0, 2]):
        for signs in itertools.product([1.0, -1.0], repeat=3):
            matrix = torch.zeros(3, 3, dtype=torch.float64)
            matrix[range(3), order] = torch.tensor(signs, dtype=torch.float64)
            if torch.linalg.det(matrix) > 0:
                matrices.append(matrix)
    return matrices


@pytest.fixture(scope="session")
def vertex_permutation():
    """Index p with directions[p] = rotated directions; up to sign on a hemisphere."""

    def build(directions, matrix, antipodal):
        cosine = directions @ matrix.T @ directions.T
        best = (cosine.abs() if antipodal else cosine).max(1)
        if best.values.min() < 1 - 1e-10:
            raise AssertionError("the rotation does not map the vertices onto themselves")
        return best.indices

    return build


@pytest.fixture
def antipodal_pair():
    """The same random antipodal map on the full sphere and on the hemisphere, (B, C, V, I, J, K)."""

    def build(nside, channels, size, batch=2, dtype=torch.float32):
        directions = healpix_directions(nside)
        kept, antipode = hemisphere_index(directions), antipode_index(directions)
        generator = torch.Generator().manual_seed(nside)
        full = torch.randn(batch, channels, len(directions), *size, generator=generator, dtype=torch.float64)
        full[:, :, antipode[kept]] = full[:, :, kept]
        return full.to(dtype), full[:, :, kept].to(dtype), kept

    return build


@pytest.fixture(scope="session")
def relative():
    """A bound relative to the largest value, but absolute below one."""
    return lambda bound, y: bound * max(1.0, y.abs().max().item())
