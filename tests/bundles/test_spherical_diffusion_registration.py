import json
import shutil
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_cortex.data import (
    bundle_folder,
    check_sphere,
    read_morph,
    read_surface_geometry,
    sample_target,
    sha256,
    write_samples,
)
from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.sphere_map import SphereMap

SLUG = "spherical_diffusion_registration"
TINY = {"steps": 2, "epochs": 1, "val_interval": 1, "channels": [4, 4], "network_level": 3, "degree": 8}
TINY |= {"field_degree": 4, "passes": 2}
SIZES = {name: TINY[name] for name in ("channels", "network_level", "degree", "field_degree", "passes")}
LEFT = {"hemispheres": ["lh"]}


@pytest.fixture(scope="session")
def register(workflow):
    return partial(workflow, slug=SLUG)


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    """The mirrored subject and fsaverage5."""
    folder = tmp_path_factory.mktemp("surfaces")
    write_samples(SLUG, folder / "subjects")
    return folder / "subjects", Path(sample_target(folder))


@pytest.fixture(scope="module")
def shipped(register, surfaces, tmp_path_factory):
    """Results of the sample with the shipped weights, compared with optimization alone."""
    out = tmp_path_factory.mktemp("shipped")
    subjects, target = surfaces
    options = {"dataset_dir": str(subjects), "target_dir": str(target), "output_dir": str(out)}
    register("inference", "evaluate", **options, **LEFT).run()
    return out


@pytest.fixture(scope="module")
def taught(register, surfaces, tmp_path_factory):
    """Output folder of a tiny training."""
    out = tmp_path_factory.mktemp("taught")
    options = {"dataset_dir": str(surfaces[0]), "target_dir": str(surfaces[1]), "output_dir": str(out)}
    register("train", **options, **TINY, **LEFT).run()
    return out


def test_registration_improves_agreement_and_folds_nothing(shipped):
    metrics = json.loads((shipped / "fsaverage5_mirrored" / "metrics.json").read_text())
    assert metrics["lh_ncc"] > 0.95 > metrics["lh_ncc_rigid"]
    assert metrics["lh_new_folds"] == metrics["lh_unguided_new_folds"] == 0
    assert metrics["lh_unguided_ncc"] > metrics["lh_ncc_rigid"]
    assert metrics["lh_rotation_degree"] == pytest.approx(17.2, abs=0.5)


def test_files_are_what_freesurfer_and_workbench_read(shipped, surfaces):
    folder, native = shipped / "fsaverage5_mirrored" / "surf", surfaces[0] / "fsaverage5_mirrored" / "surf"
    vertices, faces = nib.freesurfer.read_geometry(native / "lh.sphere")
    moved, same = nib.freesurfer.read_geometry(folder / "lh.sphere.mcx.reg")
    np.testing.assert_array_equal(faces, same)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 100, atol=1e-3)
    assert folded(torch.tensor(vertices), torch.tensor(moved), torch.tensor(faces.astype(np.int64))) == 0
    gifti = nib.load(folder / "lh.sphere.mcx.reg.surf.gii")
    np.testing.assert_allclose(gifti.agg_data("pointset"), moved, atol=1e-4)
    assert gifti.darrays[0].meta["AnatomicalStructurePrimary"] == "CortexLeft"
    for name in ("areal", "edge"):
        assert (nib.freesurfer.read_morph_data(folder / f"lh.mcx.{name}") >= 0).all()
        record = json.loads((folder / f"lh.mcx.{name}.json").read_text())
        assert record["sha256"] == sha256(folder / f"lh.mcx.{name}")
        assert "fsaverage5_mirrored/lh.sphere" in record["sources"]
    assert not (native / "lh.sphere.reg").exists()


def test_sphere_on_disk_carries_the_features_to_the_target(shipped, surfaces):
    """Read back as any other program would: direction, radius and order of the vertices are right together."""
    native, target = surfaces[0] / "fsaverage5_mirrored" / "surf", surfaces[1] / "surf"
    registered, _ = check_sphere(read_surface_geometry(shipped / "fsaverage5_mirrored" / "surf" / "lh.sphere.mcx.reg"))
    fixed, _ = check_sphere(read_surface_geometry(target / "lh.sphere"))
    count = len(fixed.vertices)
    values = torch.as_tensor(read_morph(native / "lh.sulc", count)).double()[None]
    carried = SphereMap(registered, values).at(fixed.vertices)[0]
    expected = torch.as_tensor(read_morph(target / "lh.sulc", count)).double()
    assert float(torch.corrcoef(torch.stack([carried, expected]))[0, 1]) > 0.95


def test_run_is_reported_and_tracked(tracked, shipped):
    report = (shipped / "report.html").read_text()
    assert "fsaverage5_mirrored: lh new folds" in report
    assert "data:image/png;base64" in report
    run = tracked(shipped)
    assert any(name.endswith("lh_ncc") and value > 0.95 for name, value in run.data.metrics.items())


def test_training_leaves_weights_that_inference_takes(register, surfaces, taught, tmp_path):
    weights = torch.load(taught / "model.pt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert -1 <= json.loads((taught / "report.json").read_text())["metrics"]["ncc"] <= 1
    options = {"dataset_dir": str(surfaces[0]), "target_dir": str(surfaces[1]), "weights": str(taught / "model.pt")}
    register(
        "inference", output_dir=str(tmp_path), refine=False, draws=2, level=4, track=False, **options, **SIZES, **LEFT
    ).run()
    metrics = json.loads((tmp_path / "fsaverage5_mirrored" / "metrics.json").read_text())
    assert metrics["lh_new_folds"] == 0
    assert metrics["lh_uncertainty_mean_degree"] >= 0
    assert (tmp_path / "fsaverage5_mirrored" / "surf" / "lh.mcx.uncertainty").is_file()


def test_equal_seeds_give_equal_weights_bit_by_bit(register, surfaces, taught, tmp_path):
    options = {"dataset_dir": str(surfaces[0]), "target_dir": str(surfaces[1]), "track": False}
    states = [torch.load(taught / "model.pt", weights_only=True)]
    for seed in (0, 1):
        register("train", output_dir=str(tmp_path / str(seed)), seed=seed, **options, **TINY, **LEFT).run()
        states.append(torch.load(tmp_path / str(seed) / "model.pt", weights_only=True))
    first, same, other = states
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


SWITCHES = [
    {"guidance": "zero", "attention": "gate"},
    {"attention": "none", "field": "absolute", "rotate": 1.0},
    {"annealed": True, "features": ["sulc", "curv"], "warp": 0.0},
]


@pytest.mark.parametrize("switch", SWITCHES)
def test_switches_train(register, surfaces, tmp_path, switch):
    switch = dict(switch)
    options = {"dataset_dir": str(surfaces[0]), "target_dir": str(surfaces[1]), "track": False}
    overlays = ["annealed"] if switch.pop("annealed", False) else []
    register("train", *overlays, output_dir=str(tmp_path), **(options | TINY | LEFT | switch)).run()
    assert (tmp_path / "model.pt").is_file()


@pytest.mark.parametrize("kind", ["train", "inference"])
def test_workflow_has_all_properties(register, surfaces, tmp_path, kind):
    options = {"dataset_dir": str(surfaces[0]), "target_dir": str(surfaces[1]), "track": False}
    made = register(kind, output_dir=str(tmp_path), **options, **LEFT)
    assert made.check_properties() == []


def inflated(folder):
    shutil.copy(folder / "lh.inflated", folder / "lh.sphere")


def other_side(folder):
    shutil.copy(folder / "rh.white", folder / "lh.white")


def shifted(folder):
    vertices, faces = nib.freesurfer.read_geometry(folder / "lh.sphere")
    nib.freesurfer.write_geometry(folder / "lh.sphere", vertices + [3, 0, 0], faces)


def shorter(folder):
    values = nib.freesurfer.read_morph_data(folder / "lh.sulc")
    nib.freesurfer.write_morph_data(folder / "lh.sulc", values[:-5])


def not_a_number(folder):
    values = nib.freesurfer.read_morph_data(folder / "lh.sulc").copy()
    values[7] = np.nan
    nib.freesurfer.write_morph_data(folder / "lh.sulc", values)


def text(folder):
    (folder / "lh.sulc").write_text("0.1 0.2 0.3\n")


def truncated(folder):
    (folder / "lh.sulc").write_bytes((folder / "lh.sulc").read_bytes()[:-400])


BAD = {
    "inflated surface as sphere": (inflated, GeometryError),
    "surface of the other side": (other_side, GeometryError),
    "off center": (shifted, GeometryError),
    "other number of vertices": (shorter, (GeometryError, InputFileError)),
    "not a number": (not_a_number, InputFileError),
    "text": (text, InputFileError),
    "truncated": (truncated, InputFileError),
}


@pytest.mark.parametrize(
    "fault",
    [name if name in ("off center", "truncated") else pytest.param(name, marks=pytest.mark.whole) for name in BAD],
)
def test_bad_input_is_one_clear_error_and_leaves_no_result(register, surfaces, refusal, tmp_path, fault):
    spoil, kind = BAD[fault]
    shutil.copytree(surfaces[0], tmp_path / "subjects")
    spoil(tmp_path / "subjects" / "fsaverage5_mirrored" / "surf")
    options = {"dataset_dir": str(tmp_path / "subjects"), "target_dir": str(surfaces[1]), "track": False}
    run = register("inference", output_dir=str(tmp_path / "out"), **options, **LEFT)
    error = refusal(run)
    assert isinstance(error, kind)
    assert "remedy" in str(error)
    assert not (tmp_path / "out" / "fsaverage5_mirrored").exists()


def test_gifti_subject_is_registered_by_the_networks_alone(register, surfaces, tmp_path):
    native, place = surfaces[0] / "fsaverage5_mirrored" / "surf", tmp_path / "subjects" / "sub-01"
    place.mkdir(parents=True)
    vertices, faces = nib.freesurfer.read_geometry(native / "lh.sphere")
    parts = ((vertices.astype(np.float32), "POINTSET"), (faces.astype(np.int32), "TRIANGLE"))
    depth = ((nib.freesurfer.read_morph_data(native / "lh.sulc").astype(np.float32), "SHAPE"),)
    for name, arrays in (("sphere.surf", parts), ("sulc.shape", depth)):
        image = nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(a, f"NIFTI_INTENT_{kind}") for a, kind in arrays])
        image.meta["AnatomicalStructurePrimary"] = "CortexLeft"
        nib.save(image, place / f"sub-01.L.{name}.gii")
    options = {"dataset_dir": str(place.parent), "target_dir": str(surfaces[1]), "refine": False, "track": False}
    register("inference", output_dir=str(tmp_path / "out"), **options, **LEFT).run()
    metrics = json.loads((tmp_path / "out" / "sub-01" / "metrics.json").read_text())
    assert metrics["lh_ncc"] > metrics["lh_ncc_rigid"] + 0.01
    assert metrics["lh_new_folds"] == 0
    record = json.loads((tmp_path / "out" / "sub-01" / "surf" / "lh.sphere.mcx.reg.json").read_text())
    assert record["sources"] == ["sub-01/sub-01.L.sphere.surf.gii", "sub-01/sub-01.L.sulc.shape.gii"]


def test_the_stock_client_runs_it_as_a_subprocess(surfaces, stock_client, tmp_path):
    done = stock_client(
        SLUG, tmp_path, dataset_dir=surfaces[0], output_dir="results", refine=False, track=False, **LEFT
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "fsaverage5_mirrored" / "surf" / "lh.sphere.mcx.reg").is_file()


def test_training_weighs_the_terms_as_stated():
    parser = ConfigParser()
    parser.read_config(f"{bundle_folder(SLUG)}/configs/train.json")
    loss = parser.get_parsed_content("loss")
    terms = loss.registration
    assert (loss.score, terms.kappa, terms.areal, terms.edge, terms.fold, terms.velocity) == (1, 0.3, 0.1, 3, 1, 0.002)


def test_readme_counts_the_parameters_of_the_shipped_weights():
    root = Path(bundle_folder(SLUG))
    weights = torch.load(root / "models" / "model.pt", weights_only=True)
    count = sum(value.numel() for value in weights.values())
    assert f"`{count:,}` parameters" in (root / "docs" / "README.md").read_text()
