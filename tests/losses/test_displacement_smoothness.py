"""Roughness: exact on affine fields, alike in all axes and units."""

import pytest
import torch
from monai.losses import DiffusionLoss

from monai_cortex.losses.displacement_smoothness import displacement_smoothness


def affine(matrix, shape=(8, 7, 6)):
    lines = [torch.arange(size, dtype=torch.float64) for size in shape]
    return torch.einsum("cd,dijk->cijk", matrix, torch.stack(torch.meshgrid(*lines, indexing="ij")))[None]


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_affine_field_has_the_mean_square_of_its_matrix():
    matrix = normal(0, 3, 3)
    torch.testing.assert_close(displacement_smoothness(affine(matrix)), matrix.square().mean())
    torch.testing.assert_close(displacement_smoothness(affine(matrix) + 5), matrix.square().mean())


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
def test_monai_counts_a_ramp_three_times():
    """One channel that rises by a tenth of a voxel: .001111 here, .003333 there."""
    ramp = affine(torch.tensor([[0.1, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=torch.float64))
    found = displacement_smoothness(ramp)
    torch.testing.assert_close(found.item(), 0.01 / 9)
    torch.testing.assert_close(DiffusionLoss()(ramp), 3 * found)


@pytest.mark.parametrize("order", [(1, 2, 0), (0, 2, 1)])
def test_axes_are_alike(order):
    field, spacing = normal(1, 2, 3, 5, 6, 7), [1.5, 2.0, 8.0]
    turned = field.permute(0, 1, *(2 + axis for axis in order))[:, list(order)]
    found = displacement_smoothness(turned, [spacing[axis] for axis in order])
    torch.testing.assert_close(found, displacement_smoothness(field, spacing))


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 8.0), (3.0, 0.5, 1.0)])
def test_strain_does_not_depend_on_the_grid(spacing):
    """Of one displacement in mm any grid tells the same."""
    strain, edges = normal(2, 3, 3), torch.tensor(spacing, dtype=torch.float64)
    voxels = affine(strain * edges / edges[:, None])
    torch.testing.assert_close(displacement_smoothness(voxels, spacing), strain.square().mean())
    rescaled = [10 * edge for edge in spacing]
    torch.testing.assert_close(displacement_smoothness(voxels, rescaled), strain.square().mean())


def test_single_slice_has_no_slope_across():
    field = normal(3, 1, 3, 5, 6, 1).requires_grad_()
    found = displacement_smoothness(field)
    slopes = [field.diff(dim=axis).square().mean() for axis in (2, 3)]
    torch.testing.assert_close(found, sum(slopes) / 3)
    found.backward()
    assert field.grad.isfinite().all()
