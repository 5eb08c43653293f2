"""The code of a registered bundle: MLflow keeps a copy of this file in the model and runs it on loading."""

from monai_cortex.cohort.row_runs import run_rows
from monai_cortex.handlers.bundle_model import offer

__all__: list[str] = []

offer(run_rows)
