import runpy
from pathlib import Path

import monai_cortex.cohort
from monai_cortex.cohort.row_runs import run_rows
from monai_cortex.handlers import bundle_model


def test_running_the_file_offers_the_model(monkeypatch):
    offered = []
    monkeypatch.setattr(bundle_model, "set_model", offered.append)
    runpy.run_path(str(Path(monai_cortex.cohort.__file__).with_name("registered_bundle.py")))
    assert offered[0]._predictor is run_rows
