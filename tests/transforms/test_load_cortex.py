"""Surfaces and image of a subject, read from files."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.data import read_synthesis_subject, synthesis_subjects
from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import LoadCortex, LoadCortexD, LoadCortexd, LoadCortexDict
from monai_cortex.transforms.cortex_preprocessing import cortex_preprocessing


@pytest.fixture(scope="module")
def path(synthetic_people):
    return synthesis_subjects(synthetic_people)[0]


@pytest.fixture(scope="module")
def item(path):
    return LoadCortexd()(path)


def test_surfaces_are_those_of_the_reader(path, item):
    expected = read_synthesis_subject(path)
    assert item["sides"] == ("lh", "rh")
    for name, meshes in (("white", expected.white), ("pial", expected.pial)):
        for side, mesh in zip(item["sides"], item[name], strict=True):
            assert torch.equal(mesh.vertices, meshes[side].vertices)
            assert torch.equal(mesh.faces, meshes[side].faces)
    assert item["subject"] == "synthetic-0000"


def test_image_is_that_of_the_file(path, item):
    file = nib.load(path["image"])
    assert isinstance(item["image"], MetaTensor)
    assert item["image"].dtype == torch.float32
    assert item["imaged"]
    np.testing.assert_allclose(item["image"][0].numpy(), file.get_fdata(), atol=1e-6)
    np.testing.assert_allclose(item["image"].affine.numpy(), file.affine, atol=1e-6)


def test_labels_are_those_of_the_annotations(item):
    assert item["label_names"][:2] == ("front", "back")
    for side, white in zip(item["sides"], item["white"], strict=True):
        assert len(item["labels"][side]) == len(white.vertices)
        front = white.vertices[item["labels"][side] == 0, 1]
        assert front.mean() > white.vertices[:, 1].mean() + 5


def test_sources_are_the_files_that_were_read(path, item):
    files = {*path["white"].values(), *path["pial"].values(), *path["annot"].values(), path["image"]}
    assert set(item["sources"]) == {f"synthetic-0000/{Path(name).name}" for name in files}


def test_grid_is_made_where_there_is_no_image(path):
    alone = LoadCortexd(margin_mm=7.0)({name: value for name, value in path.items() if name != "image"})
    image = alone["image"]
    assert not alone["imaged"]
    assert not image.any()
    affine = image.affine.double()
    torch.testing.assert_close(affine[:3, :3].abs().sum(0), torch.ones(3).double())
    corners = torch.tensor([[0, 0, 0], [n - 1 for n in image.shape[1:]]]).double() @ affine[:3, :3].T + affine[:3, 3]
    points = torch.cat([mesh.vertices for mesh in alone["pial"]])
    margin = torch.stack([points.amin(0) - corners.amin(0), corners.amax(0) - points.amax(0)])
    assert (margin >= 7 - 1e-6).all()
    assert (margin <= 9).all()


def test_pair_agrees(path):
    meshes = LoadCortex()(path)
    for name, expected in (("white", meshes.white), ("pial", meshes.pial)):

        def one(data, name=name):
            return {**data, name: LoadCortexd()(data)[name]}

        assert_pair_agrees(lambda _, expected=expected: list(expected.values()), one, path, name)
    assert LoadCortexD is LoadCortexDict is LoadCortexd


def test_open_surfaces_are_read_where_asked_for(tmp_path, path):
    points, faces = nib.freesurfer.read_geometry(path["white"]["lh"])
    nib.freesurfer.write_geometry(tmp_path / "lh.white", points, faces[1:])
    cut = {"subject": "sub-1", "white": {"lh": str(tmp_path / "lh.white")}, "pial": {"lh": path["pial"]["lh"]}}
    with pytest.raises(GeometryError, match="3 open edges"):
        LoadCortexd()(cut)
    with pytest.raises(GeometryError, match="3 open edges"):
        cortex_preprocessing().transforms[0](cut)
    for load in (LoadCortexd(open_surfaces=True), cortex_preprocessing(open_surfaces=True).transforms[0]):
        assert len(load(cut)["white"][0].faces) == len(faces) - 1


def test_missing_file_is_named(path):
    with pytest.raises(InputFileError, match=r"lh\.gone"):
        LoadCortexd()({**path, "white": {**path["white"], "lh": path["white"]["lh"] + "/../lh.gone"}})
