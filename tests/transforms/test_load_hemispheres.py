import pytest
import torch

from monai_cortex.data import read_cortical_subject, registration_subjects, write_morph, write_surface_geometry
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import LoadHemispheres, LoadHemispheresD, LoadHemispheresd, LoadHemispheresDict


@pytest.fixture
def item(tmp_path):
    """A subject of two small spheres, the right one with a white surface."""
    mesh = icosphere(2)
    surf = tmp_path / "sub-1" / "surf"
    for sign, side in ((1, "lh"), (-1, "rh")):
        write_surface_geometry(surf / f"{side}.sphere", 100 * mesh.vertices, mesh.faces)
        for number, name in enumerate(("sulc", "curv")):
            write_morph(surf / f"{side}.{name}", sign * mesh.vertices[:, number])
    write_surface_geometry(surf / "rh.white", 30 * mesh.vertices, mesh.faces)
    return registration_subjects(tmp_path, features=("sulc", "curv"))[0]


def test_hemispheres_come_back_as_they_were_written(item):
    found = LoadHemispheresd()(item)
    vertices = icosphere(2).vertices
    for sign, side in ((1, "lh"), (-1, "rh")):
        hemisphere = found["hemispheres"][side]
        assert (hemisphere.subject, hemisphere.hemisphere) == ("sub-1", side)
        torch.testing.assert_close(hemisphere.sphere.vertices, vertices, atol=1e-6, rtol=0)
        torch.testing.assert_close(hemisphere.values, sign * vertices[:, :2].T, atol=1e-6, rtol=0)
    assert found["hemispheres"]["lh"].white is None
    assert found["hemispheres"]["rh"].white is not None
    assert found["subject"] == "sub-1"


def test_sources_name_the_files_without_their_folders(item):
    assert LoadHemispheresd()(item)["sources"] == {
        "lh": ["sub-1/lh.curv", "sub-1/lh.sphere", "sub-1/lh.sulc"],
        "rh": ["sub-1/rh.curv", "sub-1/rh.sphere", "sub-1/rh.sulc", "sub-1/rh.white"],
    }


def test_pair_agrees(item):
    assert_pair_agrees(LoadHemispheres(), LoadHemispheresd(), item, "hemispheres")
    assert_pair_agrees(
        lambda items: {side: read_cortical_subject(one) for side, one in items.items()},
        LoadHemispheresd("hemispheres"),
        item,
        "hemispheres",
    )
    assert LoadHemispheresD is LoadHemispheresDict is LoadHemispheresd


def test_missing_keys_are_an_error_unless_allowed():
    with pytest.raises(KeyError):
        LoadHemispheresd()({"subject": "s"})
    assert LoadHemispheresd(allow_missing_keys=True)({"subject": "s"}) == {"subject": "s"}


def test_missing_file_is_named(item):
    item["hemispheres"]["rh"]["sphere"] += ".missing"
    with pytest.raises(InputFileError, match=r"rh\.sphere\.missing \(subject sub-1\)"):
        LoadHemispheresd()(item)
