"""Handlers for ignite engines: tracking, checkpoints, stops, reports; each is imported when it is first asked for."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chained_runs import track_work
    from .checkpoint import CheckpointWriter, ResumeTraining
    from .cohort_run import track_cohort
    from .cortex_synthesis_writer import CortexSynthesisWriter
    from .deconvolution_writer import DeconvolutionWriter
    from .gradient_clipping import GradientClipping
    from .heat_annealing import HeatAnnealing
    from .image_registration_writer import ImageRegistrationWriter
    from .mlflow_run import MLflowRun, ui_line
    from .nonfinite import StopOnNonFinite
    from .error_messages import plain_errors
    from .registered_model import register_bundle
    from .registered_pair import RegisteredPair
    from .registration_group import RegistrationGroup
    from .registration_writer import SphereRegistrationWriter
    from .run_report import ReportSection, RunReport
    from .seed import SeedEpochs, seed_everything, start_session
    from .session import Session
    from .subject_writer import SubjectWriter
    from .tracking_sync import sync_runs
    from .training_history import TrainingHistory
    from .weights import load_weights

# MONAI's handlers import mlflow, which decides about its telemetry at that moment.
for _switch in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_switch, "true")

_HOMES = {
    "CheckpointWriter": "checkpoint",
    "CortexSynthesisWriter": "cortex_synthesis_writer",
    "DeconvolutionWriter": "deconvolution_writer",
    "GradientClipping": "gradient_clipping",
    "HeatAnnealing": "heat_annealing",
    "ImageRegistrationWriter": "image_registration_writer",
    "MLflowRun": "mlflow_run",
    "RegisteredPair": "registered_pair",
    "RegistrationGroup": "registration_group",
    "ReportSection": "run_report",
    "ResumeTraining": "checkpoint",
    "RunReport": "run_report",
    "SeedEpochs": "seed",
    "Session": "session",
    "SphereRegistrationWriter": "registration_writer",
    "StopOnNonFinite": "nonfinite",
    "SubjectWriter": "subject_writer",
    "TrainingHistory": "training_history",
    "load_weights": "weights",
    "plain_errors": "error_messages",
    "register_bundle": "registered_model",
    "seed_everything": "seed",
    "start_session": "seed",
    "sync_runs": "tracking_sync",
    "track_cohort": "cohort_run",
    "track_work": "chained_runs",
    "ui_line": "mlflow_run",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
