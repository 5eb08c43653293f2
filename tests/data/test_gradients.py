import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.data.gradients import GradientTable, fsl_vectors, read_fsl_gradients, write_fsl_gradients
from monai_cortex.data.nifti_writer import write_volume
from monai_cortex.errors import GradientError, InputFileError

TURN = nib.eulerangles.euler2mat(0.3, -0.2, 0.5)
GRIDS = {
    "LAS": np.diag([-2.0, 2, 3]),
    "RAS": np.diag([2.0, 2, 3]),
    "oblique LAS": TURN @ np.diag([-2.0, 2, 3]),
    "oblique RAS": TURN @ np.diag([2.0, 2, 3]),
    "permuted": np.array([[0.0, -2, 0], [-2, 0, 0], [0, 0, 2]]),
    "turned": np.array([[0.0, 2, 0], [-2, 0, 0], [0, 0, 2]]),
}
B = [0, 1000, 1001, 999, 2999]
VECTORS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.36, 0.48, -0.8]])
units = (
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: 0.1 < np.linalg.norm(v)).map(lambda v: v / np.linalg.norm(v))
)


def grid(linear):
    return nib.affines.from_matvec(linear, [10, -20, 5])


@pytest.fixture
def write(tmp_path):
    """Write a table as text; both paths."""

    def to(b=B, vectors=VECTORS, text_of_b=None, text_of_vectors=None):
        bval, bvec = tmp_path / "dwi.bval", tmp_path / "dwi.bvec"
        bval.write_text(" ".join(map(str, b)) if text_of_b is None else text_of_b)
        if text_of_vectors is None:
            np.savetxt(bvec, np.asarray(vectors, float).T, fmt="%.15g")
        else:
            bvec.write_text(text_of_vectors)
        return bval, bvec

    return to


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # By hand: a radiological image stores its own axes; x of a neurological one is negated in the file.
        ("LAS", [[-1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.36, 0.48, -0.8]]),
        ("RAS", [[-1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.36, 0.48, -0.8]]),
        ("permuted", [[0, -1, 0], [-1, 0, 0], [0, 0, 1], [-0.48, -0.36, -0.8]]),
        ("turned", [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0.48, 0.36, -0.8]]),
        ("oblique RAS", np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.36, 0.48, -0.8]]) @ TURN.T),
    ],
)
def test_determinant_rule(write, name, expected):
    table = read_fsl_gradients(*write(), grid(GRIDS[name]))
    np.testing.assert_allclose(table.directions[1:], expected, atol=1e-12)
    assert not table.directions[0].any()


@given(directions=st.lists(units, min_size=2, max_size=6), name=st.sampled_from(sorted(GRIDS)))
def test_same_world_directions_from_every_grid(tmp_path_factory, directions, name):
    folder = tmp_path_factory.mktemp("gradients")
    table = GradientTable(np.array([0.0, *[1000.0] * (len(directions) + 2)]), np.zeros((len(directions) + 3, 3)))
    table.directions[1:] = [*directions, [0, 0, 1], [1, 0, 0]]
    affine = grid(GRIDS[name])
    write_fsl_gradients(folder / "bval", folder / "bvec", table, affine)
    found = read_fsl_gradients(folder / "bval", folder / "bvec", affine, len(table.bvalues))
    np.testing.assert_allclose(found.directions, table.directions, atol=1e-10)
    np.testing.assert_array_equal(found.bvalues, table.bvalues)


def test_mirroring_the_array_negates_its_stored_axis_but_x():
    directions = VECTORS[1:]
    stored = fsl_vectors(directions, grid(GRIDS["LAS"]))
    np.testing.assert_allclose(fsl_vectors(directions, grid(GRIDS["RAS"])), stored)
    mirrored_in_y = fsl_vectors(directions, grid(np.diag([-2.0, -2, 3])))
    np.testing.assert_allclose(mirrored_in_y, stored * [-1, -1, 1])


def test_sheared_grid_keeps_unit_vectors_and_angles(write):
    sheared = grid(np.array([[-2.0, 0.4, 0], [0, 2, 0.1], [0, 0, 3]]))
    directions = read_fsl_gradients(*write(), sheared).directions
    np.testing.assert_allclose(directions @ directions.T, VECTORS @ VECTORS.T, atol=1e-12)
    np.testing.assert_allclose(fsl_vectors(directions, sheared), VECTORS, atol=1e-12)


@pytest.mark.skipif(shutil.which("mrinfo") is None, reason="MRtrix3 is not installed")
@pytest.mark.parametrize("name", GRIDS)
def test_mrtrix_reads_the_same_world_directions(tmp_path, write, name):
    affine, (bval, bvec) = grid(GRIDS[name]), write()
    write_volume(tmp_path / "dwi.nii", np.random.default_rng(0).normal(size=(2, 2, 2, 5)), affine)
    command = ["mrinfo", "dwi.nii", "-fslgrad", bvec, bval, "-dwgrad", "-bvalue_scaling", "false", "-quiet"]
    theirs = np.loadtxt(
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split("\n")
    )
    ours = read_fsl_gradients(bval, bvec, affine)
    np.testing.assert_allclose(theirs[1:, :3], ours.directions[1:], atol=1e-6)
    np.testing.assert_allclose(theirs[:, 3], ours.bvalues, atol=1e-3)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("separator", [" ", ",", "\t", ", "])
def test_every_layout_gives_the_same_table(write, transposed, separator):
    rows = VECTORS if transposed else VECTORS.T
    text = "\n".join(separator.join(map(str, row)) for row in rows)
    text_of_b = "\n".join(map(str, B)) if transposed else separator.join(map(str, B))
    found = read_fsl_gradients(*write(text_of_vectors=text, text_of_b=text_of_b), grid(GRIDS["LAS"]), 5)
    np.testing.assert_allclose(fsl_vectors(found.directions, grid(GRIDS["LAS"])), VECTORS, atol=1e-12)
    assert found.bvalues.tolist() == B
    assert found.notes == ()


def test_small_deviations_are_renormalized_and_noted(write):
    found = read_fsl_gradients(*write(vectors=VECTORS * 0.992), grid(GRIDS["RAS"]))
    np.testing.assert_allclose(np.linalg.norm(found.directions[1:], axis=1), 1, atol=1e-12)
    (note,) = found.notes
    assert "0.8 %" in note


def test_vector_of_an_unweighted_volume_becomes_zero(write):
    vectors = VECTORS.copy()
    vectors[0] = 0.5, 0.5, 0.5
    found = read_fsl_gradients(*write(b=[50, *B[1:]], vectors=vectors), grid(GRIDS["RAS"]))
    assert not found.directions[0].any()
    assert found.bvalues[0] == 50


def changed(index, vector):
    vectors = VECTORS.copy()
    vectors[index] = vector
    return {"vectors": vectors}


MRTRIX = "\n".join(" ".join(map(str, [*vector, b])) for vector, b in zip(VECTORS, B, strict=True))
FAULTS = {
    "fewer b-values": ({"b": B[:-1]}, "bval", "5 volumes, 4 b-values, 5 vectors"),
    "fewer vectors": ({"vectors": VECTORS[:4]}, "bval", "5 volumes, 5 b-values, 4 vectors"),
    "three volumes": ({"vectors": VECTORS[:3]}, "bvec", "ambiguous"),
    "two components": ({"vectors": VECTORS[:, :2]}, "bvec", "three components"),
    "table of b-values": ({"text_of_b": "0 1\n2 3\n4 5"}, "bval", "single row"),
    "ragged": ({"text_of_vectors": "1 0 0\n0 1"}, "bvec", "ragged"),
    "header row": ({"text_of_b": "b b b\n0 1 2"}, "bval", "header row"),
    "only remarks": ({"text_of_vectors": "# x y z"}, "bvec", "empty"),
    "MRtrix vectors": ({"text_of_vectors": MRTRIX}, "bvec", "looks like an MRtrix table"),
    "MRtrix b-values": ({"text_of_b": MRTRIX}, "bval", "looks like an MRtrix table"),
    "b of NaN": ({"b": [0, 1000, "nan", 1000, 1000]}, "bval", "volume 2"),
    "vector of NaN": (changed(3, np.nan), "bvec", "volume 3"),
    "infinite vector": (changed(0, np.inf), "bvec", "volume 0"),
    "negative b": ({"b": [0, 1000, 1000, -5, 1000]}, "bval", "-5 in volume 3"),
    "all b of 0": ({"b": [0] * 5}, "bval", "no diffusion-weighted volume"),
    "all b small": ({"b": [0, 30, 30, 30, 30]}, "bval", "no diffusion-weighted volume"),
    "no b of 0": ({"b": [700, *B[1:]]}, "bval", "smallest b = 700"),
    "b in ms/um^2": ({"b": [0, 1, 1, 1, 3]}, "bval", "units"),
    "zero vector": (changed(2, 0), "bvec", "volume 2"),
    "long vector": (changed(4, [1.02, 0, 0]), "bvec", "1.02 in volume 4"),
    "short vector": (changed(1, [0.7, 0, 0]), "bvec", "0.7 in volume 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_impossible_tables_are_refused(write, refused, fault):
    how, kind, word = FAULTS[fault]
    paths = write(**how)
    path = paths[kind == "bvec"]
    refused(GradientError, lambda: read_fsl_gradients(*paths, np.eye(4), 5, "sub-1"), path, "sub-1", word)


def test_many_bad_volumes_are_counted(write, refused):
    paths = write(b=[0, *["nan"] * 9], vectors=np.tile([1.0, 0, 0], (10, 1)))
    refused(GradientError, lambda: read_fsl_gradients(*paths, np.eye(4)), "volume 1, 2, 3, 4, 5 and 4 more")


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_missing_files(write, refused, lost, how):
    paths = write()
    paths[lost].unlink()
    if how == "empty":
        paths[lost].touch()
    kind = GradientError if how == "empty" else InputFileError
    refused(kind, lambda: read_fsl_gradients(*paths, np.eye(4), 5, "sub-1"), paths[lost], "sub-1")


def test_caller_may_raise_the_threshold(write):
    found = read_fsl_gradients(*write(b=[90, *B[1:]]), np.eye(4), b0_threshold=100)
    assert not found.directions[0].any()


def test_files_are_written_in_the_usual_layout(tmp_path):
    table = GradientTable(np.array([0.0, 1000, 2000.5]), np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, -1]]))
    write_fsl_gradients(tmp_path / "a.bval", tmp_path / "a.bvec", table, np.diag([2.0, 2, 2, 1]))
    assert (tmp_path / "a.bval").read_text() == "0 1000 2000.5\n"
    assert (tmp_path / "a.bvec").read_text() == "0 -1 0\n0 0 0\n0 0 -1\n"
