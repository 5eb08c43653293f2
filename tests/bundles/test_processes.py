"""Training by two processes is training by one: losses, one MLflow run, and a checkpoint that either goes on from."""

import os
import subprocess
import sys

import pytest
from mlflow.tracking import MlflowClient

from monai_cortex.data import bundle_folder, write_samples
from monai_cortex.simulate import (
    crossing_scene,
    simulate_diffusion,
    write_simulated_diffusion,
    write_synthetic_brains,
    write_synthetic_hearts,
)

STEPS = {"steps": 4, "epochs": 2, "val_interval": 1}
OPTIONS = {
    "shd_deconvolution": {"channels": [2, 2, 2], "patch": 4, "val_subjects": 2},
    "cor2vox_synthesis": {"channels": [4, 4, 4], "local_channels": 4, "patch": 16, "num_inference_steps": 2},
    "fsdiffreg_cardiac": {
        "network_options": {"width": 4, "multipliers": [1, 2]},
        "spacing": [3.0, 3.0, 6.3],
        "roi": [64, 64, 8],
        "patch": [32, 32],
    },
    "spherical_diffusion_registration": {
        "channels": [4, 4],
        "network_level": 3,
        "degree": 8,
        "field_degree": 4,
        "passes": 2,
    },
}
FIRST = {"train#trainer#max_epochs": 1}
RESUMED = {"resume": True}


@pytest.fixture
def dataset(tmp_path):
    """Write three subjects of a method, as small as they come; gives the folder."""

    def write(slug):
        folder = tmp_path / "dataset"
        if slug == "cor2vox_synthesis":
            write_synthetic_brains(folder, 3, seed=5, spacing=2.0)
        elif slug == "fsdiffreg_cardiac":
            write_synthetic_hearts(folder, 3, seed=3)
        elif slug == "spherical_diffusion_registration":
            write_samples(slug, folder)
        for seed in range(3 * (slug == "shd_deconvolution")):
            scan = simulate_diffusion(seed, "clinical_16", scene=crossing_scene(0, 90), shape=(6, 6, 4))
            write_simulated_diffusion(folder / f"s{seed}", scan)
        return {"dataset_dir": str(folder)}

    return write


def two_processes(slug, options):
    """Train with torchrun."""
    configs = [f"{bundle_folder(slug)}/configs/{name}.json" for name in ("train", "multi_gpu_train")]
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    command += ["monai.bundle", "run", "--config_file", str(configs), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]


def metrics(folder):
    """Losses and validations of all epochs, of as many runs as there should be."""
    client = MlflowClient(f"sqlite:///{folder}/mlruns.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()], order_by=["start_time"])
    assert {run.info.status for run in runs} == {"FINISHED"}
    names = [name for name in runs[0].data.metrics if name == "train/loss" or name.startswith("val/")]
    assert len(names) == 2
    histories = {name: [client.get_metric_history(run.info.run_id, name) for run in runs] for name in names}
    return len(runs), {name: [m.value for run in values for m in run] for name, values in histories.items()}


@pytest.fixture
def whole(workflow, dataset, tmp_path):
    """Train with one process; gives the options and the metrics."""

    def train(slug):
        options = OPTIONS[slug] | STEPS | dataset(slug)
        workflow("train", slug=slug, **options, batch_size=2, output_dir=str(tmp_path / "whole")).run()
        return options, metrics(tmp_path / "whole")[1]

    return train


@pytest.mark.parametrize("first", [2, pytest.param(1, marks=pytest.mark.whole)])
def test_training_goes_on_with_another_number_of_processes(workflow, whole, tmp_path, first):
    """The first epoch by two and the second by one, or the other way round, are an uninterrupted training by one."""
    slug = "shd_deconvolution"
    options, expected = whole(slug)
    options |= {"output_dir": str(tmp_path / "parts")}
    for number, part in ((first, FIRST), (3 - first, RESUMED)):
        if number == 2:
            two_processes(slug, options | part | {"batch_size": 1})
        else:
            workflow("train", slug=slug, **options, **part, batch_size=2).run()
    runs, found = metrics(tmp_path / "parts")
    assert runs == 2  # one for each command, however many processes it starts
    assert found["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-5)
    assert found["val/residual_percent"] == pytest.approx(expected["val/residual_percent"], rel=1e-4)


@pytest.mark.filterwarnings("ignore:.* inside the white but outside the pial surface")
@pytest.mark.parametrize("slug", [slug for slug in OPTIONS if slug != "shd_deconvolution"])
def test_two_processes_have_the_losses_of_one(whole, tmp_path, request, slug):
    if not request.config.getoption("whole"):
        pytest.skip("trains each method in three processes; asked for with --whole")
    options, expected = whole(slug)
    two_processes(slug, options | {"batch_size": 1, "output_dir": str(tmp_path / "two")})
    runs, found = metrics(tmp_path / "two")
    assert runs == 1
    assert found["train/loss"] == pytest.approx(expected["train/loss"], rel=1e-5)
