import pytest
import torch

from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.layers import SphericalPool, SphericalUnpool

NSIDES = pytest.mark.parametrize("nside", [2, 4, 8])
GRAPHS = pytest.mark.parametrize("build", [hemispheric_graph, spherical_graph])


def signal(graph, channels=2, size=(2, 1, 3)):
    return torch.randn(2, channels, len(graph.directions), *size)


@NSIDES
def test_full_sphere_pools_four_nested_neighbors(nside):
    graph = spherical_graph(nside)
    x = signal(graph)
    torch.testing.assert_close(SphericalPool(graph)(x), x.unflatten(2, (-1, 4)).mean(3), atol=1e-6, rtol=0)
    coarse = x[:, :, : len(graph.directions) // 4]
    torch.testing.assert_close(SphericalUnpool(graph)(coarse), coarse.repeat_interleave(4, dim=2), atol=0, rtol=0)


@NSIDES
def test_hemisphere_equals_sphere_on_antipodal_signals(nside, antipodal_pair):
    full, half = spherical_graph(nside), hemispheric_graph(nside)
    on_sphere, on_hemisphere, kept = antipodal_pair(nside, 2, (2, 1, 3))
    coarse_sphere, coarse_hemisphere, coarse_kept = antipodal_pair(nside // 2, 2, (2, 1, 3))
    pooled = SphericalPool(full)(on_sphere)[:, :, coarse_kept]
    torch.testing.assert_close(SphericalPool(half)(on_hemisphere), pooled, atol=1e-6, rtol=0)
    unpooled = SphericalUnpool(full)(coarse_sphere)[:, :, kept]
    torch.testing.assert_close(SphericalUnpool(half)(coarse_hemisphere), unpooled, atol=1e-6, rtol=0)


@NSIDES
@GRAPHS
def test_pooling_undoes_unpooling_and_is_its_adjoint(build, nside):
    graph = build(nside)
    fine, coarse = signal(graph), signal(build(nside // 2))
    pool, unpool = SphericalPool(graph), SphericalUnpool(graph)
    torch.testing.assert_close(pool(unpool(coarse)), coarse, atol=1e-6, rtol=0)
    torch.testing.assert_close(4 * (pool(fine) * coarse).sum(), (fine * unpool(coarse)).sum(), atol=1e-3, rtol=1e-5)


@NSIDES
@GRAPHS
def test_means_and_constants_are_kept(build, nside):
    graph = build(nside)
    x = signal(graph)
    torch.testing.assert_close(SphericalPool(graph)(x).mean(2), x.mean(2), atol=1e-6, rtol=0)
    assert torch.equal(SphericalPool(graph)(torch.ones_like(x)), torch.ones(2, 2, x.shape[2] // 4, 2, 1, 3))


@NSIDES
@GRAPHS
def test_healpix_rotations_commute(build, nside, healpix_rotations, vertex_permutation):
    fine, coarse = build(nside), build(nside // 2)
    x, z = signal(fine), signal(coarse)
    for matrix in healpix_rotations:
        at_fine, at_coarse = (
            vertex_permutation(g.directions, matrix, build is hemispheric_graph) for g in (fine, coarse)
        )
        pooled = SphericalPool(fine)(x[:, :, at_fine])
        torch.testing.assert_close(pooled, SphericalPool(fine)(x)[:, :, at_coarse], atol=1e-5, rtol=0)
        unpooled = SphericalUnpool(fine)(z[:, :, at_coarse])
        torch.testing.assert_close(unpooled, SphericalUnpool(fine)(z)[:, :, at_fine], atol=0, rtol=0)


def test_nothing_is_stored_in_checkpoints():
    graph = hemispheric_graph(2)
    assert not SphericalPool(graph).state_dict()
    assert not SphericalUnpool(graph).state_dict()


@GRAPHS
@pytest.mark.parametrize("layer", [SphericalPool, SphericalUnpool])
def test_coarsest_graph_is_refused(build, layer):
    with pytest.raises(ValueError, match="nside"):
        layer(build(1))
