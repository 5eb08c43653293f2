"""Layers: one operation each."""

from .hemispherical_conv import HemisphericalConv
from .spatial_pool import SpatialPool, SpatialUnpool
from .spherical_harmonic_transform import SphericalHarmonicTransform
from .spherical_pool import SphericalPool, SphericalUnpool
