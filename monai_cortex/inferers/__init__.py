"""Inference and training steps: what loops over time, windows or batches."""

from .deconvolution import prepare_deconvolution_batch
from .tractography import TrackingOptions, seed_points, track_fibers, track_file
