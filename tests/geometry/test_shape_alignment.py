"""Poses and sizes taken out of shapes."""

import pytest
import torch

from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.shape_alignment import align_shape, align_shapes


@pytest.fixture
def shapes():
    generator = torch.Generator().manual_seed(3)
    base = 40 * torch.randn(60, 3, generator=generator, dtype=torch.float64)
    return base + 3 * torch.randn(5, 60, 3, generator=generator, dtype=torch.float64) + 7


@pytest.fixture
def moved(shapes):
    """The same shapes, each turned by up to 0.3 radian and shifted."""
    generator = torch.Generator().manual_seed(4)
    turns = torch.stack([random_rotation(generator, 0.3) for _ in shapes])
    return shapes @ turns + 20 * torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [False, True])
def test_pose_and_size_of_one_shape_are_recovered(shapes, moved, scale):
    found = align_shape(moved[0] * (1.3 if scale else 1), shapes[0], scale=scale)
    torch.testing.assert_close(found, shapes[0], rtol=0, atol=1e-10)


def test_size_stays_unless_it_is_asked_for(shapes):
    grown = align_shape(1.5 * shapes[0], shapes[0])
    torch.testing.assert_close(torch.pdist(grown), 1.5 * torch.pdist(shapes[0]))


def test_mirrored_shapes_stay_mirrored(shapes):
    mirror = shapes[0] * torch.tensor([-1.0, 1, 1])
    found = align_shape(mirror, shapes[0]) - shapes[0].mean(0)
    before = mirror - mirror.mean(0)
    ratio = torch.linalg.det(found[:3]) / torch.linalg.det(before[:3])
    torch.testing.assert_close(ratio, torch.ones_like(ratio))


@pytest.mark.parametrize("scale", [False, True])
def test_poses_do_not_matter_to_the_shapes_but_place_the_whole(shapes, moved, scale):
    one, other = (align_shapes(group, scale=scale) for group in (shapes, moved))
    torch.testing.assert_close(torch.pdist(one.mean(0)), torch.pdist(other.mean(0)))
    torch.testing.assert_close(align_shape(other[2], one[2]), one[2], rtol=0, atol=1e-8)
    torch.testing.assert_close(other.mean((0, 1)), moved.mean((0, 1)))


@pytest.mark.parametrize("scale", [False, True])
def test_each_shape_is_where_the_mean_puts_it(moved, scale):
    found = align_shapes(moved, scale=scale)
    torch.testing.assert_close(align_shape(moved, found.mean(0), scale=scale), found, rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", [False, True])
def test_order_does_not_matter(moved, scale):
    torch.testing.assert_close(
        align_shapes(moved.flip(0), scale=scale).flip(0), align_shapes(moved, scale=scale), rtol=0, atol=1e-8
    )


def test_pose_of_all_is_kept(moved):
    turn = random_rotation(torch.Generator().manual_seed(9))
    torch.testing.assert_close(align_shapes(moved @ turn), align_shapes(moved) @ turn, rtol=0, atol=1e-8)


def test_aligned_shapes_have_the_mean_size(moved):
    centered = moved - moved.mean(1, keepdim=True)
    mean = align_shapes(moved, scale=True).mean(0)
    size = (mean - mean.mean(0)).square().sum(1).mean().sqrt()
    torch.testing.assert_close(size, centered.square().sum(2).mean(1).sqrt().mean())


def test_lengths_follow_the_size_only(shapes):
    thick = torch.cat([2 * shapes[0] + 5, torch.full((60, 1), 3.0)], 1)
    reference = torch.cat([shapes[0], torch.full((60, 1), 9.0)], 1)
    assert torch.allclose(align_shape(thick, reference)[:, 3], torch.tensor(3.0).double())
    assert torch.allclose(align_shape(thick, reference, scale=True)[:, 3], torch.tensor(1.5).double())
