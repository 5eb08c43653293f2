import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.data.gradients import GradientTable, read_fsl_gradients
from monai_cortex.data.mrtrix_gradients import read_mrtrix_gradients, write_mrtrix_gradients
from monai_cortex.data.nifti_writer import write_volume
from monai_cortex.errors import GradientError, InputFileError

ROWS = [[0, 0, 0, 0], [1, 0, 0, 1000], [0, 1, 0, 1001], [0.6, 0, -0.8, 999], [0.36, 0.48, -0.8, 2999]]
TURN = nib.eulerangles.euler2mat(0.3, -0.2, 0.5)
GRIDS = {
    "LAS": np.diag([-2.0, 2, 3]),
    "RAS": np.diag([2.0, 2, 3]),
    "oblique LAS": TURN @ np.diag([-2.0, 2, 3]),
    "oblique RAS": TURN @ np.diag([2.0, 2, 3]),
}
needs_mrtrix = pytest.mark.skipif(shutil.which("mrinfo") is None, reason="MRtrix3 is not installed")


@pytest.fixture
def write(tmp_path):
    def to(rows, remark="# command_history: mrconvert\n"):
        path = tmp_path / "dwi.b"
        path.write_text(remark + "".join(" ".join(map(str, row)) + "\n" for row in rows))
        return path

    return to


@pytest.fixture
def mrtrix(tmp_path):
    """Output of a command of MRtrix on an image with this affine and five volumes."""

    def run(linear, *arguments):
        image = np.random.default_rng(0).normal(size=(2, 2, 2, 5))
        write_volume(tmp_path / "dwi.nii", image, nib.affines.from_matvec(linear, [10, -20, 5]))
        result = subprocess.run([*arguments, "-quiet"], cwd=tmp_path, check=True, capture_output=True, text=True)
        return result.stdout

    return run


def table_of(text):
    return np.loadtxt(text.splitlines())


def test_vectors_are_world_axes_as_they_stand(write):
    table = read_mrtrix_gradients(write(ROWS), 5)
    np.testing.assert_allclose(table.directions, np.array(ROWS)[:, :3], atol=1e-15)
    assert table.bvalues.tolist() == [0, 1000, 1001, 999, 2999]
    assert table.notes == ()


def test_squared_norms_scale_the_bvalues(write):
    """A vector of half the length in a table for b = 3000 means b = 750; one of no length b = 0."""
    rows = [[0, 0, 0, 5], [0, 0, 0.5, 3000], [0.6, 0, 0.8, 3000], [0.01, 0, 0, 3000]]
    table = read_mrtrix_gradients(write(rows), 4)
    np.testing.assert_allclose(table.bvalues, [0, 750, 3000, 0.3])
    np.testing.assert_allclose(table.directions, [[0, 0, 0], [0, 0, 1], [0.6, 0, 0.8], [0, 0, 0]])
    scaled, renormalized = table.notes
    assert "0.25 to 1" in scaled
    assert "50 %" in renormalized


def test_one_percent_is_left_alone_where_no_vector_is_zero(write):
    rows = [[1, 0, 0, 0], [1.004, 0, 0, 1000], [0, 0.996, 0, 1000]]
    table = read_mrtrix_gradients(write(rows), 3)
    assert table.bvalues.tolist() == [0, 1000, 1000]
    np.testing.assert_allclose(np.linalg.norm(table.directions, axis=1), [0, 1, 1])
    assert len(table.notes) == 1


SCALED = {
    "unit": 1.0,
    "a little long": 1.0048,
    "long": 1.0052,
    "a little short": 0.9952,
    "short": 0.9948,
    "half": np.sqrt(0.5),
}


@needs_mrtrix
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("name", SCALED)
def test_mrtrix_scales_alike(write, mrtrix, name, zero):
    rows = np.array(ROWS, float)
    rows[2, :3] *= SCALED[name]
    rows[0, :3] = 0 if zero else [0, 0, 1]
    path = write(rows)
    theirs = table_of(mrtrix(GRIDS["LAS"], "mrinfo", "dwi.nii", "-grad", path, "-dwgrad"))
    ours = read_mrtrix_gradients(path, 5)
    np.testing.assert_allclose(ours.bvalues, theirs[:, 3], rtol=1e-6)
    np.testing.assert_allclose(ours.directions[1:], theirs[1:, :3], atol=1e-6)


@needs_mrtrix
@pytest.mark.parametrize("name", GRIDS)
def test_mrtrix_turns_it_into_the_same_fsl_table(tmp_path, write, mrtrix, name):
    path = write(ROWS)
    export = ["-export_grad_fsl", "dwi.bvec", "dwi.bval"]
    mrtrix(GRIDS[name], "mrconvert", "dwi.nii", "-grad", path, "copy.nii", *export)
    affine = nib.affines.from_matvec(GRIDS[name], [10, -20, 5])
    fsl = read_fsl_gradients(tmp_path / "dwi.bval", tmp_path / "dwi.bvec", affine, 5)
    ours = read_mrtrix_gradients(path, 5)
    np.testing.assert_allclose(ours.directions, fsl.directions, atol=1e-6)
    np.testing.assert_allclose(ours.bvalues, fsl.bvalues, atol=1e-3)


@needs_mrtrix
def test_mrtrix_reads_what_is_written(tmp_path, mrtrix):
    table = GradientTable(np.array(ROWS)[:, 3], np.array(ROWS)[:, :3])
    write_mrtrix_gradients(tmp_path / "dwi.b", table)
    theirs = table_of(mrtrix(GRIDS["oblique RAS"], "mrinfo", "dwi.nii", "-grad", "dwi.b", "-dwgrad"))
    np.testing.assert_allclose(theirs, ROWS, atol=1e-6)


units = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(st.lists(st.tuples(units, st.floats(60, 5000)), min_size=1, max_size=6))
def test_what_is_written_reads_back(tmp_path_factory, volumes):
    path = tmp_path_factory.mktemp("gradients") / "dwi.b"
    directions = np.array([[0.0, 0, 0], *(np.divide(v, np.linalg.norm(v)) for v, _ in volumes)])
    table = GradientTable(np.array([0.0, *(b for _, b in volumes)]), directions)
    write_mrtrix_gradients(path, table)
    found = read_mrtrix_gradients(path, len(directions))
    np.testing.assert_allclose(found.directions, directions, atol=1e-10)
    np.testing.assert_allclose(found.bvalues, table.bvalues, rtol=1e-10)
    assert "-0 " not in path.read_text()


def changed(row, numbers):
    return [*ROWS[:row], numbers, *ROWS[row + 1 :]]


FAULTS = {
    "fewer rows": (ROWS[:4], "5 volumes, 4 b-values"),
    "FSL vectors": (np.array(ROWS)[:, :3].T, "3 rows of 5 numbers"),
    "three columns": (np.array(ROWS)[:, :3], "5 rows of 3 numbers"),
    "not a number": (changed(3, ["nan", 0, 1, 1000]), "volume 3"),
    "infinite b": (changed(3, [0, 0, 1, "inf"]), "volume 3"),
    "zero vector": (changed(2, [0, 0, 0, 1000]), "volume 2"),
    "negative b": (changed(2, [1, 0, 0, -1000]), "-1000 in volume 2"),
    "no weighted volume": (np.array(ROWS) * [1, 1, 1, 0], "no diffusion-weighted volume"),
    "no b of 0": (changed(0, [0, 0, 1, 300]), "smallest b = 300"),
    "b in ms/um^2": (np.array(ROWS) * [1, 1, 1, 1e-3], "units"),
    "header row": ([["x", "y", "z", "b"], *ROWS], "header row"),
    "ragged": (changed(2, [0, 1, 0]), "ragged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_impossible_tables_are_refused(write, refused, fault):
    rows, word = FAULTS[fault]
    path = write(rows)
    refused(GradientError, lambda: read_mrtrix_gradients(path, 5, "sub-1"), path, "sub-1", word)


def test_missing_file(tmp_path, refused):
    refused(InputFileError, lambda: read_mrtrix_gradients(tmp_path / "dwi.b", 5, "sub-1"), "sub-1", "dwi.b")


def test_caller_may_raise_the_threshold(write):
    found = read_mrtrix_gradients(write(changed(0, [0, 0, 1, 90])), b0_threshold=100)
    assert not found.directions[0].any()
