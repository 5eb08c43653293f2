"""Metrics: (prediction, target) to a number that is reported."""

from .equivariance import equivariance_error
from .fiber_detection import FiberDetection, FiberDetectionMetric, fiber_detection
from .orientation_difference import orientation_difference
from .reconstruction_residual import ReconstructionResidual, reconstruction_residual
from .streamline_scores import StreamlineScores, streamline_scores
