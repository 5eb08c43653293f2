"""Metrics: (prediction, target) to a number that is reported."""

from .orientation_difference import orientation_difference
from .reconstruction_residual import ReconstructionResidual, reconstruction_residual
