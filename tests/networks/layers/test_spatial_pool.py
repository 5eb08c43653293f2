import pytest
import torch

from monai_cortex.networks.layers.spatial_pool import SpatialPool, SpatialUnpool

SIZES = pytest.mark.parametrize("size", [(4, 4, 4), (3, 3, 3), (1, 2, 5), (8, 6, 7), (1, 1, 1)])


def draw(*size, vertices=6):
    return torch.randn(2, 3, vertices, *size, generator=torch.Generator().manual_seed(sum(size)))


def line(values):
    """Values along the first axis of the grid."""
    return torch.tensor(values).view(1, 1, 1, -1, 1, 1)


@pytest.mark.parametrize(
    ("values", "pooled"),
    [([5.0], [5.0]), ([1.0, 3.0], [2.0]), ([1.0, 3.0, 7.0], [2.0, 5.0]), ([1.0, 3.0, 7.0, 9.0], [2.0, 8.0])],
)
def test_pairs_are_averaged(values, pooled):
    torch.testing.assert_close(SpatialPool()(line(values)), line(pooled))


@pytest.mark.parametrize(
    ("values", "unpooled"),
    [
        ([5.0], [5.0]),
        ([5.0], [5.0, 5.0]),
        ([2.0, 8.0], [2.0, 5.0, 8.0]),
        ([2.0, 8.0], [2.0, 2.0, 8.0, 8.0]),
        ([1.0, 3.0, 7.0, 8.0], [1.0, 2.0, 5.0, 7.5, 8.0]),
    ],
)
def test_values_spread_over_the_voxels_they_came_from(values, unpooled):
    torch.testing.assert_close(SpatialUnpool()(line(values), (len(unpooled), 1, 1)), line(unpooled))


def test_published_patch_shrinks_to_one_voxel():
    x, sizes = draw(3, 3, 3), []
    for _ in range(4):
        sizes.append(tuple(x.shape[3:]))
        x = SpatialPool()(x)
    assert sizes == [(3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1)]


@SIZES
def test_size_comes_back(size):
    x = draw(*size)
    assert SpatialUnpool()(SpatialPool()(x), size).shape == x.shape


@SIZES
def test_even_grids_are_pooled_as_torch_does(size):
    even = tuple(2 * n for n in size)
    x = draw(*even)
    expected = torch.nn.functional.avg_pool3d(x.flatten(0, 1), 2).unflatten(0, (2, 3))
    torch.testing.assert_close(SpatialPool()(x), expected)


@SIZES
def test_unpooling_is_the_transpose_of_pooling_with_constants_kept(size):
    """Row sums of the transposed matrix are one after division."""
    count = size[0] * size[1] * size[2]
    pool = SpatialPool()(torch.eye(count).view(1, count, 1, *size)).flatten(1)[0].view(count, -1).T
    small = SpatialPool()(draw(*size)).shape[3:]
    columns = torch.eye(len(pool)).view(1, len(pool), 1, *small)
    unpool = SpatialUnpool()(columns, size).flatten(3).view(len(pool), count).T
    torch.testing.assert_close(unpool, pool.T / pool.T.sum(1, keepdim=True))


@SIZES
def test_all_cube_symmetries_commute(cube_symmetries, size):
    x = draw(*size)
    for symmetry in cube_symmetries:
        pooled = SpatialPool()(x)
        torch.testing.assert_close(SpatialPool()(symmetry(x)), symmetry(pooled))
        turned = symmetry(x).shape[3:]
        torch.testing.assert_close(SpatialUnpool()(symmetry(pooled), turned), symmetry(SpatialUnpool()(pooled, size)))


@SIZES
def test_constants_are_kept(size):
    x = torch.full((1, 2, 6, *size), 0.7)
    pooled = SpatialPool()(x)
    torch.testing.assert_close(pooled, torch.full_like(pooled, 0.7))
    torch.testing.assert_close(SpatialUnpool()(pooled, size), x)


@pytest.mark.parametrize(("found", "wanted"), [(2, 1), (2, 5), (2, 6), (3, 4), (4, 6)])
def test_size_that_pooling_does_not_reach_is_refused(found, wanted):
    with pytest.raises(ValueError, match=f"{found} voxels cannot come from {wanted} by pooling"):
        SpatialUnpool()(draw(1, found, 1), (1, wanted, 1))


@pytest.mark.usefixtures("double_precision")
def test_gradient_is_that_of_finite_differences():
    x = draw(3, 2, 1, vertices=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: SpatialUnpool()(SpatialPool()(x), (3, 2, 1)), x)
