import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from mlflow.tracking import MlflowClient
from monai.bundle import ConfigParser, verify_metadata, verify_net_in_out

from monai_cortex.data import bundle_folder, sha256
from monai_cortex.errors import ConfigError, CortexError, GeometryError
from monai_cortex.simulate import write_synthetic_brains

SLUG = "cor2vox_synthesis"
# Where white and pial surface are one, as on the medial wall of fsaverage5, a voxel may lie between them.
pytestmark = pytest.mark.filterwarnings("ignore:.*inside the white but outside the pial:UserWarning")
SMALL = {"channels": [4, 4, 4], "local_channels": 4}
TINY = {"steps": 2, "epochs": 1, "val_interval": 1, "patch": 16, "num_inference_steps": 2, "batch_size": 2, **SMALL}
PEOPLE = ("synthetic-0005", "synthetic-0006")


@pytest.fixture(scope="session")
def synthesize(workflow):
    return partial(workflow, slug=SLUG)


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    """Two synthetic people, imaged coarsely."""
    folder = tmp_path_factory.mktemp("brains")
    write_synthetic_brains(folder, 2, seed=5, spacing=2.0)
    return folder


@pytest.fixture(scope="module")
def taught(synthesize, brains, tmp_path_factory):
    """Output folder of a tiny training."""
    out = tmp_path_factory.mktemp("taught")
    synthesize("train", dataset_dir=str(brains), output_dir=str(out), **TINY).run()
    return out


@pytest.fixture(scope="module")
def drawn(synthesize, brains, tmp_path_factory):
    """Results of the shipped weights: two draws and an atrophy of the whole cortex."""
    out = tmp_path_factory.mktemp("drawn")
    options = {"dataset_dir": str(brains), "output_dir": str(out), "num_inference_steps": 3, "draws": 2}
    synthesize("inference", **options, atrophy_mm=[0.0, 1.0]).run()
    return out


def root_cause(error):
    while not isinstance(error, CortexError):
        error = error.__cause__ or error.__context__
    return error


def test_shipped_weights_draw_the_brain_that_the_surfaces_bound(drawn):
    metrics = json.loads((drawn / PEOPLE[0] / "metrics.json").read_text())
    assert metrics["ssim_full"] > 0.9
    assert metrics["white_assd_mm"] < 0.4  # voxels are wider than in training
    assert metrics["spacing_mm"] == [2.0, 2.0, 2.0]


def test_files_are_on_the_grid_of_the_subjects_image(drawn, brains):
    grid = nib.load(brains / PEOPLE[0] / "mri" / "T1.mgz")
    names = ["synth_T1w", "synth_std", "white_sdf", "pial_sdf", "atrophy-1.00mm_T1w", "atrophy-1.00mm_difference"]
    for name in names:
        path = drawn / PEOPLE[0] / f"{name}.nii.gz"
        image = nib.load(path)
        assert image.shape == grid.shape
        np.testing.assert_allclose(image.affine, grid.affine, atol=1e-4)
        record = json.loads(path.with_name(f"{name}.json").read_text())
        assert record["sha256"] == sha256(path)
        assert f"{PEOPLE[0]}/lh.white" in record["sources"]
    white, pial = (nib.load(drawn / PEOPLE[0] / f"{name}_sdf.nii.gz").get_fdata() for name in ("white", "pial"))
    assert white.min() >= -5
    assert ((white < 0) & (pial > 0.5)).sum() == 0


def test_no_dose_is_no_change_and_atrophy_darkens_the_outer_cortex(drawn):
    folder = drawn / PEOPLE[0]
    assert not nib.load(folder / "atrophy-0.00mm_difference.nii.gz").get_fdata().any()
    change = nib.load(folder / "atrophy-1.00mm_difference.nii.gz").get_fdata()
    pial = nib.load(folder / "pial_sdf.nii.gz").get_fdata()
    assert change[(pial > -1) & (pial < 0)].mean() < -0.05
    assert abs(change[pial > 3].mean()) < 0.02


def test_run_is_reported_and_tracked(drawn):
    assert "data:image/png;base64" in (drawn / "report.html").read_text()
    (run,) = MlflowClient(f"sqlite:///{drawn}/mlruns.db").search_runs(["1"])
    assert run.info.status == "FINISHED"
    assert any(name.endswith("ssim_brain") for name in run.data.metrics)


def test_training_leaves_averaged_weights_that_inference_takes(synthesize, brains, taught, tmp_path):
    weights, checkpoint = (torch.load(taught / name, weights_only=True) for name in ("model.pt", "checkpoint.pt"))
    assert all(torch.equal(weights[name], checkpoint["ema"][name]) for name in weights)
    options = {"dataset_dir": str(brains), "output_dir": str(tmp_path), "weights": str(taught / "model.pt")}
    synthesize("inference", **options, **SMALL, num_inference_steps=2, measure=False, track=False).run()
    assert (tmp_path / PEOPLE[1] / "qc.png").is_file()


def test_equal_seeds_give_equal_weights_bit_by_bit(synthesize, brains, taught, tmp_path):
    first = torch.load(taught / "model.pt", weights_only=True)
    for seed in (0, 1):
        out = tmp_path / str(seed)
        synthesize("train", dataset_dir=str(brains), output_dir=str(out), seed=seed, track=False, **TINY).run()
        state = torch.load(out / "model.pt", weights_only=True)
        assert all(torch.equal(first[key], state[key]) for key in first) == (seed == 0)


def test_interrupted_training_resumes_with_its_average(synthesize, brains, tmp_path):
    options = {"dataset_dir": str(brains), "track": False} | TINY | {"epochs": 2, "steps": 4}
    synthesize("train", output_dir=str(tmp_path / "whole"), **options).run()

    def interrupt(_):
        raise KeyboardInterrupt

    out = str(tmp_path / "parts")
    first = synthesize("train", output_dir=out, **options)
    first.parser.get_parsed_content("train::trainer").add_event_handler(Events.ITERATION_STARTED(once=3), interrupt)
    with pytest.raises(BaseException):  # noqa: B017, PT011 (the client may wrap it)
        first.run()
    assert not (tmp_path / "parts" / "model.pt").exists()
    synthesize("train", output_dir=out, resume=True, **options).run()
    whole, parts = (torch.load(tmp_path / name / "model.pt", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("peer", ["bbdm", "ddpm", "regression", "pix2pix"])
def test_peers_train_and_draw_in_the_same_framework(synthesize, brains, tmp_path, peer):
    options = {"dataset_dir": str(brains), "track": False}
    synthesize("train", peer, output_dir=str(tmp_path / "train"), **options, **TINY).run()
    config = "regression" if peer == "pix2pix" else peer
    extra = {"weights": str(tmp_path / "train" / "model.pt"), "num_inference_steps": 2, "measure": False}
    synthesize("inference", config, output_dir=str(tmp_path / "out"), **options, **extra, **SMALL).run()
    assert np.isfinite(nib.load(tmp_path / "out" / PEOPLE[0] / "synth_T1w.nii.gz").get_fdata()).all()


@pytest.mark.parametrize("aux", [[], ["ribbon"], ["pial", "white"]])
def test_channels_are_switched_by_name(synthesize, brains, tmp_path, aux):
    synthesize("train", dataset_dir=str(brains), output_dir=str(tmp_path), track=False, aux=aux, **TINY).run()
    first = torch.load(tmp_path / "model.pt", weights_only=True)["unet.conv_in.conv.weight"]
    assert first.shape[1] == 2 + len(aux)


def test_paper_names_the_published_size():
    parser = ConfigParser()
    parser.read_config([f"{bundle_folder(SLUG)}/configs/{name}.json" for name in ("train", "paper")])
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    assert round(sum(value.numel() for value in network.parameters()) / 1e6, 1) == 62.1
    assert parser.get_parsed_content("patch") == 128


def test_regions_without_annotation_are_refused(synthesize, brains, tmp_path):
    run = synthesize(
        "inference", dataset_dir=str(brains), output_dir=str(tmp_path), atrophy_mm=[0.5], atrophy_labels=["bankssts"]
    )
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the client wraps it)
        run.run()
    assert isinstance(root_cause(caught.value), ConfigError)


def test_swapped_surfaces_are_refused(synthesize, brains, tmp_path):
    place = tmp_path / "in" / "swapped" / "surf"
    place.mkdir(parents=True)
    for side in ("lh", "rh"):
        for name, other in (("white", "pial"), ("pial", "white")):
            (place / f"{side}.{name}").write_bytes((brains / PEOPLE[0] / "surf" / f"{side}.{other}").read_bytes())
    run = synthesize("inference", dataset_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"), track=False)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the client wraps it)
        run.run()
    assert isinstance(root_cause(caught.value), GeometryError)
    assert not (tmp_path / "out" / "swapped").exists()


def test_metadata_keep_the_schema(tmp_path):
    schema = Path(__file__).parents[2] / "configs" / "schema.json"
    local = Path(shutil.copy(schema, tmp_path / "schema.json"))
    path = f"{bundle_folder(SLUG)}/configs/metadata.json"
    verify_metadata(path, str(local), create_dir=False, hash_val=sha256(local), hash_type="sha256")


def test_network_takes_and_gives_what_the_metadata_say():
    root = bundle_folder(SLUG)
    files = {"meta_file": f"{root}/configs/metadata.json", "config_file": f"{root}/configs/inference.json"}
    verify_net_in_out(net_id="network_verify", bundle_root=root, **files)


@pytest.mark.slow
def test_the_stock_client_runs_it_as_a_subprocess(brains, tmp_path):
    config = f"{bundle_folder(SLUG)}/configs/inference.json"
    words = ["--config_file", config, "--dataset_dir", str(brains), "--output_dir", str(tmp_path)]
    command = [sys.executable, "-m", "monai.bundle", "run", *words, "--num_inference_steps", "2", "--measure", "False"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / PEOPLE[0] / "synth_T1w.nii.gz").is_file()
