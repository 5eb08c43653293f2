"""From a dataset folder to a shape model, and back to folders that images are drawn of."""

import json
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

from monai_cortex.__main__ import main
from monai_cortex.data import CortexShapes, read_surface_geometry, synthesis_subjects
from monai_cortex.transforms import cortex_preprocessing

PEOPLE = {"a": (1.0, 0.5), "b": (-0.5, 1.0), "c": (0.2, -1.0), "d": (0.7, 0.1)}


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, ["shapes", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_cortices):
    return write_cortices(tmp_path_factory.mktemp("people"), PEOPLE)


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "model.npz"
    answer = CliRunner().invoke(main, ["shapes", "fit", str(folder), str(file), "--no-align"])
    assert answer.exit_code == 0, answer.output
    assert "4 subjects, lh+rh" in answer.output
    assert "equal meshes" in answer.output
    return file


def points(folder, name, surface):
    return read_surface_geometry(folder / name / "surf" / surface).mesh.vertices


def test_between_meets_both_people_in_files(call, folder, model, tmp_path):
    answer = call("between", model, folder, "a", "b", tmp_path, "--steps", 3)
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"between-000{k}" for k in range(3)]
    for surface in ("lh.white", "rh.pial"):
        for name, end in (("between-0000", "a"), ("between-0002", "b")):
            torch.testing.assert_close(points(tmp_path, name, surface), points(folder, end, surface), rtol=0, atol=1e-6)
    record = json.loads((tmp_path / "between-0001" / "SHAPE.json").read_text())
    assert (record["ends"], record["place"], record["path"]) == (["a", "b"], 0.5, "slerp")
    assert max(record["ends_off_model_mm"]) < 1e-6


def test_lerp_goes_along_the_chord(call, folder, model, tmp_path):
    assert call("between", model, folder, "a", "b", tmp_path, "--steps", 3, "--lerp").exit_code == 0
    middle = (points(folder, "a", "lh.pial") + points(folder, "b", "lh.pial")) / 2
    torch.testing.assert_close(points(tmp_path, "between-0001", "lh.pial"), middle, rtol=0, atol=1e-5)


def test_samples_are_what_the_bundle_reads(call, model, tmp_path):
    answer = call("sample", model, tmp_path, "--number", 2, "--seed", 5)
    assert answer.exit_code == 0, answer.output
    items = synthesis_subjects(tmp_path)
    assert [item["subject"] for item in items] == ["sample-0005", "sample-0006"]
    field = cortex_preprocessing()({**items[0]})
    assert field["condition"].shape[0] == 4
    assert field["source"].min() == -1
    assert field["source"].max() == 1
    record = json.loads((tmp_path / "sample-0005" / "SHAPE.json").read_text())
    code = CortexShapes.load(model).model.sample(1, torch.Generator().manual_seed(5))
    assert record["code_norm"] == pytest.approx(float(code.norm()))
    before = (tmp_path / "sample-0006" / "surf" / "lh.white").read_bytes()
    assert call("sample", model, tmp_path / "again", "--seed", 6).exit_code == 0
    assert (tmp_path / "again" / "sample-0006" / "surf" / "lh.white").read_bytes() == before


def test_options_reach_the_model(call, folder, tmp_path):
    words = ("--components", 1, "--features", "mid_thickness", "--hemispheres", "rh", "--scale")
    assert call("fit", folder, tmp_path / "m.npz", *words).exit_code == 0
    found = CortexShapes.load(tmp_path / "m.npz")
    assert (len(found.model.deviations), found.model.features, found.alignment) == (1, "mid_thickness", "similarity")
    assert found.correspondence.sides == ("rh",)


def test_errors_say_what_to_do(call, folder, model, tmp_path, write_cortices):
    assert "sizes are taken out" in call("fit", folder, tmp_path / "m.npz", "--no-align", "--scale").output
    balls = write_cortices(tmp_path / "line", {str(k): (0.3 * k, 0.0) for k in range(4)})
    assert call("fit", balls, tmp_path / "m.npz", "--no-align").exit_code == 0
    antipodal = call("between", tmp_path / "m.npz", balls, "0", "3", tmp_path / "out")
    assert antipodal.exit_code == 2
    assert "--lerp" in antipodal.output
    assert not (tmp_path / "out").exists()
    assert "no such subject" in call("between", model, folder, "a", "z", tmp_path / "out").output


def test_sample_as_a_process(model, tmp_path):
    command = [sys.executable, "-m", "monai_cortex", "shapes", "sample", model, tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, check=False, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("sample-0000: code norm ")
    assert [item["subject"] for item in synthesis_subjects(tmp_path / "out")] == ["sample-0000"]
