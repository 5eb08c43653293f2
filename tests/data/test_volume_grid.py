import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.data.volume_grid import on_grid

SHAPE = (9, 8, 7)
ANGLE = 0.3
GRID = np.array(
    [
        [-2 * np.cos(ANGLE), 1.5 * np.sin(ANGLE), 0, 11],
        [2 * np.sin(ANGLE), 1.5 * np.cos(ANGLE), 0, -7],
        [0, 0, 3, 40],
        [0, 0, 0, 1],
    ]
)
OFFSETS = st.tuples(*[st.integers(-8, 10)] * 3)


def shifted(affine, offset):
    """Affine of a volume whose first voxel is this node of the grid."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ offset
    return moved


def positions(shape, affine):
    nodes = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return nodes @ affine[:3, :3].T + affine[:3, 3]


@settings(deadline=None, max_examples=60)
@given(OFFSETS, st.floats(-9, 9, width=32))
def test_crops_are_pasted_exactly_wherever_they_reach(offset, outside):
    values = np.random.default_rng(0).normal(size=(5, 4, 6)).astype(np.float32)
    # Affines of files are in single precision: nodes agree nearly.
    affine = shifted(GRID, offset).astype(np.float32)
    expected = np.full(SHAPE, outside, np.float32)
    for index in np.ndindex(values.shape):
        node = tuple(np.add(index, offset))
        if all(0 <= n < size for n, size in zip(node, SHAPE, strict=True)):
            expected[node] = values[index]
    result = on_grid(values, affine, SHAPE, GRID, outside)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def test_the_same_grid_is_the_identity_and_gives_a_copy():
    values = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    result = on_grid(values, GRID, SHAPE, GRID)
    np.testing.assert_array_equal(result, values)
    assert not np.shares_memory(result, values)


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(*[st.floats(0.05, 0.95)] * 3),
    st.tuples(*[st.floats(-3, 3, width=32)] * 3),
    st.floats(1.1, 2.0),
)
def test_linear_functions_are_exact_inside_a_coarser_volume(offset, slope, factor):
    # What lies outside shines in by 0.27 a voxel: 12 voxels within, nothing of it is left.
    margin, size = 12, 28
    affine = shifted(GRID, [0.0, 0.0, 0.0])
    affine[:3, :3] *= factor
    grid = shifted(affine, margin + np.array(offset))
    grid[:3, :3] = GRID[:3, :3]
    expected = positions((5, 5, 5), grid) @ slope + 3
    result = on_grid(positions((size,) * 3, affine) @ slope + 3, affine, (5, 5, 5), grid)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4 * (1 + np.abs(slope).sum() * 40))


@settings(deadline=None, max_examples=30)
@given(st.tuples(*[st.floats(-6, 6)] * 3), st.floats(-2, 2, width=32))
def test_values_stay_within_their_range(offset, outside):
    values = np.random.default_rng(2).integers(0, 2, (6, 6, 6)).astype(np.float32)
    result = on_grid(values, shifted(GRID, offset), SHAPE, GRID, outside)
    assert result.shape == SHAPE
    assert result.dtype == np.float32
    assert result.min() >= min(0, outside)
    assert result.max() <= max(1, outside)


@pytest.mark.parametrize("outside", [0.0, -1.0, 4.5])
@pytest.mark.parametrize("offset", [(0.5, 0.5, 0.5), (20.25, 0, 0), (-30, 40.5, 7)])
def test_nodes_beyond_the_volume_have_the_outside_value(outside, offset):
    values = np.full((3, 3, 3), 2.0)
    result = on_grid(values, shifted(GRID, offset), SHAPE, GRID, outside)
    index = positions(SHAPE, np.eye(4)) - offset
    # Within a voxel of the border, values blend.
    beyond = (index <= -1).any(-1) | (index >= 3).any(-1)
    assert beyond.sum() > 400
    np.testing.assert_array_equal(result[beyond], np.float32(outside))


def test_constant_volumes_with_this_value_outside_stay_constant():
    result = on_grid(np.full((4, 5, 6), 2.5), shifted(GRID, (0.3, 1.7, -2.2)), SHAPE, GRID, 2.5)
    np.testing.assert_allclose(result, 2.5, rtol=1e-6)


def test_a_small_turn_is_not_taken_for_a_paste():
    turned = GRID.copy()
    turned[:3, :3] = GRID[:3, :3] @ np.array([[1, 0.01, 0], [-0.01, 1, 0], [0, 0, 1]])
    values = positions(SHAPE, turned)[..., 1].astype(np.float32)
    result = on_grid(values, turned, SHAPE, GRID)
    middle = (4, 4, 3)
    assert result[middle] != values[middle]
    assert abs(result[middle] - positions(SHAPE, GRID)[(*middle, 1)]) < 0.05


@pytest.mark.parametrize("flip", [0, 1, 2])
def test_mirrored_storage_of_one_image_gives_one_result(flip):
    values = np.random.default_rng(3).normal(size=(6, 7, 8)).astype(np.float32)
    affine, mirror = shifted(GRID, (1.3, 0.6, -0.4)), np.eye(4)
    mirror[flip, flip], mirror[flip, 3] = -1, values.shape[flip] - 1
    first = on_grid(values, affine, SHAPE, GRID)
    second = on_grid(np.flip(values, flip), affine @ mirror, SHAPE, GRID)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_curved_functions_are_exact_inside():
    # Cubic splines hold every cubic polynomial; straight interpolation would miss this by 0.25.
    nodes = positions((30,) * 3, np.eye(4)) - 15
    moved = positions((4, 4, 4), np.eye(4)) + (13.5, 14.5, 13.25) - 15
    result = on_grid(
        (nodes[..., 0] ** 2) * nodes[..., 1], np.eye(4), (4, 4, 4), shifted(np.eye(4), (13.5, 14.5, 13.25))
    )
    np.testing.assert_allclose(result, moved[..., 0] ** 2 * moved[..., 1], atol=1e-3)
