"""Noise schedules: forward marginals in closed form and their reverse steps."""

from .spherical_heat import SphericalHeatScheduler
