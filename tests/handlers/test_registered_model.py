import mlflow
import pytest

from monai_cortex.data import bundle_folder
from monai_cortex.errors import CheckpointError, ConfigError, ResourceError
from monai_cortex.handlers import register_bundle

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CODE = "from monai_cortex.handlers.bundle_model import offer\noffer(lambda *_: [])\n"


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    return path


def test_versions_count_up_and_the_process_keeps_its_own_store(store, code, tmp_path):
    client, before = store[0], mlflow.get_tracking_uri()
    root, uri = bundle_folder("shd_deconvolution"), f"sqlite:///{tmp_path}/mlruns.db"
    found = [register_bundle(root, code, uri, name="fibers") for _ in range(2)]
    assert [(one.uri, one.store) for one in found] == [("models:/fibers/1", uri), ("models:/fibers/2", uri)]
    assert mlflow.get_tracking_uri() == before
    (model,) = client.search_registered_models()
    assert model.tags == {"bundle": "shd_deconvolution"}
    assert "fiber" in model.description.lower()
    assert {one.status for one in client.search_model_versions("name = 'fibers'")} == {"READY"}


def test_damaged_weights_are_not_registered(write_bundle, code, tmp_path):
    bundle = write_bundle(tmp_path)
    weights = bundle / "models" / "model.pt"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError):
        register_bundle(bundle, code, f"sqlite:///{tmp_path}/mlruns.db")
    assert not (tmp_path / "mlruns.db").exists()


def test_a_store_that_does_not_answer_is_named(write_bundle, code, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_cortex.handlers.registered_model._ENVIRONMENT", {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"})
    with pytest.raises(ResourceError, match="--tracking-uri"):
        register_bundle(write_bundle(tmp_path), code, "http://127.0.0.1:9")


def test_no_store_is_an_error(write_bundle, code, tmp_path):
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI"):
        register_bundle(write_bundle(tmp_path), code)
