import json
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from monai_cortex import __version__
from monai_cortex.__main__ import main
from monai_cortex.data import bundle_folder, sha256, write_samples
from monai_cortex.errors import CheckpointError

# Of MLflow's own use of other packages, while it saves and lists models.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SLUG = "shd_deconvolution"


@pytest.fixture
def register(empty_store, tmp_path, monkeypatch):
    """Register a bundle in a store of the test, which is the process's own afterwards; gives answer and client."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path / "mlruns.db")
    store = f"sqlite:///{tmp_path}/mlruns.db"
    before = mlflow.get_tracking_uri()

    def call(*words):
        answer = CliRunner().invoke(main, ["register-model", *words, "--tracking-uri", store])
        assert mlflow.get_tracking_uri() == before
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        return answer, MlflowClient(store)

    return call


def test_a_bundle_becomes_a_model_that_takes_file_names(register, scans, tmp_path):
    answer, client = register(SLUG)
    assert answer.exit_code == 0, answer.output
    assert f"{SLUG}: version 1, to be loaded as models:/{SLUG}/1\n" in answer.output
    tags = client.get_model_version(SLUG, "1").tags
    assert tags["weights_sha256"] == sha256(Path(bundle_folder(SLUG), "models", "model.pt"))
    assert (tags["bundle"], tags["bundle_version"]) == (SLUG, _version())
    model = mlflow.pyfunc.load_model(f"models:/{SLUG}/1")
    rows = pd.DataFrame({"dataset_dir": [str(scans), str(tmp_path / "none")], "output_dir": str(tmp_path / "out")})
    found = model.predict(rows, params={"lmax": 8})
    assert list(found.subject) == ["small_64D", ""]
    assert list(found.status) == ["done", "failed"]
    assert "dataset folder does not exist" in found.message[1]
    assert {"small_64D/wmfod.nii.gz", "small_64D/qc.png", "small_64D/metrics.json"} <= set(found.files[0])
    assert all((tmp_path / "out" / name).is_file() for name in found.files[0])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"small_64D"}
    assert not list(tmp_path.rglob("*.pkl"))
    pins = next(tmp_path.rglob("requirements.txt")).read_text().split()
    assert f"monai_cortex=={__version__}" in pins


CHEAP = {
    "fsdiffreg_cardiac": {"refine": False},
    "spherical_diffusion_registration": {"refine": False, "level": 4, "hemispheres": ["lh"]},
    "cor2vox_synthesis": {"num_inference_steps": 2, "measure": False},
}


@pytest.mark.filterwarnings("ignore:.*inside the white but outside the pial:UserWarning")
@pytest.mark.parametrize("slug", CHEAP)
def test_every_bundle_runs_as_a_model(request, register, tmp_path, slug):
    if not request.config.getoption("--whole"):
        pytest.skip("a minute for each bundle: --whole")
    data = tmp_path / "data"
    if slug == "cor2vox_synthesis":
        data = request.getfixturevalue("synthetic_people")
    else:
        write_samples(slug, data)
    answer, _ = register(slug)
    assert answer.exit_code == 0, answer.output
    model = mlflow.pyfunc.load_model(f"models:/{slug}/1")
    rows = pd.DataFrame({"dataset_dir": [str(data)], "output_dir": [str(tmp_path / "out")]})
    found = model.predict(rows, params=CHEAP[slug])
    assert set(found.status) == {"done"}, list(found.message)
    assert all((tmp_path / "out" / name).is_file() for names in found.files for name in names)


def test_other_weights_than_those_that_were_registered_are_not_loaded(register, tmp_path):
    register(SLUG, "--name", "mine")
    weights = next(tmp_path.rglob("model.pt"))
    other = weights.with_name("hardi.pt")
    shutil.copy(other, weights)
    record = json.loads(other.with_name("hardi.pt.json").read_text())
    weights.with_name("model.pt.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        mlflow.pyfunc.load_model("models:/mine/1")


def test_what_runs_have_left_in_the_folder_stays_there(register, write_bundle, tmp_path):
    bundle = write_bundle(tmp_path / "own")
    (bundle / "eval" / "Doe-Jane").mkdir(parents=True)
    (bundle / "eval" / "Doe-Jane" / "metrics.json").write_text("{}")
    answer, client = register(str(bundle))
    assert answer.exit_code == 0, answer.output
    assert client.get_model_version(bundle.name, "1").tags["bundle"] == bundle.name
    kept = {path.name for path in (tmp_path / "mlruns").rglob("*")}
    assert {"model.pt", "inference.json"} <= kept
    assert not {"Doe-Jane", "eval", "metrics.json"} & kept


def test_a_bundle_that_would_run_foreign_code_is_refused(register, write_bundle, tmp_path):
    bundle = write_bundle(tmp_path / "foreign", run=["$__import__('os').system('true')"])
    answer, client = register(str(bundle))
    assert answer.exit_code == 2
    assert "not in the allow-list" in answer.output
    assert client.search_registered_models() == []


def test_a_store_must_be_named(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    answer = CliRunner().invoke(main, ["register-model", SLUG])
    assert answer.exit_code == 2
    assert "--tracking-uri" in answer.output


def _version():
    return json.loads(Path(bundle_folder(SLUG), "configs", "metadata.json").read_text())["version"]
