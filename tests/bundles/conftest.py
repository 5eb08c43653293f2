import subprocess
import sys

import pytest
import torch
from ignite.engine import Events
from mlflow import MlflowClient
from monai.bundle import ConfigWorkflow
from monai.utils import set_determinism

from monai_cortex.data import bundle_folder
from monai_cortex.errors import CortexError

TINY = {"steps": 4, "epochs": 2, "val_interval": 1, "channels": [2, 2, 2]}


TAGS = {"bundle", "bundle_version", "git_revision", "device", "seed", "data"}
COST = {"run/seconds", "run/peak_memory_mb"}
SHARED = {
    "train": COST | {"train/loss", "train/learning_rate"},
    "inference": COST | {"run/subjects", "run/seconds_per_subject", "val/inference_time_s"},
}


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    """Seeds and deterministic algorithms end with the test that asked for them."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def workflow():
    """Make a stock workflow of a bundle's configs, by name and overrides, initialized as the client does."""

    def make(*names, slug="shd_deconvolution", **overrides):
        files = [f"{bundle_folder(slug)}/configs/{name}.json" for name in names]
        kind = "train" if "train" in names else "infer"
        made = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **overrides)
        made.initialize()
        return made

    return make


@pytest.fixture(scope="session")
def stock_client():
    """Start the inference of a bundle as one types it, from a folder; gives the process when it has ended."""

    def run(slug, folder, **overrides):
        config = f"{bundle_folder(slug)}/configs/inference.json"
        words = [word for name, value in overrides.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config, *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def refusal():
    """Run a workflow that has to fail; gives the error of ours that the stock client has wrapped."""

    def run(made):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (the client's own, of any class)
            made.run()
        error = caught.value
        while not isinstance(error, CortexError):
            error = error.__cause__ or error.__context__
        return error

    return run


@pytest.fixture
def resumed(tmp_path):
    """Weights of a training of four steps, and of one that was interrupted in the third and went on."""

    def train(start, **options):
        options |= {"track": False, "epochs": 2, "steps": 4}
        start("train", output_dir=str(tmp_path / "whole"), **options).run()

        def interrupt(_):
            raise KeyboardInterrupt

        out = str(tmp_path / "parts")
        first = start("train", output_dir=out, **options)
        first.parser.get_parsed_content("train::trainer").add_event_handler(Events.ITERATION_STARTED(once=3), interrupt)
        with pytest.raises(BaseException):  # noqa: B017, PT011 (the client may wrap it)
            first.run()
        assert not (tmp_path / "parts" / "model.pt").exists()
        start("train", output_dir=out, resume=True, **options).run()
        return [torch.load(tmp_path / name / "model.pt", weights_only=True) for name in ("whole", "parts")]

    return train


@pytest.fixture(scope="session")
def tracked():
    """The only run of an output folder, finished, with the names by which runs of all methods are compared."""

    def find(out, kind="inference"):
        client = MlflowClient(f"sqlite:///{out}/mlruns.db")
        (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
        assert run.info.status == "FINISHED"
        assert set(run.data.tags) >= TAGS
        assert set(run.data.metrics) >= SHARED[kind]
        assert all(run.data.metrics[name] > 0 for name in SHARED[kind])
        assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {
            "report.html",
            "report.json",
            "figures",
        }
        return run

    return find


@pytest.fixture(scope="session")
def trained(workflow, scans, tmp_path_factory):
    """Output folder of a tiny training."""
    out = tmp_path_factory.mktemp("trained")
    workflow("train", dataset_dir=str(scans), output_dir=str(out), **TINY).run()
    return out


@pytest.fixture(scope="session")
def trained_network(trained):
    """Options of an inference with the weights of that training."""
    return {"weights": str(trained / "model.pt"), "channels": TINY["channels"]}


@pytest.fixture(scope="session")
def tiny():
    return dict(TINY)
