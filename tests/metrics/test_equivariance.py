import pytest
import torch
from torch import nn

from monai_cortex.geometry.harmonics import even_count, harmonic_degrees, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation, rotate_grid, sample_rotation
from monai_cortex.metrics.equivariance import equivariance_error
from monai_cortex.networks.layers import HemisphericalConv
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit
from monai_cortex.networks.nets import ConcatenatedUNet, HarmonicUNet, HemisphericalUNet

THIRD_TURN = torch.tensor(
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
)  # of the cube, about its diagonal: not one of HEALPix
CHANNELS = (8, 16, 16)


def swap(x):
    return x.flip(-1)


def test_error_has_its_closed_form():
    """f doubles the first number: f(g x) = (0, 1) and g f(x) = (0, 2)."""
    double = torch.tensor([2.0, 1.0])
    assert equivariance_error(lambda x: double * x, torch.tensor([1.0, 0.0]), swap).item() == 1
    assert equivariance_error(lambda x: double * x, torch.tensor([0.0, 3.0]), swap).item() == 0.5


def test_equivariant_and_invariant_maps_have_no_error():
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    assert equivariance_error(torch.sin, x, swap) == 0
    assert equivariance_error(lambda x: x.sum(-1), x, swap, lambda y: y) == 0
    assert equivariance_error(torch.zeros_like, x, swap) == 0


@pytest.mark.parametrize("factor", [1e-6, 3.0])
def test_error_has_no_unit(factor):
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    error = equivariance_error(lambda x: x.cumsum(-1), x, swap)
    assert error > 0.1
    assert equivariance_error(lambda x: factor * x.cumsum(-1), x, swap).item() == pytest.approx(error.item(), rel=1e-5)


def band_limited(nside, degree, size=(2, 2, 2), decay=0):
    """Random function of two channels whose degrees fall off like (1 + l)^-decay."""
    basis = real_harmonics(hemispheric_graph(nside).directions, degree, even=True)
    falloff = (1.0 + harmonic_degrees(degree, even=True)) ** -decay
    return torch.einsum("vn,bcnijk->bcvijk", basis * falloff, torch.randn(1, 2, even_count(degree), *size))


def turn(matrix):
    return lambda x: torch.einsum("vw,bcwijk->bcvijk", matrix, x)


def on_harmonics(network, nside):
    """What is read off the network's maps: their coefficients to degree 8."""
    return lambda x: turn(vertex_fit(nside, 8))(network(x))


def mean_error(build, nside, degree, decay=0, number=6):
    """Mean over random weights, signals and rotations of the voxels' spheres."""
    errors = []
    for seed in range(number):
        torch.manual_seed(seed)
        network, rotation = build(), random_rotation()
        errors.append(
            equivariance_error(
                on_harmonics(network, nside),
                band_limited(nside, degree, decay=decay),
                turn(sample_rotation(rotation, hemispheric_graph(nside).directions, degree)),
                turn(harmonic_rotation(rotation, 8)),
            ).item()
        )
    return sum(errors) / number


def trained_statistics(network, nside):
    """A network whose normalization has seen a batch and whose output is of order one."""
    nn.init.normal_(network.head.spherical_weight)
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm1d)):
        norm.momentum = None
    with torch.no_grad():
        network.train()(band_limited(nside, 8, size=(4, 4, 4)))
    return network.eval()


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(("nside", "degree", "bound"), [(8, 2, 0.03), (8, 8, 0.03), (4, 2, 0.14), (4, 8, 0.14)])
def test_layer_commutes_with_random_rotations_up_to_the_grid(nside, degree, bound):
    graph = hemispheric_graph(nside)
    assert mean_error(lambda: HemisphericalConv(2, 3, graph), nside, degree) < bound


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(("nside", "bound"), [(8, 0.03), (4, 0.07)])
def test_network_commutes_with_random_rotations_of_smooth_signals(nside, bound):
    """Degrees that fall off as in diffusion signals; those beyond what a coarse level can hold are not equivariant."""

    def build():
        return trained_statistics(HemisphericalUNet(2, 2, nside=nside, channels=CHANNELS, kernel_sizes=1), nside)

    assert mean_error(build, nside, 8, decay=2) < bound


def cube_and_sphere(nside, grid, sphere):
    """Actions of one third turn on the maps and on their coefficients."""
    rotation = THIRD_TURN.double()
    samples = sample_rotation(rotation, hemispheric_graph(nside).directions, 8)
    coefficients = harmonic_rotation(rotation, 8)

    def act(matrix):
        return lambda x: rotate_grid(turn(matrix)(x) if sphere else x, rotation if grid else torch.eye(3))

    return act(samples), act(coefficients)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(("grid", "sphere", "bound"), [(True, False, 1e-10), (False, True, 0.03), (True, True, 0.03)])
def test_grid_and_spheres_turn_alone_and_together(grid, sphere, bound):
    torch.manual_seed(0)
    network = trained_statistics(HemisphericalUNet(2, 2, nside=8, channels=CHANNELS), 8)
    error = equivariance_error(
        on_harmonics(network, 8), band_limited(8, 8, (4, 2, 3), 2), *cube_and_sphere(8, grid, sphere)
    )
    assert error < bound


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(("kind", "grid", "sphere"), [(ConcatenatedUNet, True, False), (HarmonicUNet, False, True)])
def test_comparison_networks_lack_one_symmetry(kind, grid, sphere):
    torch.manual_seed(0)
    network = kind(2, 1, nside=4).eval()
    error = equivariance_error(
        on_harmonics(network, 4), band_limited(4, 8, (4, 4, 4), 2), *cube_and_sphere(4, grid, sphere)
    )
    assert error > 0.1
