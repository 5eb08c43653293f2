"""Blocks: a few layers that always stand together."""

from .hemispherical_block import HemisphericalBlock
