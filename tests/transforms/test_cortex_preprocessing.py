"""From files to channels: all of them on one grid, from the same meshes."""

import pytest
import torch

from monai_cortex.data import synthesis_subjects
from monai_cortex.geometry.signed_distance import signed_distance
from monai_cortex.transforms import cortex_channels, cortex_preprocessing


def test_channels_have_the_agreed_shapes_and_ranges(synthetic_person):
    shape = synthetic_person["image"].shape[1:]
    for name, channels in (("image", 1), ("source", 1), ("condition", 4)):
        assert synthetic_person[name].shape == (channels, *shape)
        assert synthetic_person[name].dtype == torch.float32
        assert -1 <= synthetic_person[name].min() < -0.9
        assert 0.9 < synthetic_person[name].max() <= 1


def test_distances_are_those_of_the_meshes(synthetic_person):
    image = synthetic_person["image"]
    for channel, name in enumerate(("pial", "white")):
        each = [signed_distance(mesh, image.shape[1:], image.affine, band=6.0) for mesh in synthetic_person[name]]
        expected = torch.minimum(*each)
        scaled = (expected / 5).clamp(-1, 1).float()
        torch.testing.assert_close(torch.as_tensor(synthetic_person["condition"][channel]), scaled, atol=1e-5, rtol=0)
        inside = synthetic_person[f"{name}_distance"][0].abs() < 4.9
        torch.testing.assert_close(
            synthetic_person[f"{name}_distance"][0].as_tensor()[inside], expected.float()[inside], atol=1e-4, rtol=0
        )


def test_tissues_are_where_the_surfaces_say(synthetic_person):
    image, source = synthetic_person["image"].as_tensor(), torch.as_tensor(synthetic_person["source"])
    white, ribbon, outside = source < -0.3, source == 0, source > 0.5
    assert image[white].median() > image[ribbon].median() > image[outside].median()


def test_grid_of_another_spacing(synthetic_people, synthetic_person):
    item = synthesis_subjects(synthetic_people)[0]
    coarse = cortex_preprocessing(spacing=4.0)(item)
    affine = coarse["image"].affine
    torch.testing.assert_close(affine[:3, :3].norm(dim=0), torch.full((3,), 4.0).double(), atol=1e-4, rtol=0)
    each = [signed_distance(mesh, coarse["image"].shape[1:], affine, band=6.0) for mesh in coarse["white"]]
    near = coarse["white_distance"][0].abs() < 4.9
    found = coarse["white_distance"][0].as_tensor()[near]
    torch.testing.assert_close(found, torch.minimum(*each).float()[near], atol=1e-4, rtol=0)
    assert coarse["image"].shape[1] < synthetic_person["image"].shape[1]


def test_no_channels_and_edges_apart(synthetic_people):
    item = synthesis_subjects(synthetic_people)[0]
    assert "condition" not in cortex_preprocessing(aux=())(item)
    assert cortex_preprocessing(edge_mode="per_surface")(item)["condition"].shape[0] == 5


def test_channels_are_computed_anew_from_the_surfaces(synthetic_person):
    again = cortex_channels()(synthetic_person)
    for name in ("source", "condition"):
        assert torch.equal(torch.as_tensor(again[name]), torch.as_tensor(synthetic_person[name]))
    assert torch.equal(again["image"], synthetic_person["image"])
    moved = [
        mesh._replace(vertices=mesh.vertices + mesh.vertices.new_tensor([0, 0, 1.0]))
        for mesh in synthetic_person["pial"]
    ]
    other = cortex_channels()({**synthetic_person, "pial": moved})
    assert not torch.equal(torch.as_tensor(other["source"]), torch.as_tensor(synthetic_person["source"]))


@pytest.mark.parametrize("missing", ["image"])
def test_surfaces_alone_are_enough(synthetic_people, missing):
    item = {name: value for name, value in synthesis_subjects(synthetic_people)[1].items() if name != missing}
    found = cortex_preprocessing(spacing=3.0)(item)
    assert not found["imaged"]
    assert found["condition"].shape[1:] == found["source"].shape[1:]
