"""Noise schedules: forward marginals in closed form and their reverse steps."""

from .brownian_bridge import BrownianBridgeScheduler
from .listed_ddim import ListedDDIMScheduler
from .spherical_heat import SphericalHeatScheduler
