"""Networks: what a paper names."""

from .hemispherical_unet import HemisphericalUNet
from .spherical_deconvolver import SphericalDeconvolver
