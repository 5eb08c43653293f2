"""Networks: what a paper names."""

from .concatenated_unet import ConcatenatedUNet
from .harmonic_unet import HarmonicUNet
from .hemispherical_unet import HemisphericalUNet
from .spherical_deconvolver import SphericalDeconvolver
