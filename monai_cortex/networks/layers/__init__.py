"""Layers: one operation each."""

from .degree_filter import DegreeFilter, DegreeScale
from .hemispherical_conv import HemisphericalConv
from .linear_attention import LinearSelfAttention, linear_attention
from .shared_batch_norm import SharedBatchNorm
from .spatial_pool import SpatialPool, SpatialUnpool
from .spectral_attention import SpectralCrossAttention
from .spherical_harmonic_transform import SphericalHarmonicTransform
from .spherical_pool import SphericalPool, SphericalUnpool
from .surface_gradient import SurfaceGradient
