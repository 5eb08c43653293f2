"""Grids along the axes of another: where their voxels lie, and what comes onto them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.aligned_grid import aligned_grid, inside_source, resample_aligned

SIZES = st.tuples(*[st.integers(2, 20)] * 3)
SPACINGS = st.tuples(*[st.floats(0.5, 8.0)] * 3)
ORDERS = st.permutations(range(3))
SIGNS = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)


def make_affine(edges, order, signs):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[list(order)] * signs) @ np.diag(edges)
    # A small turn: oblique slices.
    angle = 0.2
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = 12.0, -40.0, 7.0
    return affine


def world(shape, affine):
    """Where the voxels lie, mm (3, I, J, K)."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    return np.tensordot(affine[:3, :3], index, 1) + affine[:3, 3, None, None, None]


@settings(max_examples=40, deadline=None)
@given(SIZES, SPACINGS, ORDERS, SIGNS, SPACINGS)
def test_linear_image_stays_exact(shape, edges, order, signs, spacing):
    affine = make_affine(edges, order, signs)

    def linear(places):
        return torch.from_numpy(0.3 * places[0] - 0.7 * places[1] + 1.1 * places[2] + 5)[None]

    grid = aligned_grid(shape, affine, spacing)
    found = resample_aligned(linear(world(shape, affine)), grid)
    index = np.linalg.inv(affine) @ np.c_[world(grid.shape, grid.affine).reshape(3, -1).T, np.ones(found.numel())].T
    # Beyond the outermost voxels, but within their edges, the image is constant.
    held = np.clip(index[:3].T, 0, np.array(shape) - 1).T
    expected = linear((affine[:3, :3] @ held + affine[:3, 3:]).reshape(3, *grid.shape))
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


@settings(max_examples=40, deadline=None)
@given(SIZES, SPACINGS, ORDERS, SIGNS, SPACINGS)
def test_grid_has_its_spacing_and_its_middle(shape, edges, order, signs, spacing):
    affine = make_affine(edges, order, signs)
    grid = aligned_grid(shape, affine, spacing)
    steps = np.where(np.abs(np.subtract(spacing, edges)) < 1e-3, edges, spacing)
    np.testing.assert_allclose(np.linalg.norm(grid.affine[:3, :3], axis=0), steps)
    middles = [a @ [*((np.array(s) - 1) / 2), 1] for a, s in ((affine, shape), (grid.affine, grid.shape))]
    np.testing.assert_allclose(*middles, atol=1e-9)
    # Whole, and by less than a voxel larger.
    excess = np.array(grid.shape) - np.array(shape) * np.array(edges) / steps
    assert (excess > -2e-3).all()
    assert (excess < 1).all()
    assert inside_source(grid).all()


@settings(max_examples=40, deadline=None)
@given(SIZES, st.tuples(*[st.integers(1, 24)] * 2), st.integers(1, 24), st.integers(1, 8))
def test_cut_and_padded(shape, plane, depth, multiple):
    affine = make_affine((1.5, 1.5, 8), (0, 1, 2), (-1.0, -1, 1))
    grid = aligned_grid(shape, affine, None, (*plane, depth), (1, 1, multiple))
    assert grid.shape[:2] == plane
    assert grid.shape[2] == math.ceil(min(shape[2], depth) / multiple) * multiple
    image = torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))
    found = resample_aligned(image, grid, outside=-7.0)
    # Each voxel is copied from where it lies, and padding is padding.
    index = np.linalg.inv(affine) @ np.r_[world(grid.shape, grid.affine).reshape(3, -1), np.ones((1, found[0].numel()))]
    index = np.round(index[:3]).astype(int)
    inside = ((index >= 0) & (index < np.array(shape)[:, None])).all(0)
    values = image[:, index[0] * inside, index[1] * inside, index[2] * inside]
    expected = torch.where(torch.from_numpy(inside), values, torch.tensor(-7.0)).reshape(found.shape)
    assert torch.equal(found, expected)
    assert torch.equal(inside_source(grid)[0].flatten(), torch.from_numpy(inside))
    assert (resample_aligned(image, grid, "nearest", -7.0) == found).all()


def test_sizes_that_agree_are_not_resampled():
    image = torch.rand(1, 5, 6, 7)
    grid = aligned_grid((5, 6, 7), np.diag([-1.5, -1.5, 3.1500001, 1]), (1.5005, 1.5, 3.15))
    assert torch.equal(resample_aligned(image, grid), image)
    np.testing.assert_array_equal(grid.affine, np.diag([-1.5, -1.5, 3.1500001, 1]))


def test_example_of_the_source():
    # 8 slices of 10 mm become 26 of 3.15 mm.
    assert aligned_grid((160, 160, 8), np.diag([1.2, 1.2, 10, 1]), (1.5, 1.5, 3.15)).shape == (128, 128, 26)


def test_labels_keep_their_numbers_and_volumes():
    index = (
        np.stack(np.meshgrid(*map(np.arange, (40, 36, 12)), indexing="ij")) - np.array([20, 18, 6])[:, None, None, None]
    )
    radius = np.linalg.norm(index * np.array([1.2, 1.3, 5])[:, None, None, None], axis=0)
    labels = torch.from_numpy(np.where(radius < 12, 3, np.where(radius < 18, 2, 0)))[None]
    grid = aligned_grid((40, 36, 12), np.diag([1.2, 1.3, 5, 1]), (1.5, 1.5, 3.15))
    found = resample_aligned(labels, grid, "nearest")
    assert found.dtype == labels.dtype
    assert set(found.unique().tolist()) == {0, 2, 3}
    for label in (2, 3):
        before, after = float((labels == label).sum() * 1.2 * 1.3 * 5), float((found == label).sum() * 1.5 * 1.5 * 3.15)
        assert after == pytest.approx(before, rel=0.05)


def test_splines_stay_within_the_range():
    step = torch.zeros(1, 8, 8, 8)
    step[:, 4:] = 1
    found = resample_aligned(step, aligned_grid((8, 8, 8), np.eye(4), (0.3, 1, 1)))
    assert (found.min(), found.max()) == (0, 1)


def test_mirrored_image_gives_the_mirrored_result():
    image = torch.rand(1, 9, 6, 5, dtype=torch.float64)
    grid = aligned_grid((9, 6, 5), np.diag([1.2, 1.3, 5, 1]), (1.5, 1.5, 3.15))
    mirrored = resample_aligned(image.flip(1, 2, 3), grid).flip(1, 2, 3)
    torch.testing.assert_close(mirrored, resample_aligned(image, grid))


@pytest.mark.parametrize(
    "options",
    [
        {"spacing": (1.5, 1.5)},
        {"spacing": (1.5, 0, 3)},
        {"roi": (128, 0)},
        {"roi": (128,)},
        {"roi": (8, 8, 8, 8)},
        {"multiple": (8, 8)},
        {"multiple": (0, 8, 8)},
    ],
)
def test_sizes_that_cannot_be(options):
    with pytest.raises(ValueError, match=r"above 0"):
        aligned_grid((8, 8, 8), np.eye(4), **options)


def test_image_of_another_grid():
    grid = aligned_grid((8, 8, 8), np.eye(4))
    for image, mode in ((torch.zeros(1, 8, 8, 7), "spline"), (torch.zeros(1, 8, 8, 8), "linear")):
        with pytest.raises(ValueError, match="need"):
            resample_aligned(image, grid, mode)
