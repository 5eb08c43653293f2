from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from mlflow.models import model as mlflow_model

from monai_cortex.data import bundle_folder, sha256
from monai_cortex.errors import CheckpointError
from monai_cortex.handlers.bundle_model import BundleModel, bundle_signature, offer

ROOT = Path(bundle_folder("fsdiffreg_cardiac"))


@pytest.fixture
def model():
    """Its predictor tells what it was asked."""
    asked = []

    def predictor(root, rows, changes):
        asked.append((root, rows, changes))
        return [{"subject": "a", "status": "done", "files": ["a/b.txt"], "message": ""}]

    return BundleModel(predictor), asked


def test_plain_values_that_the_config_describes_are_parameters():
    parameters = {spec.name: spec for spec in bundle_signature(ROOT).params}
    assert parameters["device"].default == "auto"
    assert parameters["refine"].default is True
    assert (parameters["spacing"].default, parameters["spacing"].shape) == ([1.5, 1.5, 3.15], (-1,))
    assert parameters["seed"].default == 0
    assert not {"weights", "output_dir", "dataset_dir", "labels", "network", "tracking_uri"} & set(parameters)


def test_columns_are_names_of_folders():
    signature = bundle_signature(ROOT)
    assert signature.inputs.input_names() == ["dataset_dir", "output_dir", "subject"]
    assert signature.inputs.required_input_names() == ["dataset_dir", "output_dir"]


def test_rows_and_changes_reach_the_predictor(model):
    bundle, asked = model
    frame = pd.DataFrame({"dataset_dir": ["in", "in"], "output_dir": ["out", "out"], "subject": ["a", None]})
    found = bundle.predict(None, frame, {"device": "auto", "seed": 3})
    assert list(found.columns) == ["subject", "status", "files", "message"]
    ((_, rows, changes),) = asked
    assert [row["subject"] for row in rows] == ["a", ""]
    assert changes == {"seed": 3}


@pytest.mark.parametrize("value", ["$open('a', 'w')", ["wm", "@dataset"], "%other.json"])
def test_a_parameter_is_never_executed(model, value):
    with pytest.raises(ValueError, match="plain values"):
        model[0].predict(None, pd.DataFrame({"dataset_dir": ["in"], "output_dir": ["out"]}), {"tissues": value})
    assert model[1] == []


def test_weights_are_held_against_the_digest_of_their_registration(model):
    digests = {"models/model.pt": sha256(ROOT / "models" / "model.pt")}
    model[0].load_context(SimpleNamespace(artifacts={"bundle": str(ROOT)}, model_config={"weights": digests}))
    digests["models/model.pt"] = "0" * 64
    with pytest.raises(CheckpointError):
        model[0].load_context(SimpleNamespace(artifacts={"bundle": str(ROOT)}, model_config={"weights": digests}))


def test_the_file_that_offers_is_the_model(monkeypatch):
    monkeypatch.setattr(mlflow_model, "__mlflow_model__", None)
    offer(lambda *_: [])
    assert isinstance(mlflow_model.__mlflow_model__, BundleModel)
