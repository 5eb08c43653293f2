"""Layers: one operation each."""

from .degree_filter import DegreeFilter, DegreeScale
from .hemispherical_conv import HemisphericalConv
from .spatial_pool import SpatialPool, SpatialUnpool
from .spectral_attention import SpectralCrossAttention
from .spherical_harmonic_transform import SphericalHarmonicTransform
from .spherical_pool import SphericalPool, SphericalUnpool
from .surface_gradient import SurfaceGradient
