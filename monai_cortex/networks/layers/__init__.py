"""Layers: one operation each."""

from .hemispherical_conv import HemisphericalConv
from .spherical_pool import SphericalPool, SphericalUnpool
