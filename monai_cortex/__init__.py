"""Cortex, white matter and heart on MONAI."""

__version__ = "0.1.0"
