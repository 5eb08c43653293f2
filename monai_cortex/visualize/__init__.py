"""Figures and the HTML report; the only place that imports matplotlib."""

from __future__ import annotations

from monai_cortex.visualize.canvas import new_figure, png
from monai_cortex.visualize.columns import column_text, is_numeric
from monai_cortex.visualize.deconvolution import DeconvolutionResult, deconvolution_figure
from monai_cortex.visualize.fibers import Crop, direction_color, fiber_glyphs
from monai_cortex.visualize.image_pair_view import PairView, edge_letters, pair_views
from monai_cortex.visualize.image_registration import ImageRegistrationPicture, image_registration_figure
from monai_cortex.visualize.orientation import Orientation, closest_orientation, to_ras
from monai_cortex.visualize.registration import (
    GroupPicture,
    RegistrationPicture,
    group_figure,
    registration_figure,
)
from monai_cortex.visualize.report import render_collection, render_report
from monai_cortex.visualize.report_content import (
    Block,
    Chapter,
    Check,
    Citation,
    Facts,
    Failure,
    Link,
    Picture,
    Report,
    Reproduction,
    Table,
)
from monai_cortex.visualize.shape_path import path_figure
from monai_cortex.visualize.slices import scale_bar, show_slice
from monai_cortex.visualize.surface_grid import SurfaceColumn, SurfaceMap, surface_grid
from monai_cortex.visualize.surface_view import SurfaceView, surface_view
from monai_cortex.visualize.synthesis import SynthesisPicture, synthesis_figure
from monai_cortex.visualize.trade_off import trade_off_figure
from monai_cortex.visualize.trajectory import TrajectoryPicture, TrajectoryStep, trajectory_figure
from monai_cortex.visualize.training import training_figure

__all__ = [
    "Block",
    "Chapter",
    "Check",
    "Citation",
    "Crop",
    "DeconvolutionResult",
    "Facts",
    "Failure",
    "GroupPicture",
    "ImageRegistrationPicture",
    "Link",
    "Orientation",
    "PairView",
    "Picture",
    "RegistrationPicture",
    "Report",
    "Reproduction",
    "SurfaceColumn",
    "SurfaceMap",
    "SurfaceView",
    "SynthesisPicture",
    "Table",
    "TrajectoryPicture",
    "TrajectoryStep",
    "closest_orientation",
    "column_text",
    "deconvolution_figure",
    "direction_color",
    "edge_letters",
    "fiber_glyphs",
    "group_figure",
    "image_registration_figure",
    "is_numeric",
    "new_figure",
    "pair_views",
    "path_figure",
    "png",
    "registration_figure",
    "render_collection",
    "render_report",
    "scale_bar",
    "show_slice",
    "surface_grid",
    "surface_view",
    "synthesis_figure",
    "to_ras",
    "trade_off_figure",
    "training_figure",
    "trajectory_figure",
]
