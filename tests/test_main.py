import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main
from monai_cortex.data import read_streamlines


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    assert CliRunner().invoke(main, ["samples", "shd_deconvolution", str(folder)]).exit_code == 0
    return folder


def test_list_names_methods_and_networks(call):
    answer = call("list")
    assert answer.exit_code == 0
    assert "shd_deconvolution" in answer.output
    assert "hemispherical_unet" in answer.output


def test_listing_loads_no_torch():
    code = "import sys; sys.argv = ['x', 'list']; from monai_cortex.__main__ import main; main(standalone_mode=False)"
    run = subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=False)
    assert run.returncode == 0


def test_samples_are_files_that_the_bundle_reads(scans):
    names = {path.name for path in (scans / "small_64D").iterdir()}
    assert names >= {"dwi.nii.gz", "dwi.bval", "dwi.bvec", "mask.nii.gz"}


def test_check_passes_good_subjects(call, scans):
    answer = call("check", "shd_deconvolution", scans)
    assert answer.exit_code == 0
    assert "1 of 1 subjects can be processed" in answer.output


def test_check_tells_some_from_none(call, scans, tmp_path):
    for name in ("a", "b"):
        subject = tmp_path / name
        subject.mkdir()
        for file in (scans / "small_64D").iterdir():
            (subject / file.name).write_bytes(file.read_bytes())
    (tmp_path / "b" / "dwi.bval").write_text("0 1 2\n")
    some = call("check", "shd_deconvolution", tmp_path)
    assert some.exit_code == 3
    assert "GradientError" in some.output
    assert "1 of 2 subjects" in some.output
    (tmp_path / "a" / "dwi.bvec").unlink()
    assert call("check", "shd_deconvolution", tmp_path).exit_code == 4


def test_check_of_surfaces(call, tmp_path):
    pytest.importorskip("nilearn")
    slug = "spherical_diffusion_registration"
    assert call("samples", slug, tmp_path).exit_code == 0
    good = call("check", slug, tmp_path)
    assert good.exit_code == 0
    assert "1 of 1 subjects" in good.output
    shutil.copytree(tmp_path / "fsaverage5_mirrored", tmp_path / "second")
    for number, (name, code) in enumerate((("second", 3), ("fsaverage5_mirrored", 4)), 1):
        (tmp_path / name / "surf" / "rh.sphere").write_bytes(b"damaged")
        answer = call("check", slug, tmp_path)
        assert answer.exit_code == code
        assert f"{2 - number} of 2 subjects" in answer.output
        assert f"subject {name}" in answer.output


def test_simulate_writes_subjects_that_pass_the_check(call, tmp_path):
    answer = call("simulate", "shd_deconvolution", tmp_path, "--subjects", 2, "--seed", 8, "--protocol", "clinical_16")
    assert answer.exit_code == 0, answer.output
    assert {path.name for path in tmp_path.iterdir()} == {"phantom-0008", "phantom-0009"}
    scans = [(path / "dwi.nii.gz").read_bytes() for path in sorted(tmp_path.iterdir())]
    assert scans[0] != scans[1]
    assert len((tmp_path / "phantom-0008" / "dwi.bval").read_text().split()) == 20
    assert "2 of 2 subjects" in call("check", "shd_deconvolution", tmp_path).output
    again = call("simulate", "shd_deconvolution", tmp_path / "again", "--seed", 8, "--protocol", "nothing")
    assert again.exit_code == 2
    assert "clinical_16" in again.output


def test_simulate_writes_people_around_fsaverage5(call, tmp_path):
    pytest.importorskip("nilearn")
    slug = "spherical_diffusion_registration"
    answer = call("simulate", slug, tmp_path / "out", "--subjects", 1, "--seed", 4)
    assert answer.exit_code == 0, answer.output
    assert "1 synthetic people" in answer.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["synthetic-0004"]
    assert "1 of 1 subjects" in call("check", slug, tmp_path / "out").output
    (tmp_path / "empty").mkdir()
    wrong = call("simulate", slug, tmp_path / "none", "--population", tmp_path / "empty")
    assert wrong.exit_code == 2
    assert str(tmp_path / "empty") in wrong.output
    assert not (tmp_path / "none").exists()


def test_track_writes_streamlines_that_follow_the_options(call, tmp_path):
    call("simulate", "shd_deconvolution", tmp_path, "--protocol", "clinical_16")
    fod, mask = (tmp_path / "phantom-0000" / name for name in ("truth_wmfod.nii.gz", "mask.nii.gz"))
    answer = call("track", fod, tmp_path / "a.trk", tmp_path / "a.tck", "--mask", mask, "--seeds", 50)
    assert answer.exit_code == 0, answer.output
    count = int(answer.output.split()[0])
    assert 0 < count <= 50
    assert [len(read_streamlines(tmp_path / name)) for name in ("a.trk", "a.tck")] == [count, count]
    strict = call("track", fod, tmp_path / "b.tck", "--seeds", 50, "--minimum-amplitude", 1e6)
    assert strict.output.startswith("0 streamlines")
    assert call("track", fod, tmp_path / "a.vtk").exit_code == 2


@pytest.mark.parametrize("wrong", [("--snr", 0), ("--snr", -5), ("--subjects", 0), ("--seed", -1)])
def test_simulate_refuses_what_no_scan_has(call, tmp_path, wrong):
    answer = call("simulate", "shd_deconvolution", tmp_path / "out", *wrong)
    assert answer.exit_code == 2
    assert wrong[0] in answer.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [("--seeds", -3), ("--seed", -1), ("--minimum-amplitude", -1)])
def test_track_refuses_negative_numbers(call, tmp_path, wrong):
    (tmp_path / "fod.nii.gz").write_bytes(b"not looked at")
    answer = call("track", tmp_path / "fod.nii.gz", tmp_path / "a.trk", *wrong)
    assert answer.exit_code == 2
    assert wrong[0] in answer.output


@pytest.mark.parametrize(
    "words",
    [("check", "shd_deconvolution", "missing"), ("samples", "nothing", "x"), ("demo", "nothing"), ("check", "x", "y")],
)
def test_mistakes_are_answered_with_what_was_expected_and_exit_code_2(call, words):
    answer = call(*words)
    assert answer.exit_code == 2
    assert "expected" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize("words", [("--steps", "-3"), ("--steps", "0"), ("--all",)])
def test_a_demonstration_takes_no_number_of_steps_below_one_and_not_a_name_with_all(call, words):
    answer = call("demo", "fsdiffreg_cardiac", *words)
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output


def test_debug_shows_the_traceback(call):
    assert call("--debug", "check", "shd_deconvolution", "missing").exception.__class__.__name__ == "InputFileError"


def test_all_shipped_components_load(call):
    answer = call("list", "--check")
    assert answer.exit_code == 0
    lines = [line for line in answer.output.splitlines() if line.startswith("  ")]
    assert len(lines) > 20
    assert all(line.rstrip().endswith(" ".join(line.split()[1:3])) for line in lines), answer.output


def test_simulate_writes_brains_around_fsaverage5(call, tmp_path):
    pytest.importorskip("nilearn")
    slug = "cor2vox_synthesis"
    answer = call("simulate", slug, tmp_path / "out", "--seed", 4, "--spacing", 3, "--scanner", "B")
    assert answer.exit_code == 0, answer.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["synthetic-0004"]
    assert (tmp_path / "out" / "synthetic-0004" / "mri" / "T1.mgz").is_file()
    assert call("simulate", slug, tmp_path / "none", "--scanner", "C").exit_code == 2


def test_simulate_writes_hearts_that_pass_the_check(call, tmp_path):
    slug = "fsdiffreg_cardiac"
    answer = call("simulate", slug, tmp_path, "--subjects", 1, "--seed", 7)
    assert answer.exit_code == 0, answer.output
    names = {path.name for path in (tmp_path / "heart-0007").iterdir()}
    assert {
        "fixed.nii.gz",
        "moving.nii.gz",
        "fixed_seg.nii.gz",
        "true_warp.nii.gz",
        "true_inverse_warp.nii.gz",
    } <= names
    assert call("check", slug, tmp_path).exit_code == 0
