"""Shares of voxels inside a surface: volumes, shifts, bad input."""

import numpy as np
import pytest
import torch

from monai_cortex.geometry.cell_coverage import cell_coverage
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.topology import signed_volume
from tests.geometry.test_signed_distance import CORNERS, CUBE, CUBE_FACES, centered

SPHERE = Mesh(icosphere(5).vertices * 6, icosphere(5).faces)


def test_cube_between_voxels_is_exact():
    """Columns at 1/8, 3/8, 5/8 and 7/8 of a voxel: quarters of voxels in i and j, anything in k."""
    box = Mesh(CORNERS * torch.tensor([1.5, 2.25, 1.7]) + torch.tensor([0.5, 0.75, 0.1]), CUBE_FACES)
    found = cell_coverage(box, (4, 5, 3), np.eye(4))
    i, j, k = [0, 1, 0.5, 0], [0, 0.75, 1, 0.5, 0], [0.4, 1, 0.3]
    expected = torch.tensor(i)[:, None, None] * torch.tensor(j)[:, None] * torch.tensor(k)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.1, 2.0), (-1.0, 1.0, 1.0)])
def test_cells_add_up_to_the_volume(spacing):
    shape = tuple(int(14 / abs(edge)) + 2 for edge in spacing)
    found = cell_coverage(SPHERE, shape, centered(spacing, shape))
    volume = found.double().sum() * abs(np.prod(spacing))
    assert volume == pytest.approx(signed_volume(SPHERE), rel=1e-3)
    assert found.min() == 0
    assert found.max() == pytest.approx(1, abs=1e-6)


def test_shift_by_a_voxel_shifts_the_shares():
    affine = centered((1.0, 1.0, 1.0), (18, 18, 18))
    moved = Mesh(SPHERE.vertices + torch.tensor([1.0, -2.0, 1.0]), SPHERE.faces)
    shifted = cell_coverage(SPHERE, (18, 18, 18), affine).roll((1, -2, 1), (0, 1, 2))
    torch.testing.assert_close(cell_coverage(moved, (18, 18, 18), affine), shifted, atol=1e-5, rtol=0)


def test_overlap_counts_once():
    twice = Mesh(torch.cat([CORNERS, CORNERS]), torch.cat([CUBE_FACES, CUBE_FACES + 8]))
    affine = centered((0.3, 0.3, 0.3), (6, 6, 6))
    assert torch.equal(cell_coverage(twice, (6, 6, 6), affine), cell_coverage(CUBE, (6, 6, 6), affine))


def test_no_column_is_refused():
    with pytest.raises(ValueError, match="columns must be at least 1"):
        cell_coverage(CUBE, (3, 3, 3), np.eye(4), 0)
