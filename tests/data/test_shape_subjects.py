"""Surfaces of codes as subject folders."""

import json
from dataclasses import replace

import pytest
import torch

from monai_cortex.data.cortex_shapes import CortexShapes
from monai_cortex.data.shape_subjects import write_shape_subject
from monai_cortex.data.synthesis_subjects import read_synthesis_subject, synthesis_subjects

PEOPLE = {"a": (1.0, 0.5), "b": (-0.5, 1.0), "c": (0.2, -1.0), "d": (0.7, 0.1)}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory, write_cortices):
    return CortexShapes.fit(write_cortices(tmp_path_factory.mktemp("people"), PEOPLE))


def test_folders_are_read_as_people_are(tmp_path, shapes):
    code = torch.tensor([1.0, -2.0, 2.0])[: len(shapes.model.deviations)]
    record = write_shape_subject(tmp_path / "x", shapes, code, {"seed": 7})
    (item,) = synthesis_subjects(tmp_path)
    person = read_synthesis_subject(item)
    for side, white, pial in zip(("lh", "rh"), *shapes.decode(code), strict=True):
        torch.testing.assert_close(person.white[side].vertices, white.vertices, rtol=0, atol=1e-5)
        torch.testing.assert_close(person.pial[side].vertices, pial.vertices, rtol=0, atol=1e-5)
        assert torch.equal(person.white[side].faces, white.faces)
    assert json.loads((tmp_path / "x" / "SHAPE.json").read_text()) == record
    assert record["seed"] == 7
    assert record["code_norm"] == pytest.approx(float(code.norm()))
    assert record["hemispheres"]["rh"] == {
        "turned_before": 0,
        "turned_triangles": 0,
        "mended_vertices": 0,
        "mended_mm": 0.0,
        "white_outside_pial_voxels": 0,
    }


@pytest.mark.parametrize("mend", [True, False])
def test_turned_triangles_are_counted_and_mended_if_wanted(tmp_path, shapes, mend):
    mean = shapes.model.mean.clone()
    # Two pial neighbors of the left side swap places, and a little more.
    a, b = (4 * 642 // 2 + shapes.correspondence.faces[0][5, :2]).tolist()
    step = 1.2 * (mean[b] - mean[a])
    mean[a] += step
    mean[b] -= step
    spoiled = replace(shapes, model=replace(shapes.model, mean=mean))
    code = torch.zeros(len(shapes.model.deviations))
    found = write_shape_subject(tmp_path / "x", spoiled, code, mend=mend)["hemispheres"]
    assert found["lh"]["turned_before"] > 0
    assert found["lh"]["turned_triangles"] == (0 if mend else found["lh"]["turned_before"])
    assert (found["lh"]["mended_mm"] > 0.1) == mend
    assert 0 < found["lh"]["mended_vertices"] < 30 if mend else found["lh"]["mended_vertices"] == 0
    assert found["rh"]["turned_before"] == 0


def test_a_pial_surface_inside_the_white_one_is_counted(tmp_path, shapes):
    inner, outer = shapes.model.mean.chunk(2)
    swapped = replace(shapes, model=replace(shapes.model, mean=torch.cat([outer, inner])))
    found = write_shape_subject(tmp_path / "x", swapped, torch.zeros(len(shapes.model.deviations)))["hemispheres"]
    assert min(side["white_outside_pial_voxels"] for side in found.values()) > 10000


def test_an_older_folder_is_replaced_whole(tmp_path, shapes):
    (tmp_path / "x" / "surf").mkdir(parents=True)
    (tmp_path / "x" / "surf" / "lh.old").write_text("old")
    write_shape_subject(tmp_path / "x", shapes, torch.zeros(len(shapes.model.deviations)))
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "SHAPE.json",
        *(f"{side}.{kind}" for side in ("lh", "rh") for kind in ("pial", "white")),
    ]
