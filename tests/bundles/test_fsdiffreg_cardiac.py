import json
import shutil
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from monai.bundle import ConfigParser

from monai_cortex.__main__ import main
from monai_cortex.data import bundle_folder, sha256, write_volume
from monai_cortex.errors import ConfigError
from monai_cortex.simulate import write_synthetic_hearts

SLUG = "fsdiffreg_cardiac"
HEARTS = ("heart-0003", "heart-0004")
WEIGHTS = Path(bundle_folder(SLUG)) / "models" / "model.pt"
EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
# A coarse grid, to be quick.
GRID = {"spacing": [3.0, 3.0, 6.3], "roi": [64, 64]}
SMALL = {"network_options": {"width": 4, "multipliers": [1, 2]}, **GRID}
TINY = {"steps": 2, "epochs": 1, "val_interval": 1, "patch": [32, 32], **SMALL}
REFINED = {"refine_options": {"levels": [[[4, 4, 1], 5, 2]]}}
VOLUMES = ("warped", "warped_seg", "warp", "inverse_warp", "jacobian", "score")
FILES = {
    *(f"{name}{end}" for name in VOLUMES for end in (".nii.gz", ".json")),
    *("transform.h5", "transform.json", "metrics.json", "qc.png"),
}


@pytest.fixture(scope="session")
def register(workflow):
    return partial(workflow, slug=SLUG)


@pytest.fixture(scope="session")
def hearts(tmp_path_factory):
    """Two simulated hearts with labels and true motion."""
    folder = tmp_path_factory.mktemp("hearts")
    write_synthetic_hearts(folder, 2, seed=3)
    return folder


@pytest.fixture(scope="module")
def taught(register, hearts, tmp_path_factory):
    """Output folder of a tiny training on known motion."""
    out = tmp_path_factory.mktemp("taught")
    register("train", "simulated", dataset_dir=str(hearts), output_dir=str(out), **TINY).run()
    return out


@pytest.fixture(scope="module")
def moved(register, hearts, taught, tmp_path_factory):
    """Results of its weights, then refined."""
    out = tmp_path_factory.mktemp("moved")
    options = {"dataset_dir": str(hearts), "output_dir": str(out), "weights": str(taught / "model.pt")}
    register("inference", **options, **SMALL, **REFINED).run()
    return out


@pytest.fixture
def unlabeled(hearts, tmp_path):
    """A pair of images and nothing else."""
    place = tmp_path / "pairs" / "one"
    place.mkdir(parents=True)
    for name in ("fixed.nii.gz", "moving.nii.gz"):
        shutil.copy(hearts / HEARTS[0] / name, place)
    return place.parent


@pytest.fixture
def acdc(hearts, tmp_path):
    """The first heart as ACDC has it: frame 1 at end diastole, which is the moving image, and frame 9 at systole."""
    place = tmp_path / "training" / "patient001"
    place.mkdir(parents=True)
    (place / "Info.cfg").write_text("ED: 1\nES: 9\nGroup: NOR\n")
    for frame, name in (("01", "moving"), ("09", "fixed")):
        shutil.copy(hearts / HEARTS[0] / f"{name}.nii.gz", place / f"patient001_frame{frame}.nii.gz")
        shutil.copy(hearts / HEARTS[0] / f"{name}_seg.nii.gz", place / f"patient001_frame{frame}_gt.nii.gz")
    return tmp_path


def volume(path):
    return nib.load(path).get_fdata()


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("heart", HEARTS)
def test_all_files_of_the_contract_are_there(moved, heart):
    assert {path.name for path in (moved / heart).iterdir()} == FILES
    for name in (*(f"{name}.nii.gz" for name in VOLUMES), "transform.h5"):
        record = json.loads((moved / heart / f"{name.split('.')[0]}.json").read_text())
        assert record["sha256"] == sha256(moved / heart / name)
        assert record["registered_by"] == ["network", "refinement"]
        assert any("fixed.nii.gz" in source for source in record["sources"])
    assert (moved / heart / "qc.png").read_bytes().startswith(b"\x89PNG")


def test_files_are_on_the_grid_of_the_fixed_image(moved, hearts):
    grid = nib.load(hearts / HEARTS[0] / "fixed.nii.gz")
    for name in VOLUMES:
        image = nib.load(moved / HEARTS[0] / f"{name}.nii.gz")
        assert image.shape[:3] == grid.shape
        np.testing.assert_allclose(image.affine, grid.affine, atol=1e-4)
        assert np.isfinite(image.get_fdata()).all()
    for name in ("warp", "inverse_warp"):
        image = nib.load(moved / HEARTS[0] / f"{name}.nii.gz")
        assert image.shape[3:] == (1, 3)
        assert image.header["intent_code"] == 1007


@pytest.mark.parametrize("kind", ["image", "labels"])
def test_field_of_the_file_makes_the_warped_file(moved, hearts, tmp_path, kind):
    source, name, words = {
        "image": ("moving.nii.gz", "warped", []),
        "labels": ("moving_seg.nii.gz", "warped_seg", ["--labels"]),
    }[kind]
    place, heart = moved / HEARTS[0], hearts / HEARTS[0]
    command = ["apply", str(place / "warp.nii.gz"), str(heart / source), str(tmp_path / "again.nii.gz"), *words]
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 0, answer.output
    found, expected = volume(tmp_path / "again.nii.gz"), volume(place / f"{name}.nii.gz")
    assert np.abs(expected - volume(heart / source)).max() > 0, "nothing was moved"
    if kind == "labels":
        assert (found != expected).mean() < 1e-4  # voxels that lie half way between two
        assert set(np.unique(expected)) == {0, 1, 2, 3}
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * expected.max())


def test_metrics_tell_what_network_and_refinement_did(moved):
    found = metrics(moved / HEARTS[0])
    assert found["direction"] == "moving2fixed"
    assert found["spacing_mm"] == [3.0, 3.0, 6.3]
    for kind in ("initial_", "network_", ""):
        assert 0 < found[f"{kind}dice_mean5"] < 1
        assert found[f"{kind}epe_heart_mean_mm"] > 0
    assert found["ncc"] > found["initial_ncc"]
    assert found["folding_percent"] < 0.1
    assert found["inverse_consistency_mean_voxels"] < 0.01
    assert found["network_s"] > 0 < found["refine_s"]


def test_run_is_reported_and_tracked(tracked, moved, taught):
    assert "data:image/png;base64" in (moved / "report.html").read_text()
    for run, name in ((tracked(moved), "dice_mean5"), (tracked(taught, "train"), "agreement")):
        assert any(metric.endswith(name) for metric in run.data.metrics), sorted(run.data.metrics)


def test_training_leaves_averaged_weights(taught):
    weights, checkpoint = (torch.load(taught / name, weights_only=True) for name in ("model.pt", "checkpoint.pt"))
    assert all(torch.equal(weights[name], checkpoint["ema"][name]) for name in weights)
    assert any(not torch.equal(weights[name], checkpoint["network"][name]) for name in weights)
    assert -1 <= json.loads((taught / "report.json").read_text())["metrics"]["agreement"] <= 1


def test_images_alone_are_enough_to_train_and_register(register, unlabeled, tmp_path):
    out = tmp_path / "out"
    register("train", dataset_dir=str(unlabeled), output_dir=str(out), track=False, **TINY).run()
    options = {"dataset_dir": str(unlabeled), "output_dir": str(out), "weights": str(out / "model.pt")}
    register("inference", **options, track="false", refine="false", **SMALL).run()
    assert {path.name for path in (out / "one").iterdir()} == FILES - {"warped_seg.nii.gz", "warped_seg.json"}
    found = metrics(out / "one")
    assert not any("dice" in name or "epe" in name for name in found)
    assert found["refine_s"] == 0
    assert not (out / "mlruns.db").exists()


def test_interrupted_training_resumes_with_its_average(register, unlabeled, resumed):
    whole, parts = resumed(register, dataset_dir=str(unlabeled), **TINY)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("weights", [None, "null"])
def test_without_weights_optimization_registers_alone(register, unlabeled, tmp_path, weights):
    out, options = tmp_path / "out", {"weights": weights, "track": False, **GRID, **REFINED}
    register("inference", dataset_dir=str(unlabeled), output_dir=str(out), **options).run()
    assert not (out / "one" / "score.nii.gz").exists()
    assert json.loads((out / "one" / "warp.json").read_text())["registered_by"] == ["refinement"]
    assert metrics(out / "one")["ncc"] > metrics(out / "one")["initial_ncc"]


def test_nothing_to_do_is_refused(register, unlabeled, refusal, tmp_path):
    run = register(
        "inference", dataset_dir=str(unlabeled), output_dir=str(tmp_path / "out"), weights=None, refine=False, **GRID
    )
    assert isinstance(refusal(run), ConfigError)


def test_acdc_is_registered_in_both_directions(register, moved, taught, acdc, tmp_path):
    """From end diastole to systole the files are those of the same images called moving and fixed."""
    found = {}
    for direction in ("ed2es", "es2ed"):
        out = tmp_path / direction
        options = {"dataset_dir": str(acdc), "output_dir": str(out), "weights": str(taught / "model.pt")}
        register("inference", **options, direction=direction, track=False, **SMALL, **REFINED).run()
        place = out / "patient001"
        assert {path.name for path in place.iterdir()} == FILES
        found[direction] = metrics(place)
        assert found[direction]["direction"] == direction
    expected = moved / HEARTS[0]
    forth, back = (volume(tmp_path / name / "patient001" / "warped.nii.gz") for name in found)
    np.testing.assert_allclose(forth, volume(expected / "warped.nii.gz"), rtol=0, atol=1e-3 * forth.max())
    assert np.abs(back - forth).max() > 0.1 * forth.max()
    assert found["ed2es"]["lv_ef_percent"] == pytest.approx(found["es2ed"]["lv_ef_percent"])
    assert found["ed2es"]["lv_ef_percent"] > 10
    assert found["ed2es"]["initial_dice_mean5"] == pytest.approx(found["es2ed"]["initial_dice_mean5"])


def test_other_anatomy_keeps_its_resolution_and_its_labels(register, tmp_path):
    """Any two images of one grid; labels of any numbers are compared with each other."""
    chance, place = torch.Generator().manual_seed(0), tmp_path / "in" / "brain"
    place.mkdir(parents=True)
    image = torch.nn.functional.interpolate(torch.rand(1, 1, 6, 5, 4, generator=chance), (21, 18, 11), mode="trilinear")
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    for name, shift in (("fixed", 0), ("moving", 1)):
        values = image[0, 0].roll(shift, 0)
        write_volume(place / f"{name}.nii.gz", 1000 * values, affine)
        write_volume(place / f"{name}_seg.nii.gz", 77 * (values > 0.6), affine, dtype=np.int16)
    out = tmp_path / "out"
    options = {"weights": None, "track": False, **REFINED}
    register("inference", "anatomy", dataset_dir=str(place.parent), output_dir=str(out), **options).run()
    assert nib.load(out / "brain" / "warped.nii.gz").shape == (21, 18, 11)
    found = metrics(out / "brain")
    assert found["spacing_mm"] == [2.0, 2.0, 3.0]
    assert 0 < found["initial_dice_mean"] < 1
    assert set(np.unique(volume(out / "brain" / "warped_seg.nii.gz"))) == {0, 77}


def test_paper_names_the_published_network_and_training():
    parser = ConfigParser()
    parser.read_config([f"{bundle_folder(SLUG)}/configs/{name}.json" for name in ("train", "paper")])
    network = parser.get_parsed_content("network_def")
    assert sum(value.numel() for value in network.parameters()) == 1_320_471
    (group,) = parser.get_parsed_content("optimizer").param_groups
    assert group["lr"] == 2e-4
    assert tuple(group["betas"]) == (0.5, 0.999)
    assert parser.get_parsed_content("lr_scheduler").get_last_lr() == [2e-4]
    loss = parser.get_parsed_content("loss")
    assert loss.weights == {"noise": 1, "similarity": 20, "smooth": 20}
    assert loss.spacing is None
    assert not loss.known
    assert parser.get_parsed_content("scheduler").num_train_timesteps == 2000
    assert parser.get_parsed_content("steps") == 700 * 90
    parser.get_parsed_content("preprocessing")


def test_recommended_training_needs_no_labels():
    parser = ConfigParser()
    parser.read_config(f"{bundle_folder(SLUG)}/configs/train.json")
    assert not parser.get_parsed_content("loss").known
    assert parser.get_parsed_content("train::dataset::truth") is False
    parser.read_config([f"{bundle_folder(SLUG)}/configs/{name}.json" for name in ("train", "simulated")])
    parser.parse(reset=True)
    assert parser.get_parsed_content("loss").known == {"field": 5, "overlap": 10}
    assert parser.get_parsed_content("train::dataset::truth") is True


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="no weights are shipped yet: models/model.pt is missing")
def test_shipped_weights_fit_and_align_hearts(register, hearts, tmp_path):
    records = [json.loads(path.read_text()) for path in EVIDENCE.glob(f"{SLUG}*.json")]
    named = {record[key] for record in records for key in ("weights", "weights_sha256") if key in record}
    assert named <= {sha256(WEIGHTS)}, "numbers of other weights than those that are shipped"
    shutil.copytree(hearts / HEARTS[0], tmp_path / "in" / HEARTS[0])
    options = {"dataset_dir": str(tmp_path / "in"), "output_dir": str(tmp_path / "out"), "track": False}
    register("inference", **options, refine=False).run()
    found = metrics(tmp_path / "out" / HEARTS[0])
    assert found["dice_mean5"] > found["initial_dice_mean5"] + 0.03
    assert found["epe_heart_mean_mm"] < found["initial_epe_heart_mean_mm"]
    assert found["folding_percent"] < 0.1


def test_the_stock_client_runs_it_as_a_subprocess(unlabeled, taught, stock_client, tmp_path):
    out = tmp_path / "out"
    places = {"dataset_dir": unlabeled, "output_dir": out, "weights": taught / "model.pt"}
    done = stock_client(SLUG, tmp_path, **places, track=False, **SMALL, **REFINED)
    assert done.returncode == 0, done.stderr
    assert (out / "one" / "warped.nii.gz").is_file()
    assert not (out / "mlruns.db").exists()
