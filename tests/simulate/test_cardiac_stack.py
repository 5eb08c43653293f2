"""Stacks of slices: where voxels are, and fields between stacks against the motion itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_cortex.geometry.displacement import compose
from monai_cortex.simulate.cardiac_stack import draw_stack
from monai_cortex.simulate.heart_variation import draw_heart


@pytest.fixture(scope="module")
def draw():
    return draw_heart(torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def stack(draw):
    return draw_stack(draw.heart.shape, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def small(stack):
    """Few voxels over the same heart."""
    return replace(stack, shape=(30, 28, stack.shape[2]), spacing=(5.0, 5.0, stack.spacing[2]))


@pytest.mark.parametrize("seed", range(8))
def test_stacks_are_as_in_studies(draw, seed):
    found = draw_stack(draw.heart.shape, torch.Generator().manual_seed(seed))
    assert all(128 <= size <= 180 for size in found.shape[:2])
    assert 7 <= found.shape[2] <= 10
    assert 1.2 <= found.spacing[0] <= 1.8
    assert 8 <= found.spacing[2] <= 10
    assert found.thickness <= found.spacing[2]
    assert found.diastole.norm(dim=1).max() <= 3
    axes = found.affine[:3, :3] / torch.tensor(found.spacing)
    torch.testing.assert_close(axes.T @ axes, torch.eye(3, dtype=torch.float64))
    # Base to apex is left, anterior and down; rows run down the body.
    base_to_apex = axes[:, 2] * (-1 if found.from_apex else 1)
    assert base_to_apex @ torch.tensor([-0.7, 0.55, -0.45], dtype=torch.float64) > 0.7
    assert axes[2, 1] < -0.5


def test_heart_and_stack_are_a_rigid_motion_apart(stack, random_points):
    points = random_points(100, 50.0)
    there = stack.into_heart(points)
    torch.testing.assert_close(stack.from_heart(there), points)
    torch.testing.assert_close(torch.cdist(there, there), torch.cdist(points, points), atol=1e-5, rtol=0)


@pytest.mark.parametrize("from_apex", [False, True])
def test_slices_have_their_own_shift(stack, from_apex):
    turned = replace(stack, from_apex=from_apex)
    points = turned.points()
    moved = turned.shifted(points.reshape(-1, 3), turned.systole).reshape(points.shape) - points
    for k in range(stack.shape[2]):
        torch.testing.assert_close(moved[0, 0, k, :2], stack.systole[k])
    held = turned.held(points.reshape(-1, 3), True).reshape(points.shape)
    torch.testing.assert_close(points - held, moved)


def test_field_is_motion_between_shifts(small, draw):
    """Without shifts and in the heart's own axes the field is the motion; shifts of one slice add to it."""
    plain = replace(
        small, tilt=torch.eye(3, dtype=torch.float64), systole=0 * small.systole, diastole=0 * small.diastole
    )
    points = plain.points().reshape(-1, 3)
    heart = plain.into_heart(points)
    vectors = (draw.heart.to_diastole(heart) - heart).T.reshape(3, *plain.shape)
    sign = 1 if plain.from_apex else -1
    steps = torch.tensor([5.0, 5.0, sign * plain.spacing[2]], dtype=torch.float64)
    torch.testing.assert_close(plain.displacement(draw.heart), vectors / steps[:, None, None, None])
    same = torch.tensor([[2.0, -1.0]], dtype=torch.float64).expand(small.shape[2], 2)
    shifted = replace(plain, diastole=same).displacement(draw.heart) - plain.displacement(draw.heart)
    expected = torch.tensor([0.4, -0.2, 0], dtype=torch.float64)[:, None, None, None].expand_as(shifted)
    torch.testing.assert_close(shifted, expected)


def test_inverse_field_leads_back(small, draw):
    """Exactly, by the functions themselves: from the places that the inverse field names, the motion leads home."""
    inverse = small.inverse_displacement(draw.heart)
    index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in small.shape), indexing="ij")).double()
    order = 1 if small.from_apex else -1
    steps = torch.tensor([small.spacing[0], small.spacing[1], order * small.spacing[2]], dtype=torch.float64)
    half = (torch.tensor(small.shape, dtype=torch.float64) - 1) / 2
    systole = ((index + inverse).reshape(3, -1).T - half) * steps
    tissue = draw.heart.to_diastole(small.into_heart(small.shifted(systole, -small.systole)))
    home = small.shifted(small.from_heart(tissue), small.diastole)
    target = small.points().reshape(-1, 3)
    kept = (systole[:, 2].abs() < half[2] * small.spacing[2]) & (target[:, 2].abs() < half[2] * small.spacing[2])
    assert kept.float().mean() > 0.5
    assert (home - target)[kept].norm(dim=1).max() < 1e-3


def test_composition_is_the_identity_on_a_fine_grid(draw, stack):
    calm = replace(
        stack,
        shape=(60, 60, 40),
        spacing=(3.0, 3.0, 3.0),
        diastole=torch.zeros(40, 2, dtype=torch.float64),
        systole=torch.zeros(40, 2, dtype=torch.float64),
    )
    both = compose(calm.displacement(draw.heart)[None], calm.inverse_displacement(draw.heart)[None])
    assert both[..., 10:-10, 10:-10, 8:-8].norm(dim=1).median() < 0.02


def test_seed_decides(draw):
    first, again, other = (draw_stack(draw.heart.shape, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.affine, again.affine)
    assert not torch.equal(first.affine, other.affine)
