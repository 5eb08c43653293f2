"""Gradient tables and responses: every condition, in FSL's files and in MRtrix's."""

import os
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data import (
    check_dataset,
    read_fsl_gradients,
    read_mrtrix_gradients,
    read_response,
    write_fsl_gradients,
    write_mrtrix_gradients,
)
from monai_cortex.errors import GradientError, InputFileError
from monai_cortex.simulate import reference_scene, simulate_diffusion

COUNT = 12
B = np.array([0.0, 5, *[1000.0] * 10])
VECTORS = np.random.default_rng(3).normal(size=(COUNT, 3))
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
VECTORS[:2] = 0
AFFINE = np.diag([-2.0, 2, 2, 1])
FORMS = ("fsl", "mrtrix")


def table_text(rows, separator=" "):
    return "\n".join(separator.join(f"{number:.12g}" for number in row) for row in rows) + "\n"


def write(folder, form, b=B, vectors=VECTORS):
    """Files of a table; their paths."""
    if form == "mrtrix":
        (folder / "dwi.b").write_text(table_text(np.c_[vectors, b]))
        return (folder / "dwi.b",)
    (folder / "dwi.bval").write_text(table_text([b]))
    (folder / "dwi.bvec").write_text(table_text(np.transpose(vectors)))
    return folder / "dwi.bval", folder / "dwi.bvec"


def read(paths, volumes=COUNT):
    if len(paths) == 1:
        return read_mrtrix_gradients(*paths, volumes, "sub-1")
    return read_fsl_gradients(*paths, AFFINE, volumes, "sub-1")


def changed(values, volume, number):
    result = values.copy()
    result[volume] = number
    return result


TABLES = {
    "NaN b-value": ({"b": changed(B, 4, np.nan)}, "volume 4"),
    "infinite b-value": ({"b": changed(B, 4, np.inf)}, "volume 4"),
    "NaN in a vector": ({"vectors": changed(VECTORS, 6, np.nan)}, "volume 6"),
    "infinite vector": ({"vectors": changed(VECTORS, 6, -np.inf)}, "volume 6"),
    "NaN in the vector of b = 0": ({"vectors": changed(VECTORS, 0, np.nan)}, "volume 0"),
    "negative b-value": ({"b": changed(B, 3, -1000)}, "negative", "volume 3"),
    "slightly negative b-value": ({"b": changed(B, 0, -5)}, "negative", "volume 0"),
    "all b-values 0": ({"b": np.zeros(COUNT)}, "no diffusion-weighted volume"),
    "all b-values small": ({"b": np.full(COUNT, 30.0)}, "no diffusion-weighted volume"),
    "no b = 0": (
        {"b": np.full(COUNT, 1000.0), "vectors": np.tile([0.0, 0, 1], (COUNT, 1))},
        "no b = 0",
        "1000",
        "b0_threshold",
    ),
    "lowest shell just above the threshold": (
        {"b": changed(changed(B, 0, 60), 1, 60), "vectors": changed(changed(VECTORS, 0, [1, 0, 0]), 1, [1, 0, 0])},
        "no b = 0",
        "smallest b = 60",
    ),
    "b-values in ms/um^2": ({"b": B / 1000}, "units", "1000"),
    "several shells in ms/um^2": ({"b": np.arange(COUNT) % 4 * 1.0}, "units"),
    "b-values in s/m^2": ({"b": B * 1e6}, "units"),
    "weighted volume with a zero vector": ({"vectors": changed(VECTORS, 7, 0)}, "zero vector", "volume 7"),
    "one volume more than the image has": (
        {"b": np.append(B, 1000), "vectors": np.r_[VECTORS, [[1, 0, 0]]]},
        "12 volumes",
        "13",
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("condition", TABLES)
def test_tables_that_cannot_be(refused, tmp_path, condition, form):
    change, *words = TABLES[condition]
    paths = write(tmp_path, form, **change)
    refused(GradientError, lambda: read(paths), "sub-1", tmp_path, *words)


def test_three_different_counts_are_all_named(refused, tmp_path):
    paths = write(tmp_path, "fsl", b=B[:-1])
    refused(GradientError, lambda: read(paths, 14), "14 volumes", "11 b-values", "12 vectors")


@pytest.mark.parametrize(
    "how",
    ["3 x N", "N x 3", "commas", "comma and blank", "tabs", "line ends of Windows", "mark of UTF-8", "column of b"],
)
def test_layouts_that_are_read_alike(tmp_path, how):
    truth = read(write(tmp_path, "fsl"))
    rows, line = VECTORS.T, [B]
    text = {
        "3 x N": table_text(rows),
        "N x 3": table_text(VECTORS),
        "commas": table_text(rows, ","),
        "comma and blank": table_text(rows, ", "),
        "tabs": table_text(rows, "\t"),
        "line ends of Windows": table_text(rows).replace("\n", "\r\n"),
        "mark of UTF-8": "\ufeff" + table_text(rows),
        "column of b": table_text(rows),
    }[how]
    (tmp_path / "dwi.bvec").write_bytes(text.encode())
    (tmp_path / "dwi.bval").write_text(table_text(B[:, None] if how == "column of b" else line))
    found = read((tmp_path / "dwi.bval", tmp_path / "dwi.bvec"))
    np.testing.assert_allclose(found.directions, truth.directions, atol=1e-10)
    np.testing.assert_array_equal(found.bvalues, truth.bvalues)


def test_three_directions_are_ambiguous(refused, tmp_path):
    (tmp_path / "a.bval").write_text("0 1000 1000\n")
    (tmp_path / "a.bvec").write_text("0 0 0\n1 0 0\n0 1 0\n")
    refused(GradientError, lambda: read((tmp_path / "a.bval", tmp_path / "a.bvec"), 3), "ambiguous", "a.bvec")


@pytest.mark.parametrize("factor", [1.05, 0.9, 2.0, 0.01])
def test_vectors_that_are_not_of_unit_length(refused, tmp_path, factor):
    paths = write(tmp_path, "fsl", vectors=changed(VECTORS, 5, VECTORS[5] * factor))
    refused(GradientError, lambda: read(paths), "volume 5", f"norm {factor:.4g}", "dwi.bvec")


@pytest.mark.parametrize("factor", [1.009, 0.991])
def test_small_deviations_are_mended_and_recorded(tmp_path, factor):
    found = read(write(tmp_path, "fsl", vectors=changed(VECTORS, 5, VECTORS[5] * factor)))
    np.testing.assert_allclose(np.linalg.norm(found.directions[2:], axis=1), 1)
    assert any("renormalized" in note and "0.9 %" in note for note in found.notes)


GARBAGE = {
    "empty": ("", GradientError, "empty"),
    "blank": (" \n\n\t\n", GradientError, "empty"),
    "header row": ("b0 b1 b2\n0 1000 1000\n", GradientError, "header row"),
    "word among numbers": ("0 1000 abc 1000\n", GradientError, "word|header row"),
    "ragged": ("0 0 1\n1 0\n0 1 0\n", GradientError, "ragged"),
    "five columns": (table_text(np.ones((COUNT, 5))), GradientError, ""),
    "two rows": (table_text(np.ones((2, COUNT))), GradientError, ""),
    "web page": ("<!DOCTYPE html><html></html>", InputFileError, "web page"),
    "pointer of Git LFS": ("version https://git-lfs.github.com/spec/v1\n", InputFileError, "git lfs pull"),
    "binary": ("\0\1\2\0", InputFileError, "not a text table"),
    "huge": ("0 " * 9_000_000, InputFileError, "not a text table"),
}


@pytest.mark.parametrize("file", [0, 1, 2])
@pytest.mark.parametrize("condition", GARBAGE)
def test_files_that_are_no_tables(tmp_path, condition, file):
    text, kind, words = GARBAGE[condition]
    paths = write(tmp_path, "mrtrix") if file == 2 else write(tmp_path, "fsl")
    path = paths[file % 2] if file < 2 else paths[0]
    path.write_text(text)
    with pytest.raises(kind) as caught:
        read(paths)
    assert str(path) in str(caught.value)
    assert any(word in str(caught.value) for word in words.split("|"))
    assert len(str(caught.value).splitlines()) <= 5


@pytest.mark.parametrize("place", ["bval", "bvec", "both"])
def test_table_of_mrtrix_given_as_fsl(refused, tmp_path, place):
    bval, bvec = write(tmp_path, "fsl")
    for path in (bval, bvec):
        if place in (path.suffix[1:], "both"):
            path.write_text(table_text(np.c_[VECTORS, B]))
    refused(GradientError, lambda: read((bval, bvec)), "looks like an MRtrix table", "dwi.b")


def test_table_of_fsl_given_as_mrtrix(refused, tmp_path):
    paths = write(tmp_path, "mrtrix")
    paths[0].write_text(table_text(VECTORS.T))
    refused(GradientError, lambda: read(paths), "not an MRtrix table", "export_grad_mrtrix")


SPECIAL = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "named pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "looping link": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("condition", SPECIAL)
@pytest.mark.parametrize("form", FORMS)
def test_no_regular_file(refused, tmp_path, condition, form):
    paths = write(tmp_path, form)
    paths[-1].unlink()
    SPECIAL[condition](paths[-1])
    refused(InputFileError, lambda: read(paths), paths[-1], "sub-1")


RESPONSES = {
    "empty": ("", "empty"),
    "NaN": ("1 nan 3\n", "NaN"),
    "infinite": ("1 inf 3\n", "infinite"),
    "ragged": ("1 2\n3\n", "ragged"),
    "words": ("a b\n", "header row"),
    "other number of shells": ("# Shells: 0,1000,2000\n1 2\n3 4\n", "shells"),
    "web page": ("<html></html>", "web page"),
}


@pytest.mark.parametrize("condition", RESPONSES)
def test_responses_that_cannot_be(refused, tmp_path, condition):
    text, word = RESPONSES[condition]
    (tmp_path / "response_wm.txt").write_text(text)
    refused(
        InputFileError, lambda: read_response(tmp_path / "response_wm.txt", "sub-1"), "response_wm.txt", "sub-1", word
    )


def test_flipped_and_swapped_axes_are_flagged(tmp_path):
    """On fibers that bend, which continue from voxel to voxel along the right axes only."""
    truth = simulate_diffusion(3, "clinical_16", 30.0, scene=reference_scene())
    signal, affine, table = truth.signal.movedim(0, -1).numpy(), truth.phantom.affine.numpy(), truth.table
    orders = {"good": np.eye(3), "flipped": np.diag([-1, 1, 1]), "swapped": np.eye(3)[[1, 0, 2]]}
    for name, order in orders.items():
        place = tmp_path / name
        place.mkdir()
        nib.save(nib.Nifti1Image(signal, affine), place / "dwi.nii.gz")
        nib.save(nib.Nifti1Image((truth.phantom.tissues[0] > 0).numpy().astype("u1"), affine), place / "mask.nii.gz")
        wrong = replace(table, directions=table.directions @ order)
        write_fsl_gradients(place / "dwi.bval", place / "dwi.bvec", wrong, affine)
    place = tmp_path / "swapped"
    write_mrtrix_gradients(place / "dwi.b", wrong)
    (place / "dwi.bval").unlink()
    count, errors = check_dataset("shd_deconvolution", tmp_path)
    assert count == 3
    assert {error.args[2] for error in errors} == {"flipped", "swapped"}
    assert all("flipped or swapped" in str(error) for error in errors)


def test_a_bad_table_costs_no_other_scan(tmp_path):
    rng = np.random.default_rng(5)
    names = ["good", *(f"bad-{number}" for number in range(len(TABLES)))]
    for name, (change, *_) in zip(names, [({}, ""), *TABLES.values()], strict=True):
        place = tmp_path / name
        place.mkdir()
        nib.save(nib.Nifti1Image(rng.uniform(50, 100, (5, 4, 3, COUNT)).astype("<f4"), AFFINE), place / "dwi.nii.gz")
        write(place, "fsl", **change)
    count, errors = check_dataset("shd_deconvolution", tmp_path)
    assert count == len(names)
    assert {error.args[2] for error in errors} == set(names) - {"good"}
    assert {type(error) for error in errors} == {GradientError}
    assert all(len(str(error).splitlines()) <= 5 for error in errors)
