import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit, vertex_harmonics
from monai_cortex.networks.nets import HarmonicUNet, HemisphericalUNet, SphericalDeconvolver


def network(inputs=2, outputs=3, **options):
    torch.manual_seed(0)
    return HarmonicUNet(inputs, outputs, **{"nside": 2, "channels": (4, 6), "degree": 4, **options}).eval()


@pytest.mark.parametrize("hemisphere", [True, False])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 3, 3), (4, 5, 6)])
@torch.no_grad()
def test_sphere_and_grid_of_any_size_are_kept(hemisphere, size):
    x = torch.randn(2, 2, 24 if hemisphere else 48, *size)
    assert network(hemisphere=hemisphere)(x).shape == (2, 3, *x.shape[2:])


@torch.no_grad()
def test_harmonics_go_through_the_plain_network():
    """Without the vertices in between: coefficients in, coefficients and constants out."""
    net, coefficients = network(), torch.randn(1, 2, 15, 3, 3, 3)
    x = torch.einsum("vn,bcnijk->bcvijk", vertex_harmonics(2, 4).float(), coefficients)
    y, expected = net(x), net.network(coefficients.flatten(1, 2))
    fibers = torch.einsum("nv,bvijk->bnijk", vertex_fit(2, 4).float(), y[:, 0])
    torch.testing.assert_close(fibers, expected[:, :15], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(y[:, 1:], expected[:, 15:, None].expand_as(y[:, 1:]))


@torch.no_grad()
def test_sphere_and_hemisphere_agree():
    half, whole = network(), network(hemisphere=False)
    coefficients = torch.randn(1, 2, 15, 3, 3, 3)
    maps = [torch.einsum("vn,bcnijk->bcvijk", vertex_harmonics(2, 4, h).float(), coefficients) for h in (True, False)]
    results = [net(x)[:, 0] for net, x in zip((half, whole), maps, strict=True)]
    fits = [
        torch.einsum("nv,bv...->bn...", vertex_fit(2, 4, h).float(), y)
        for h, y in zip((True, False), results, strict=True)
    ]
    torch.testing.assert_close(*fits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kernel_sizes", "reached"), [(1, 1), ((1, 1), 1), (3, 343), ((1, 3), 343)])
@torch.no_grad()
def test_kernel_sets_how_far_voxels_see(kernel_sizes, reached):
    """Down, bottom and up: three convolutions of 3 voxels see 7 voxels along each axis."""
    net, x = network(kernel_sizes=kernel_sizes), torch.randn(1, 2, 24, 9, 9, 9)
    changed = x.clone()
    changed[..., 4, 4, 4] += 100
    moved = (net(changed) - net(x)).abs().amax((0, 1, 2)) > 1e-6
    assert moved.sum() == reached


@torch.no_grad()
def test_deconvolver_takes_it_in_place_of_the_spherical_network():
    options = {"in_channels": 2, "out_channels": 2, "nside": 4, "channels": [8, 16, 16], "kernel_sizes": [1, 3, 1]}
    features = torch.randn(1, 90, 3, 4, 5)
    results = [
        SphericalDeconvolver(kind(**options, hemisphere=True))(features) for kind in (HarmonicUNet, HemisphericalUNet)
    ]
    assert results[0].shape == results[1].shape == (1, 46, 3, 4, 5)
    assert results[0].isfinite().all()
    assert (results[0][:, 45] > 0).all()


@torch.no_grad()
def test_isotropic_tissue_is_read_alike_by_mean_and_maximum():
    net, features = network(2, 2), torch.randn(1, 30, 2, 2, 2)
    mean, largest = (
        SphericalDeconvolver(net, 2, 4, 4, isotropic_readout=readout)(features) for readout in ("mean", "max")
    )
    torch.testing.assert_close(mean, largest)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"channels": (4,)}, "two levels"), ({"degree": 6}, "lmax 6"), ({"kernel_sizes": 2}, "patch")],
)
def test_impossible_settings_are_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        network(**options)


def test_nothing_depends_on_the_vertices_in_checkpoints():
    assert network().state_dict().keys() == network().network.state_dict(prefix="network.").keys()
