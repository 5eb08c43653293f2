"""Blocks: a few layers that always stand together."""

from .guided_field_head import GuidedFieldHead
from .hemispherical_block import HemisphericalBlock
from .spectral_block import SpectralBlock
from .timed_block import TimedBlock
