"""Networks: what a paper names."""

from .concatenated_unet import ConcatenatedUNet
from .conditional_unet import ConditionalUNet
from .fsdiffreg_net import FSDiffRegNet, fsdiffreg_net
from .harmonic_unet import HarmonicUNet
from .hemispherical_unet import HemisphericalUNet
from .spectral_score_net import Score, SpectralScoreNet
from .spectral_unet import SpectralUNet
from .spherical_deconvolver import SphericalDeconvolver
from .spherical_warp_net import SphericalWarpNet
