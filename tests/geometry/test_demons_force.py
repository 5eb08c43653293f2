"""Forces between images whose displacement is known: shifts of slopes and waves, and what must not matter."""

import math

import pytest
import torch

from monai_cortex.geometry.demons_force import demons_forces
from monai_cortex.geometry.displacement import voxel_grid

SHAPE = (12, 10, 9)
SCALES = (0.5, 1.0)


def grid(shape=SHAPE):
    return voxel_grid(shape, torch.zeros((), dtype=torch.float64))


def rough(seed, batch=1, shape=SHAPE):
    chance = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(batch, 1, *shape, generator=chance, dtype=torch.float64) - 1


def inner(field):
    """Where neither the smoothing of images, nor their slopes, nor the smoothing of forces see the border."""
    return field[..., 7:-7, 7:-7, 7:-7]


@pytest.mark.parametrize("shift", [0.05, -0.2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shift_along_a_slope_is_found_where_the_fixed_image_reads_the_moving_one(axis, shift):
    """Of a ramp g x with f(x) = m(x + u), f - m = g u: the force is u / (1 + u^2) but for the floor of 0.001."""
    shape = (16, 16, 16)
    slope = 0.5
    moving = (slope * grid(shape)[axis])[None, None]
    found = inner(demons_forces(moving + slope * shift, moving, SCALES)).unflatten(1, (2, 3))
    force = slope * slope * shift / (slope**2 * (1 + shift**2) + 1e-3)
    expected = torch.zeros(3, dtype=torch.float64)
    expected[axis] = force
    assert force == pytest.approx(shift, rel=0.05)
    torch.testing.assert_close(found, expected.view(3, 1, 1, 1).expand_as(found))


def test_small_shift_of_a_wave_is_found_on_its_slopes():
    """Half a period of 24 voxels along the second axis, moved by a tenth of a voxel."""
    shape, size = (9, 25, 9), 0.1
    place = grid(shape)[1]
    wave = [(2 * math.pi / 24 * (place + shift)).sin()[None, None] for shift in (size, 0.0)]
    found = demons_forces(*wave, (0.5,))[0, :, 4, :, 4]
    # At the zero crossing the slope is steepest, pi / 12 a voxel, and the floor takes little.
    assert found[1, 12].item() == pytest.approx(size, rel=0.06)
    assert found[[0, 2]].abs().max() < 1e-9


def test_equal_images_do_not_pull():
    image = rough(0)
    assert torch.equal(demons_forces(image, image), torch.zeros(1, 9, *SHAPE, dtype=torch.float64))


def test_flat_images_do_not_pull_however_they_differ():
    ones = torch.ones(1, 1, *SHAPE, dtype=torch.float64)
    assert demons_forces(ones, -ones).abs().max() < 1e-12


def test_exchanged_images_pull_the_other_way():
    fixed, moving = rough(1), rough(2)
    forward = demons_forces(fixed, moving)
    assert forward.abs().max() > 0.1
    torch.testing.assert_close(demons_forces(moving, fixed), -forward, rtol=0, atol=1e-12)


def test_forces_never_exceed_half_a_voxel():
    found = demons_forces(50 * rough(1), rough(2), (0.5,)).unflatten(1, (1, 3)).norm(dim=2)
    assert found.max() <= 0.5
    assert found.max() > 0.05


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_order_of_axes_does_not_matter(order):
    fixed, moving = rough(1), rough(2)
    turn = (0, 1, *(2 + axis for axis in order))
    turned = demons_forces(fixed.permute(turn), moving.permute(turn), SCALES).unflatten(1, (2, 3))
    expected = demons_forces(fixed, moving, SCALES).permute(turn).unflatten(1, (2, 3))[:, :, list(order)]
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirror_images_give_mirrored_forces(axis):
    fixed, moving = rough(1), rough(2)
    mirrored = demons_forces(fixed.flip(2 + axis), moving.flip(2 + axis), (1.0,))
    expected = demons_forces(fixed, moving, (1.0,)).flip(2 + axis)
    expected[:, axis] *= -1
    torch.testing.assert_close(mirrored, expected, rtol=0, atol=1e-12)


def test_smoothing_lets_a_wider_scale_see_further():
    """A bright voxel four voxels away is felt at the wide scale alone."""
    fixed, moving = (torch.zeros(1, 1, 15, 15, 15, dtype=torch.float64) for _ in range(2))
    fixed[0, 0, 7, 7, 7] = 100
    found = demons_forces(fixed, moving, (0.5, 2.0)).unflatten(1, (2, 3)).abs()[0, :, 0, 11, 7, 7]
    assert found[0] < 1e-5
    assert found[1] > 1e-2


def test_pairs_of_a_batch_and_scales_do_not_meet():
    fixed, moving = rough(1, 2), rough(2, 2)
    both = demons_forces(fixed, moving, SCALES)
    assert both.shape == (2, 6, *SHAPE)
    for index in range(2):
        alone = [demons_forces(fixed[[index]], moving[[index]], (scale,)) for scale in SCALES]
        torch.testing.assert_close(both[[index]], torch.cat(alone, 1))


def test_one_slice_has_no_force_through_it():
    found = demons_forces(rough(1, shape=(8, 8, 1)), rough(2, shape=(8, 8, 1)), (0.5,))
    assert torch.equal(found[:, 2], torch.zeros(1, 8, 8, 1, dtype=torch.float64))
    assert found[:, :2].abs().min(dim=1).values.max() > 0
