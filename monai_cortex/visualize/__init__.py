"""Figures and the HTML report; the only place that imports matplotlib."""

from __future__ import annotations

from monai_cortex.visualize.canvas import png
from monai_cortex.visualize.deconvolution import DeconvolutionResult, deconvolution_figure
from monai_cortex.visualize.fibers import Crop, direction_color, fiber_glyphs
from monai_cortex.visualize.orientation import Orientation, closest_orientation, to_ras
from monai_cortex.visualize.report import render_report
from monai_cortex.visualize.report_content import (
    Block,
    Check,
    Citation,
    Facts,
    Failure,
    Picture,
    Report,
    Reproduction,
    Table,
)
from monai_cortex.visualize.training import training_figure

__all__ = [
    "Block",
    "Check",
    "Citation",
    "Crop",
    "DeconvolutionResult",
    "Facts",
    "Failure",
    "Orientation",
    "Picture",
    "Report",
    "Reproduction",
    "Table",
    "closest_orientation",
    "deconvolution_figure",
    "direction_color",
    "fiber_glyphs",
    "png",
    "render_report",
    "to_ras",
    "training_figure",
]
