import math

import pytest
import torch
from torch import nn

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.nets import HemisphericalUNet, SphericalDeconvolver


class Stub(nn.Module):
    """Gives what it is told to, and keeps what it was given."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.seen = answer, None

    def forward(self, signal):
        self.seen = signal
        return self.answer(signal)


def silent(channels):
    return Stub(lambda s: s.new_zeros(len(s), channels, *s.shape[2:]))


@pytest.mark.parametrize("hemisphere", [True, False])
@pytest.mark.parametrize(("isotropic", "shells"), [(0, 2), (1, 2), (2, 3)])
def test_silent_network_gives_uniform_tissues_of_unit_mass(hemisphere, isotropic, shells):
    network = silent(1 + isotropic)
    deconvolver = SphericalDeconvolver(network, 2, 4, 2, hemisphere=hemisphere)
    result = deconvolver(torch.randn(2, shells * 6, 1, 2, 3, generator=torch.Generator().manual_seed(0)))
    expected = torch.zeros(15 + isotropic)
    expected[0] = expected[15:] = 1 / math.sqrt(4 * math.pi)
    torch.testing.assert_close(result, expected.view(1, -1, 1, 1, 1).expand(2, -1, 1, 2, 3), atol=1e-6, rtol=0)
    assert network.seen.shape == (2, shells, 24 if hemisphere else 48, 1, 2, 3)


def test_network_sees_each_shell_on_the_vertices():
    network = silent(2)
    features = torch.randn(2, 3 * 15, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    SphericalDeconvolver(network, nside=2, degree=2, input_degree=4)(features)
    basis = real_harmonics(hemispheric_graph(2).directions, 4, even=True).float()
    for shell in range(3):
        expected = torch.einsum("vn,bnijk->bvijk", basis, features[:, 15 * shell : 15 * (shell + 1)])
        torch.testing.assert_close(network.seen[:, shell], expected)


@pytest.mark.parametrize("hemisphere", [True, False])
def test_positive_distribution_is_read_off_its_samples(hemisphere):
    directions = (hemispheric_graph if hemisphere else spherical_graph)(4).directions
    coefficients = 0.008 * torch.randn(45, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    coefficients[0] = 1 / math.sqrt(4 * math.pi)
    amplitude = real_harmonics(directions, 8, even=True) @ coefficients
    assert amplitude.min() > 0
    shift = math.log(math.expm1(1 / (4 * math.pi)))  # softplus(x + shift) is the amplitude
    wanted = torch.stack([torch.log(torch.expm1(a)) - shift for a in (amplitude, 3 * amplitude)])
    network = Stub(lambda s: wanted.float()[None, :, :, None, None, None])
    result = SphericalDeconvolver(network, nside=4, hemisphere=hemisphere)(torch.zeros(1, 45, 1, 1, 1)).flatten()
    torch.testing.assert_close(result[:45], coefficients.float(), atol=1e-5, rtol=0)
    mean = math.sqrt(4 * math.pi) * 3 * amplitude.mean().item()
    assert result[45].item() == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("readout", "expected"),
    [({}, torch.mean), ({"isotropic_readout": "mean"}, torch.mean), ({"isotropic_readout": "max"}, torch.max)],
)
def test_isotropic_tissue_is_read_off_its_own_map(readout, expected):
    shift = math.log(math.expm1(1 / (4 * math.pi)))
    ramp = torch.linspace(0.1, 2.0, 24)
    maps = torch.stack([torch.ones(24), ramp, ramp.flip(0) ** 2]).expm1().log() - shift
    network = Stub(lambda s: maps[None, :, :, None, None, None])
    result = SphericalDeconvolver(network, 2, 2, 2, **readout)(torch.zeros(1, 12, 1, 1, 1)).flatten()
    wanted = math.sqrt(4 * math.pi) * torch.stack([expected(ramp), expected(ramp.flip(0) ** 2)])
    torch.testing.assert_close(result[6:], wanted)


def test_hemisphere_and_sphere_agree_with_the_same_weights(double_precision):
    torch.manual_seed(0)
    options = {"nside": 2, "channels": (4, 6), "kernel_sizes": (1, 3)}
    folded = SphericalDeconvolver(HemisphericalUNet(2, 2, **options), 2, 4, 4).eval()
    whole = SphericalDeconvolver(HemisphericalUNet(2, 2, hemisphere=False, **options), 2, 4, 4, hemisphere=False).eval()
    nn.init.normal_(folded.network.head.spherical_weight)  # shipped near zero, where all agree
    whole.load_state_dict(folded.state_dict())
    features = torch.randn(1, 30, 3, 3, 2)
    with torch.no_grad():
        expected, found = whole(features), folded(features)
    assert expected[:, 1:15].abs().max() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("hemisphere", [True, False])
def test_more_coefficients_than_vertices_are_refused_with_both_degrees(hemisphere):
    with pytest.raises(ConfigError, match=r"lmax 6 at nside 2\n.* from 0 to 4: .* 24 vertices"):
        SphericalDeconvolver(silent(2), nside=2, degree=6, hemisphere=hemisphere)


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_number_of_groups_is_free(groups):
    network = silent(2)
    SphericalDeconvolver(network, 2, 2, 4)(torch.zeros(1, 15 * groups, 1, 1, 1))
    assert network.seen.shape[1] == groups


@pytest.mark.parametrize("channels", [14, 31])
def test_part_of_a_group_is_refused(channels):
    with pytest.raises(ConfigError, match=rf"{channels} channels\n.* multiple of 15"):
        SphericalDeconvolver(silent(2), 2, 2, 4)(torch.zeros(1, channels, 1, 1, 1))


def test_other_readouts_are_refused():
    with pytest.raises(ConfigError, match="'median'\n.*'mean' or 'max'"):
        SphericalDeconvolver(silent(2), 2, 2, 2, isotropic_readout="median")


def test_operators_follow_the_input_and_stay_out_of_checkpoints():
    deconvolver = SphericalDeconvolver(silent(1), 2, 2, 2)
    assert not deconvolver.state_dict()
    assert deconvolver.double()(torch.zeros(1, 6, 1, 1, 1, dtype=torch.float64)).dtype == torch.float64
