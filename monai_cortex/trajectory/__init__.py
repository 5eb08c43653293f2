"""From one cortex to another: registered, modeled, interpolated, imaged and measured, in one go."""

from .chain import run_trajectory
from .request import TrajectoryRequest

__all__ = ["TrajectoryRequest", "run_trajectory"]
