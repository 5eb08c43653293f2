"""Forward and backward passes of every network that a bundle names."""

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.networks import nets

DEGREE, COUNT = 8, 81
FALL = 1 / (1 + (harmonic_degrees(DEGREE) / 3.0) ** 2)
NETWORKS = {
    "hemispherical_unet": (
        lambda: nets.HemisphericalUNet(2, 2, channels=(4, 6, 8)),
        lambda normal: [normal(0, 1, 2, 96, 4, 4, 4)],
    ),
    "concatenated_unet": (
        lambda: nets.ConcatenatedUNet(2, 1, nside=2, channels=(4, 6)),
        lambda normal: [normal(0, 1, 2, 24, 5, 5, 5)],
    ),
    "harmonic_unet": (
        lambda: nets.HarmonicUNet(2, 3, nside=2, channels=(4, 6), degree=4),
        lambda normal: [normal(0, 1, 2, 24, 4, 4, 4)],
    ),
    "spherical_deconvolver": (
        lambda: nets.SphericalDeconvolver(nets.HemisphericalUNet(2, 2, nside=2, channels=(4, 6)), 2, 4, 2),
        lambda normal: [normal(0, 1, 12, 4, 4, 4)],
    ),
    "conditional_unet": (
        lambda: nets.ConditionalUNet(channels=(4, 8), local_channels=4),
        lambda normal: [normal(0, 1, 6, 8, 8, 8), torch.tensor([500])],
    ),
    "fsdiffreg_net": (
        lambda: nets.FSDiffRegNet(width=4, multipliers=(1, 2)),
        lambda normal: [*(normal(seed, 1, 1, 8, 12, 4) for seed in range(3)), torch.tensor([5])],
    ),
    "spectral_score_net": (
        lambda: nets.SpectralScoreNet(2, 3, degree=DEGREE, level=3, channels=(4, 6)),
        lambda normal: [normal(0, 2, 2, COUNT), torch.tensor([0.1, 0.3]).double(), normal(1, 2, 3, COUNT)],
    ),
    "spectral_unet": (
        lambda: nets.SpectralUNet(2, degree=DEGREE, level=3, channels=(4, 6, 8)),
        lambda normal: [normal(0, 3, 2, COUNT), normal(1, 3)],
    ),
    "spherical_warp_net": (
        lambda: nets.SphericalWarpNet(1, DEGREE, 6, 3, (4, 4)),
        lambda normal: [
            *(0.3 * FALL * normal(seed, 2, 1, COUNT) for seed in (0, 1)),
            normal(2, 2),
            normal(3, 2, 4, COUNT) * FALL,
            0.01 * normal(4, 2, 3, 49),
        ],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network(agree, normal, name):
    build, inputs = NETWORKS[name]
    torch.manual_seed(0)
    network = build().double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # some begin as zero, which would prove nothing
    agree(network, *inputs(normal))
