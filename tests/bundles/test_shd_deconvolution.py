import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from monai.bundle import ConfigParser

from monai_cortex.data import bundle_folder, sha256
from monai_cortex.simulate import crossing_scene, simulate_diffusion, write_simulated_diffusion

SLUG = "shd_deconvolution"
README = Path(__file__).parents[2] / "bundles" / SLUG / "docs" / "README.md"
SIZES = {"wmfod": 45, "csf": 1, "peaks": 15, "residual": 1}


@pytest.fixture(scope="module")
def inferred(workflow, scans, trained_network, tmp_path_factory):
    out = tmp_path_factory.mktemp("inferred")
    workflow("inference", "evaluate", dataset_dir=str(scans), output_dir=str(out), **trained_network).run()
    return out


@pytest.fixture(scope="module")
def shipped(workflow, scans, tmp_path_factory):
    """Results of the sample scan with the shipped weights."""
    out = tmp_path_factory.mktemp("shipped")
    workflow("inference", dataset_dir=str(scans), output_dir=str(out), track=False).run()
    return out / "small_64D"


def test_training_leaves_weights_checkpoint_report_and_database(trained):
    names = {path.name for path in trained.iterdir()}
    assert names >= {"model.pt", "checkpoint.pt", "report.html", "report.json", "mlruns.db", "figures"}
    weights = torch.load(trained / "model.pt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert json.loads((trained / "report.json").read_text())["metrics"]["residual_percent"] > 0


def test_training_is_one_finished_run_with_all_that_repeats_it(tracked, trained, scans):
    run, client = tracked(trained, "train"), MlflowClient(f"sqlite:///{trained}/mlruns.db")
    assert "val/residual_percent" in run.data.metrics
    assert [m.step for m in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2]
    assert "model.pt" in {file.path for file in client.list_artifacts(run.info.run_id)}
    assert str(scans) not in str(run.data)


def test_equal_seeds_give_equal_weights_bit_by_bit(workflow, scans, tiny, tmp_path):
    states = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        options = tiny | {"seed": seed, "track": False, "val_interval": 9}
        workflow("train", dataset_dir=str(scans), output_dir=str(tmp_path / name), **options).run()
        states.append(torch.load(tmp_path / name / "model.pt", weights_only=True))
    first, second, other = states
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_result_files_lie_on_the_grid_of_the_scan_and_say_what_they_are(inferred, scans):
    scan = nib.load(scans / "small_64D" / "dwi.nii.gz")
    for name, count in SIZES.items():
        image = nib.load(inferred / "small_64D" / f"{name}.nii.gz")
        assert image.shape == (*scan.shape[:3], count)
        np.testing.assert_allclose(image.affine, scan.affine, atol=1e-5)
        record = json.loads((inferred / "small_64D" / f"{name}.json").read_text())
        assert record["sha256"] == sha256(inferred / "small_64D" / f"{name}.nii.gz")
        assert "small_64D/dwi.nii.gz" in record["sources"]
        assert record["units"]
        assert record["convention"]
    assert (inferred / "small_64D" / "qc.png").read_bytes()[:4] == b"\x89PNG"


def test_inference_is_one_run_that_can_be_compared(tracked, inferred):
    assert "val/residual_percent" in tracked(inferred).data.metrics


def test_comparison_measures_both_methods(inferred):
    metrics = json.loads((inferred / "small_64D" / "metrics.json").read_text())
    assert 0 < metrics["csd_residual_percent"] < 40
    assert 0 <= metrics["median_angle_to_csd_degree"] <= 90
    assert metrics["voxels"] == 144


def test_no_staging_files_are_left(inferred, trained):
    left = [path.name for folder in (inferred, trained) for path in folder.rglob("*") if path.name.startswith(".")]
    assert left == []


def test_sphere_and_hemisphere_give_the_same_files(workflow, scans, trained_network, inferred, tmp_path):
    options = {"dataset_dir": str(scans), "output_dir": str(tmp_path), "hemisphere": False, "track": False}
    workflow("inference", **options, **trained_network).run()
    whole, half = (nib.load(out / "small_64D" / "wmfod.nii.gz").get_fdata() for out in (tmp_path, inferred))
    np.testing.assert_allclose(whole, half, atol=1e-5 * np.abs(half).max())


SWITCHES = [
    {"patch": 1},
    {"hemisphere": False},
    {"total_variation": 0, "tissues": ["wm"]},
    {"input_directions": 15, "sparsity_form": "welsch"},
    {"linear": False, "lmax": 6, "response": "tensor"},
    {"network_def#network#spatial_pooling": True},
    {"network_def#network#_target_": "monai_cortex.networks.nets.HarmonicUNet"},
]


@pytest.mark.parametrize("switch", SWITCHES)
def test_switches_train(workflow, scans, tiny, tmp_path, switch):
    options = tiny | {"steps": 2, "epochs": 1, "val_interval": 9, "track": False} | switch
    training = workflow("train", dataset_dir=str(scans), output_dir=str(tmp_path), **options)
    training.run()
    network = training.parser.get_parsed_content("network_def")
    mixes = any(name.endswith("spatial_weight") for name, _ in network.named_parameters())
    assert mixes == ("patch" not in switch and "network_def#network#_target_" not in switch)
    assert (tmp_path / "model.pt").is_file()


def test_supervision_without_known_orientations_is_refused(workflow, scans, tiny, refusal, tmp_path):
    options = tiny | {"supervised": 1.0, "track": False}
    error = refusal(workflow("train", dataset_dir=str(scans), output_dir=str(tmp_path), **options))
    assert "train on simulated scans, or set supervised to 0" in str(error)


def test_amounts_reach_both_ways_to_infer(workflow, tmp_path):
    for overlays in ((), ("evaluate",)):
        made = workflow("inference", *overlays, output_dir=str(tmp_path), track=False, amounts="b0")
        steps = made.parser.get_parsed_content("postprocessing")
        first = steps.transforms[0] if overlays else steps
        assert first.transform.amounts == "b0"
        assert not overlays or steps.transforms[1].transform.amounts == "predicted"


def test_sizes_of_the_paper_train(workflow, scans, tmp_path):
    """One step on one crop; the schedule stays that of the paper."""
    options = {"steps": 1, "epochs": 1, "crops": 1, "val_interval": 2, "track": False}
    training = workflow("train", "paper", dataset_dir=str(scans), output_dir=str(tmp_path), **options)
    training.run()
    weights = torch.load(tmp_path / "model.pt", weights_only=True)
    assert max(value.shape[0] for value in weights.values() if value.ndim) == 256
    assert training.parser.get_parsed_content("network_def").readout.shape == (190, 384)


@pytest.mark.parametrize("start", ["weights", "nothing"])
def test_fit_adapts_weights_and_infers(workflow, scans, trained, tiny, tmp_path, start):
    weights = str(trained / "model.pt") if start == "weights" else None
    options = {"dataset_dir": str(scans), "weights": weights, "channels": tiny["channels"], "steps": 3}
    options["seed"] = 5  # of other random weights than those that training started from
    workflow("fit", output_dir=str(tmp_path), **options).run()
    assert {f"{name}.nii.gz" for name in SIZES} <= {path.name for path in (tmp_path / "small_64D").iterdir()}
    before, after = (torch.load(folder / "model.pt", weights_only=True) for folder in (trained, tmp_path))
    largest = max(float((before[key] - after[key]).abs().max()) for key in before if "weight" in key)
    # Three steps of the fine rate go nowhere far; random weights are elsewhere.
    assert 0 < largest < 0.1 if start == "weights" else largest > 0.1
    (run,) = MlflowClient(f"sqlite:///{tmp_path}/mlruns.db").search_runs(["1"])
    assert run.info.status == "FINISHED"


OVERLAYS = {"multishell": ("multishell_3x32", "gm"), "hardi": ("hardi_64", "csf")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_have_weights_of_their_protocol(workflow, refusal, tmp_path, overlay):
    protocol, tissue = OVERLAYS[overlay]
    scan = simulate_diffusion(1, protocol, scene=crossing_scene(0, 90), shape=(10, 10, 3))
    write_simulated_diffusion(tmp_path / "scans" / "s1", scan)
    options = {"dataset_dir": str(tmp_path / "scans"), "output_dir": str(tmp_path / "out"), "track": False}
    workflow("inference", overlay, **options).run()
    assert (tmp_path / "out" / "s1" / f"{tissue}.nii.gz").is_file()
    metrics = json.loads((tmp_path / "out" / "s1" / "metrics.json").read_text())
    assert metrics["fiber_f1"] > 0.95
    assert metrics["fiber_angular_error_degree"] < 5
    error = refusal(workflow("inference", **options))  # weights of b = 1000 s/mm^2
    assert "other shells than the network" in str(error)


@pytest.mark.parametrize("kind", ["train", "infer"])
def test_workflow_has_all_properties(workflow, scans, trained_network, tmp_path, kind):
    name = "train" if kind == "train" else "inference"
    weights = {} if kind == "train" else trained_network
    made = workflow(name, dataset_dir=str(scans), output_dir=str(tmp_path), track=False, **weights)
    assert made.check_properties() == []


@pytest.mark.parametrize("overlays", [(), ("paper",)])
def test_training_weighs_the_terms_as_stated(overlays):
    """The paper's, which its own overlay repeats."""
    parser = ConfigParser()
    parser.read_config([f"{bundle_folder(SLUG)}/configs/{name}.json" for name in ("train", *overlays)])
    found = parser.get_parsed_content("loss").weights
    assert found == {
        "reconstruction": 1,
        "non_negativity": 0.1,
        "sparsity": 5e-5,
        "total_variation": 0.5,
        "supervised": 0,
        "isotropy": 0,
    }


def test_shipped_weights_fit_the_shipped_network(workflow, tmp_path):
    made = workflow("inference", output_dir=str(tmp_path), track=False)
    network = made.parser.get_parsed_content("network")
    assert f"{sum(part.numel() for part in network.parameters()):,} parameters" in README.read_text()
    with torch.no_grad():
        assert network.eval()(torch.rand(1, 180, 4, 4, 4)).shape == (1, 46, 4, 4, 4)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "dwi.bval").write_text("0 1000 1000"), "3"),
        (lambda folder: (folder / "dwi.nii.gz").write_bytes((folder / "dwi.nii.gz").read_bytes()[:-400]), "truncated"),
        (lambda folder: (folder / "response_wm.txt").write_text("1 2\n3 4\n5 6\n7 8\n"), "4 rows"),
    ],
    ids=["counts", "truncated", "response"],
)
def test_bad_input_is_one_clear_error_and_leaves_no_result(
    workflow, scans, trained_network, refusal, tmp_path, spoil, words
):
    shutil.copytree(scans, tmp_path / "scans")
    spoil(tmp_path / "scans" / "small_64D")
    places = {"dataset_dir": str(tmp_path / "scans"), "output_dir": str(tmp_path / "out")}
    run = workflow("inference", **places, **trained_network, track=False)
    error = refusal(run)
    assert words in str(error)
    assert "remedy" in str(error)
    assert not (tmp_path / "out" / "small_64D").exists()


@pytest.mark.skipif(shutil.which("sh2peaks") is None, reason="MRtrix3 (sh2peaks) is not installed")
def test_mrtrix_reads_the_orientations_and_finds_the_same_peaks(shipped, tmp_path):
    command = ["sh2peaks", "-quiet", "-num", "1", str(shipped / "wmfod.nii.gz"), str(tmp_path / "peaks.nii.gz")]
    subprocess.run(command, check=True)
    theirs = nib.load(tmp_path / "peaks.nii.gz").get_fdata()
    assert _angles(_first_peaks(shipped), theirs).max() < 1


@pytest.mark.skipif(shutil.which("tckgen") is None, reason="MRtrix3 (tckgen) is not installed")
def test_mrtrix_tracks_through_the_orientations(shipped, scans, tmp_path):
    tracks = tmp_path / "tracks.tck"
    seeds = ["-seed_image", str(scans / "small_64D" / "mask.nii.gz"), "-select", "20", "-minlength", "4", "-seeds", "0"]
    command = ["tckgen", "-quiet", "-cutoff", "0.05", *seeds, str(shipped / "wmfod.nii.gz"), str(tracks)]
    subprocess.run(command, check=True, timeout=60)
    assert len(nib.streamlines.load(tracks).streamlines) == 20


def test_dipy_reads_the_orientations_and_finds_the_same_peaks(shipped):
    pytest.importorskip("dipy", reason="dipy is not installed")
    from dipy.data import get_sphere
    from dipy.reconst.shm import sh_to_sf

    sphere = get_sphere(name="repulsion724").subdivide(n=4)
    coefficients = nib.load(shipped / "wmfod.nii.gz").get_fdata()
    values = sh_to_sf(coefficients, sphere, sh_order_max=8, basis_type="tournier07", legacy=False)
    ours = _first_peaks(shipped)
    assert _angles(ours, sphere.vertices[values.argmax(-1)]).max() < 1  # the sphere's vertices lie half a degree apart
    heights = np.nan_to_num(np.linalg.norm(ours, axis=-1))  # no peak where there is no white matter
    np.testing.assert_allclose(heights, values.max(-1), rtol=5e-3, atol=1e-5)


def test_stock_client_runs_from_another_folder_and_is_plain_about_mistakes(scans, stock_client, tmp_path):
    done = stock_client(SLUG, tmp_path, dataset_dir=scans, output_dir="results", track=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "small_64D" / "wmfod.nii.gz").is_file()
    done = stock_client(SLUG, tmp_path, dataset_dir="missing", output_dir="none", track=False)
    assert done.returncode != 0
    assert "InputFileError: the dataset folder does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none" / "small_64D").exists()


def _angles(first, second):
    cosine = np.abs((first * second).sum(-1)) / (np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine[np.isfinite(cosine)], 0, 1)))


def _first_peaks(folder):
    return nib.load(folder / "peaks.nii.gz").get_fdata()[..., :3]
