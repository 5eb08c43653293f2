"""Refinement of pairs whose displacement is known: none, shifts, and what must not matter."""

import math

import pytest
import torch

from monai_cortex.geometry.displacement import jacobian_determinant, voxel_grid, warp
from monai_cortex.inferers import RefinementLevel, RefinementOptions, refine
from monai_cortex.inferers.displacement_refinement import _spread

SHAPE = (20, 20, 14)
LEVELS = (RefinementLevel((2, 2, 1), 5, 35), RefinementLevel((1, 1, 1), 7, 15))
WHOLE, COARSE, FINE, NONE = (RefinementOptions(levels) for levels in (LEVELS, LEVELS[:1], LEVELS[1:], ()))
INNER = (..., slice(6, -6), slice(6, -6), slice(4, -4))


def texture(shift=(0.0, 0.0, 0.0), shape=SHAPE, dtype=torch.float32):
    """Waves that go on beyond the grid, seen from a shifted place; in [-1, 1]."""
    chance = torch.Generator().manual_seed(3)
    places = voxel_grid(shape, torch.zeros(())) + torch.tensor(shift).view(3, 1, 1, 1)
    waves = torch.zeros(shape)
    for _ in range(12):
        way = torch.randn(3, generator=chance)
        phase = torch.rand(1, generator=chance) * 2 * math.pi
        waves += (torch.einsum("c,cijk->ijk", 0.8 * way / way.norm(), places) + phase).cos()
    return (waves / 6).clamp(-1, 1)[None, None].to(dtype)


def along(axis, size):
    return tuple(size if number == axis else 0.0 for number in range(3))


@pytest.mark.parametrize("mode", ["svf", "disp"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shift_is_found_along_its_axis_with_its_sign(axis, mode):
    """The fixed image at x shows what the moving one shows two voxels on."""
    field = refine(None, texture(along(axis, 2.0)), texture(), mode, WHOLE)
    error = field[INNER] - torch.tensor(along(axis, 2.0)).view(3, 1, 1, 1)
    assert error.abs().max() < 0.5
    assert error.abs().mean((0, 2, 3, 4)).max() < 0.1


def test_equal_images_stay():
    assert refine(None, texture(), texture(), options=WHOLE).abs().max() < 0.05


def test_true_start_stays_and_no_levels_change_nothing():
    truth = torch.tensor([1.0, -1.0, 0.5]).view(1, 3, 1, 1, 1).expand(1, 3, *SHAPE)
    images = texture((1.0, -1.0, 0.5)), texture()
    for mode in ("svf", "disp"):
        found = refine(truth, *images, mode, FINE)
        assert (found - truth)[INNER].abs().max() < 0.1
        torch.testing.assert_close(refine(truth, *images, mode, NONE), truth)


@pytest.mark.parametrize("mode", ["svf", "disp"])
def test_shift_is_the_same_at_both_ends_of_sizes_that_cells_do_not_divide(mode):
    """The last cells of five voxels lie half beyond the images; the field is none the less where it belongs."""
    shape, shift = (27, 22, 9), (1.5, -1.0, 0.0)
    level = RefinementLevel((5, 3, 1), 3, 40), RefinementLevel((2, 2, 1), 5, 40)
    field = refine(None, texture(shift, shape), texture(shape=shape), mode, RefinementOptions(level))
    assert field.shape == (1, 3, *shape)
    error = (field - torch.tensor(shift).view(3, 1, 1, 1))[..., 4:-4, 4:-4, 3:-3].mean((0, 3, 4))
    assert error.abs().max() < 0.2


def test_local_motion_stays_in_its_place_on_odd_sizes():
    """The far end alone moves."""
    shape = (23, 20, 8)
    hill = 2 * torch.exp(-((torch.arange(23.0) - 17) ** 2) / 18).view(-1, 1, 1).expand(shape)
    truth = torch.stack([torch.zeros(shape), hill, torch.zeros(shape)])[None]
    moving = texture(shape=shape)
    options = RefinementOptions([RefinementLevel((4, 4, 1), 3, 40), RefinementLevel((2, 2, 1), 5, 40)], smooth=0.5)
    field = refine(None, warp(moving, truth), moving, options=options)
    rows = field[0, 1, :, 5:-5, 2:-2].mean((1, 2))
    center = (rows * torch.arange(23.0)).sum() / rows.sum()
    assert rows.max() > 1
    assert abs(center - 17) < 0.7


@pytest.mark.parametrize("ratio", [(4.0, 2.0, 1.0), (1.5, 4 / 3, 0.5), (2.5, 0.4, 1.0)])
def test_ramps_are_spread_from_the_first_cell_on(ratio):
    """At the center of a cell, wherever the grids end, lies the value of that place; beyond the last ones no slope."""
    cells, shape = (5, 9, 8), tuple(int(n * r) - 1 for n, r in zip((5, 9, 8), ratio, strict=True))
    lines = [(torch.arange(n) + 0.5) * r for n, r in zip(cells, ratio, strict=True)]
    ramp = torch.stack(torch.meshgrid(*lines, indexing="ij"))[None]
    found = _spread(ramp, ratio, shape)
    expected = [(torch.arange(n) + 0.5).clamp(line[0], line[-1]) for n, line in zip(shape, lines, strict=True)]
    torch.testing.assert_close(found, torch.stack(torch.meshgrid(*expected, indexing="ij"))[None])
    torch.testing.assert_close(_spread(ramp, (1.0, 1.0, 1.0), cells), ramp)


@pytest.mark.parametrize("mode", ["svf", "disp"])
def test_in_plane_axes_are_alike(mode):
    fixed, moving = texture((1.0, 0.5, 0.0), dtype=torch.float64), texture(dtype=torch.float64)
    field = refine(None, fixed, moving, mode, WHOLE, spacing=(1.5, 1.5, 3.0))
    swapped = refine(None, fixed.transpose(2, 3), moving.transpose(2, 3), mode, WHOLE, spacing=(1.5, 1.5, 3.0))
    torch.testing.assert_close(swapped.transpose(2, 3)[:, [1, 0, 2]], field, atol=1e-6, rtol=0)


def test_mirrored_images_give_the_mirrored_field():
    """But for the first step: at voxels the slope of linear interpolation is that of one side."""
    fixed, moving = texture((1.0, 0.5, 0.0), dtype=torch.float64), texture(dtype=torch.float64)
    field = refine(None, fixed, moving, options=WHOLE)
    mirrored = refine(None, fixed.flip(4), moving.flip(4), options=WHOLE).flip(4)
    torch.testing.assert_close(mirrored * torch.tensor([1, 1, -1]).view(3, 1, 1, 1), field, atol=0.1, rtol=0)


def test_pairs_of_a_batch_do_not_meet():
    fixed = torch.cat([texture((1.0, 0.0, 0.0)), texture((0.0, -1.0, 0.5))]).double()
    moving, mask = texture().double().expand_as(fixed), torch.ones_like(fixed)
    mask[1, ..., :4] = 0
    both = refine(None, fixed, moving, options=COARSE, mask=mask)
    single = [refine(None, fixed[[b]], moving[[b]], options=COARSE, mask=mask[[b]]) for b in range(2)]
    torch.testing.assert_close(both, torch.cat(single), atol=1e-6, rtol=0)


def test_what_is_not_image_does_not_matter():
    """Also where cells that are averaged lie across the border of the mask."""
    fixed, moving = texture((0.5, 0.0, 0.0)), texture()
    mask = torch.ones_like(fixed)
    mask[:, :, 15:] = 0
    other = torch.where(mask > 0, fixed, torch.rand(fixed.shape, generator=torch.Generator().manual_seed(1)))
    fields = [refine(None, image, moving, options=WHOLE, mask=mask) for image in (fixed, other)]
    torch.testing.assert_close(*fields)


def test_unlike_images_do_not_fold_along_a_velocity():
    noise = [torch.rand(1, 1, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in range(2)]
    folds = {}
    for mode in ("svf", "disp"):
        field = refine(None, *noise, mode, RefinementOptions(LEVELS, smooth=0.05))
        folds[mode] = (jacobian_determinant(field) <= 0).float().mean()
    assert folds["svf"] < 0.005
    assert folds["disp"] > 4 * folds["svf"]


def test_equal_input_gives_equal_bits_and_no_gradient():
    fields = [refine(None, texture((1.0, 0.0, 0.0)), texture(), options=COARSE) for _ in range(2)]
    assert torch.equal(*fields)
    assert not fields[0].requires_grad


def test_unknown_mode_and_unlike_shapes_are_refused():
    with pytest.raises(ValueError, match="svf, disp, got 'ddf'"):
        refine(None, texture(), texture(), "ddf")
    with pytest.raises(ValueError, match=r"shapes differ, \(1, 1, 20, 20, 14\) and \(1, 1, 8, 8, 8\)"):
        refine(None, texture(), texture(shape=(8, 8, 8)))
