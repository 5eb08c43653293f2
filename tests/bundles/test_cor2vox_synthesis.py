import json
import shutil
from functools import partial

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_cortex.data import bundle_folder, sha256
from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.simulate import write_synthetic_brains

SLUG = "cor2vox_synthesis"
# Where white and pial surface are one, as on the medial wall of fsaverage5, a voxel may lie between them.
pytestmark = pytest.mark.filterwarnings("ignore:.*inside the white but outside the pial:UserWarning")
SMALL = {"channels": [4, 4, 4], "local_channels": 4}
TINY = {"steps": 2, "epochs": 1, "val_interval": 1, "patch": 16, "num_inference_steps": 2, "batch_size": 2, **SMALL}
BRAIN, PERSON = "synthetic-0005", "synthetic-0001"


@pytest.fixture(scope="session")
def synthesize(workflow):
    return partial(workflow, slug=SLUG)


@pytest.fixture(scope="module")
def brain(tmp_path_factory):
    """One synthetic person, imaged coarsely; where only the workflow counts, thick shells are people enough."""
    folder = tmp_path_factory.mktemp("brain")
    write_synthetic_brains(folder, 1, seed=5, spacing=2.0)
    return folder


@pytest.fixture(scope="module")
def taught(synthesize, synthetic_people, tmp_path_factory):
    """Output folder of a tiny training."""
    out = tmp_path_factory.mktemp("taught")
    synthesize("train", dataset_dir=str(synthetic_people), output_dir=str(out), **TINY).run()
    return out


@pytest.fixture(scope="module")
def drawn(synthesize, brain, tmp_path_factory):
    """Results of the shipped weights: two draws and an atrophy of the whole cortex."""
    out = tmp_path_factory.mktemp("drawn")
    options = {"dataset_dir": str(brain), "output_dir": str(out), "num_inference_steps": 3, "draws": 2}
    synthesize("inference", **options, atrophy_mm=[0.0, 1.0]).run()
    return out


def test_shipped_weights_draw_the_brain_that_the_surfaces_bound(drawn):
    metrics = json.loads((drawn / BRAIN / "metrics.json").read_text())
    assert metrics["ssim_full"] > 0.9
    assert metrics["white_assd_mm"] < 0.4  # voxels are wider than in training
    assert metrics["spacing_mm"] == [2.0, 2.0, 2.0]


def test_files_are_on_the_grid_of_the_subjects_image(drawn, brain):
    grid = nib.load(brain / BRAIN / "mri" / "T1.mgz")
    names = ["synth_T1w", "synth_std", "white_sdf", "pial_sdf", "atrophy-1.00mm_T1w", "atrophy-1.00mm_difference"]
    for name in names:
        path = drawn / BRAIN / f"{name}.nii.gz"
        image = nib.load(path)
        assert image.shape == grid.shape
        np.testing.assert_allclose(image.affine, grid.affine, atol=1e-4)
        record = json.loads(path.with_name(f"{name}.json").read_text())
        assert record["sha256"] == sha256(path)
        assert f"{BRAIN}/lh.white" in record["sources"]
    white, pial = (nib.load(drawn / BRAIN / f"{name}_sdf.nii.gz").get_fdata() for name in ("white", "pial"))
    assert white.min() >= -5
    assert ((white < 0) & (pial > 0.5)).sum() == 0


def test_no_dose_is_no_change_and_atrophy_darkens_the_outer_cortex(drawn):
    folder = drawn / BRAIN
    assert not nib.load(folder / "atrophy-0.00mm_difference.nii.gz").get_fdata().any()
    change = nib.load(folder / "atrophy-1.00mm_difference.nii.gz").get_fdata()
    pial = nib.load(folder / "pial_sdf.nii.gz").get_fdata()
    assert change[(pial > -1) & (pial < 0)].mean() < -0.05
    assert abs(change[pial > 3].mean()) < 0.02


def test_run_is_reported_and_tracked(tracked, drawn):
    assert "data:image/png;base64" in (drawn / "report.html").read_text()
    run = tracked(drawn)
    assert any(name.endswith("ssim_brain") for name in run.data.metrics)


def test_training_leaves_averaged_weights_that_inference_takes(synthesize, synthetic_people, taught, tmp_path):
    weights, checkpoint = (torch.load(taught / name, weights_only=True) for name in ("model.pt", "checkpoint.pt"))
    assert all(torch.equal(weights[name], checkpoint["ema"][name]) for name in weights)
    options = {"dataset_dir": str(synthetic_people), "output_dir": str(tmp_path), "weights": str(taught / "model.pt")}
    synthesize("inference", **options, **SMALL, num_inference_steps=2, measure=False, track=False).run()
    assert (tmp_path / PERSON / "qc.png").is_file()


def test_equal_seeds_give_equal_weights_bit_by_bit(synthesize, synthetic_people, taught, tmp_path):
    first = torch.load(taught / "model.pt", weights_only=True)
    for seed in (0, 1):
        out = tmp_path / str(seed)
        synthesize(
            "train", dataset_dir=str(synthetic_people), output_dir=str(out), seed=seed, track=False, **TINY
        ).run()
        state = torch.load(out / "model.pt", weights_only=True)
        assert all(torch.equal(first[key], state[key]) for key in first) == (seed == 0)


def test_interrupted_training_resumes_with_its_average(synthesize, synthetic_people, resumed):
    whole, parts = resumed(synthesize, dataset_dir=str(synthetic_people), **TINY)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("peer", ["bbdm", "ddpm", "regression", "pix2pix"])
def test_peers_train_and_draw_in_the_same_framework(synthesize, synthetic_people, tmp_path, peer):
    options = {"dataset_dir": str(synthetic_people), "track": False}
    synthesize("train", peer, output_dir=str(tmp_path / "train"), **options, **TINY).run()
    config = "regression" if peer == "pix2pix" else peer
    extra = {"weights": str(tmp_path / "train" / "model.pt"), "num_inference_steps": 2, "measure": False}
    synthesize("inference", config, output_dir=str(tmp_path / "out"), **options, **extra, **SMALL).run()
    assert np.isfinite(nib.load(tmp_path / "out" / PERSON / "synth_T1w.nii.gz").get_fdata()).all()


@pytest.mark.parametrize("aux", [[], ["ribbon"], ["pial", "white"]])
def test_channels_are_switched_by_name(synthesize, synthetic_people, tmp_path, aux):
    synthesize("train", dataset_dir=str(synthetic_people), output_dir=str(tmp_path), track=False, aux=aux, **TINY).run()
    first = torch.load(tmp_path / "model.pt", weights_only=True)["unet.conv_in.conv.weight"]
    assert first.shape[1] == 2 + len(aux)


def test_paper_names_the_published_size():
    parser = ConfigParser()
    parser.read_config([f"{bundle_folder(SLUG)}/configs/{name}.json" for name in ("train", "paper")])
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    assert round(sum(value.numel() for value in network.parameters()) / 1e6, 1) == 62.1
    assert parser.get_parsed_content("patch") == 128
    assert parser.get_parsed_content("scheduler").max_variance == 1


def test_regions_without_annotation_are_refused(synthesize, synthetic_people, refusal, tmp_path):
    shutil.copytree(synthetic_people / PERSON, tmp_path / "in" / PERSON, ignore=shutil.ignore_patterns("label"))
    options = {"dataset_dir": str(tmp_path / "in"), "output_dir": str(tmp_path / "out"), "track": False}
    run = synthesize("inference", **options, atrophy_mm=[0.5], atrophy_labels=["front"])
    assert isinstance(refusal(run), ConfigError)


def test_swapped_surfaces_are_refused(synthesize, synthetic_people, refusal, tmp_path):
    place = tmp_path / "in" / "swapped" / "surf"
    place.mkdir(parents=True)
    for side in ("lh", "rh"):
        for name, other in (("white", "pial"), ("pial", "white")):
            (place / f"{side}.{name}").write_bytes(
                (synthetic_people / PERSON / "surf" / f"{side}.{other}").read_bytes()
            )
    run = synthesize("inference", dataset_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"), track=False)
    assert isinstance(refusal(run), GeometryError)
    assert not (tmp_path / "out" / "swapped").exists()


def test_the_stock_client_runs_it_as_a_subprocess(synthetic_people, stock_client, tmp_path):
    places = {"dataset_dir": synthetic_people, "output_dir": tmp_path}
    done = stock_client(SLUG, tmp_path, **places, num_inference_steps=2, measure=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / PERSON / "synth_T1w.nii.gz").is_file()
