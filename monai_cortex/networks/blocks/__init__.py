"""Blocks: a few layers that always stand together."""

from .hemispherical_block import HemisphericalBlock
from .spectral_block import SpectralBlock
