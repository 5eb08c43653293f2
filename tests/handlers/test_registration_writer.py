import json
import logging

import numpy as np
import pytest
import torch

from monai_cortex.data import read_gifti_surface, read_morph, read_surface_geometry, sha256
from monai_cortex.geometry.vertex_distortion import areal_at_vertices, edge_at_vertices
from monai_cortex.handlers import SphereRegistrationWriter
from monai_cortex.handlers.registration_writer import carried_hemispheres, registration_picture

VOLUME = {
    "head": np.array([2, 0, 20]),
    "valid": "1  # volume info valid",
    "filename": "../mri/filled.mgz",
    "volume": np.array([256, 256, 256]),
    "voxelsize": np.ones(3),
    **{name: np.array(axis, float) for name, axis in (("xras", [-1, 0, 0]), ("yras", [0, 0, -1]), ("zras", [0, 1, 0]))},
    "cras": np.array([5.5, -18.0, 0.25]),
}
PARTS = ("ncc_rigid", "ncc", "mse", "scale", "rotation_degree", "seconds", "dice", "dice_rigid", "dice_area_weighted")
DISTORTIONS = tuple(f"{name}_{part}" for name in ("areal", "edge") for part in ("mean", "median", "p95"))


@pytest.fixture(scope="module")
def item(registered_item):
    """The left hemisphere has repeated draws, the right one has none."""
    item = registered_item()
    native, registration = item["hemispheres"]["lh"], item["registrations"]["lh"]
    item["hemispheres"]["lh"] = native._replace(volume_info=VOLUME)
    item["registrations"]["lh"] = registration._replace(uncertainty=torch.linspace(0, 2, 642))
    return item | {"sources": {"lh": ["sub-1/surf/lh.sulc", "sub-1/surf/lh.sphere"]}}


@pytest.fixture(scope="module")
def written(item, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sub-1")
    return folder, SphereRegistrationWriter("unused").write(item, folder)


def test_files_are_those_of_the_bundle(written):
    names = {f"{side}.{name}" for side in ("lh", "rh") for name in ("sphere.mcx.reg", "mcx.areal", "mcx.edge")}
    names |= {f"{side}.sphere.mcx.reg.surf.gii" for side in ("lh", "rh")} | {"lh.mcx.uncertainty"}
    records = {f"{name.removesuffix('.gii')}.json" for name in names}
    assert {path.name for path in (written[0] / "surf").iterdir()} == names | records
    assert {path.name for path in written[0].iterdir()} == {"surf", "qc.png"}
    assert (written[0] / "qc.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("side", ["lh", "rh"])
def test_spheres_are_the_places_in_the_order_of_the_native_vertices(written, item, side):
    path = written[0] / "surf" / f"{side}.sphere.mcx.reg"
    places = 100 * item["registrations"][side].places
    for surface in (read_surface_geometry(path), read_gifti_surface(f"{path}.surf.gii")):
        torch.testing.assert_close(surface.mesh.vertices, places, atol=1e-5, rtol=0)
        torch.testing.assert_close(surface.mesh.vertices.norm(dim=1), torch.full((642,), 100.0).double())
        assert torch.equal(surface.mesh.faces, item["hemispheres"][side].sphere.faces)
        assert surface.hemisphere == side


def test_volume_geometry_is_that_of_the_native_sphere(written):
    found = read_surface_geometry(written[0] / "surf" / "lh.sphere.mcx.reg").volume_info
    assert found.keys() == VOLUME.keys()
    for name, value in VOLUME.items():
        np.testing.assert_array_equal(found[name], value)
    assert read_surface_geometry(written[0] / "surf" / "rh.sphere.mcx.reg").volume_info == {}


def test_maps_are_distortion_and_uncertainty_at_the_native_vertices(written, item):
    (before, faces), places = item["hemispheres"]["rh"].sphere, item["registrations"]["rh"].places
    expected = {"areal": areal_at_vertices(before, places, faces), "edge": edge_at_vertices(before, places, faces)}
    for name, values in expected.items():
        np.testing.assert_allclose(read_morph(written[0] / "surf" / f"rh.mcx.{name}", 642), values, atol=1e-6)
    uncertainty = read_morph(written[0] / "surf" / "lh.mcx.uncertainty", 642)
    np.testing.assert_allclose(uncertainty, np.linspace(0, 2, 642), atol=1e-6)


def test_sidecars_say_what_a_reader_must_know(written):
    surf = written[0] / "surf"
    notes = {name: json.loads((surf / f"lh.{name}.json").read_text()) for name in ("sphere.mcx.reg", "mcx.areal")}
    for name, note in notes.items():
        assert note["sha256"] == sha256(surf / f"lh.{name}")
        assert note["sources"] == ["sub-1/surf/lh.sphere", "sub-1/surf/lh.sulc"]
        assert (note["target"], note["features"], note["scale"]) == ("fsaverage5", ["sulc", "curv"], 1.0)
        assert note["software"].startswith("monai_cortex ")
    assert "radius 100" in notes["sphere.mcx.reg"]["units"]
    assert "log2" in notes["mcx.areal"]["convention"]
    assert json.loads((surf / "lh.mcx.uncertainty.json").read_text())["units"] == "degree"
    assert json.loads((surf / "rh.mcx.edge.json").read_text())["sources"] == []


def test_metrics_are_those_of_each_hemisphere(written, item):
    metrics = written[1]
    names = {f"{side}_{name}" for side in ("lh", "rh") for name in (*PARTS, *DISTORTIONS, "new_folds")}
    assert metrics.keys() == names | {"lh_uncertainty_mean_degree"}
    assert metrics["lh_rotation_degree"] == pytest.approx(25, abs=1e-4)
    assert metrics["rh_ncc"] == carried_hemispheres(item)["rh"].metrics(4)["ncc"]
    assert metrics["lh_uncertainty_mean_degree"] == pytest.approx(1)
    assert isinstance(metrics["lh_new_folds"], int)


def test_picture_shows_the_first_feature_before_and_after_on_inflated_surfaces(item):
    part = carried_hemispheres(item)["lh"]
    picture = registration_picture(part, {"ncc": 1.0})
    assert picture.target is item["targets"]["lh"].inflated
    assert picture.own is item["hemispheres"]["lh"].inflated
    assert (picture.after - picture.fixed).abs().mean() < 0.1 < (picture.before - picture.fixed).abs().mean()
    assert torch.equal(picture.before, part.carry(part.scaled, rigid=True)[0])
    assert (picture.areal is part.areal, picture.edge is part.edge, picture.metrics) == (True, True, {"ncc": 1.0})
    assert torch.equal(picture.uncertainty, torch.linspace(0, 2, 642))


def test_picture_without_inflated_surface_is_on_the_sphere(item):
    native = item["hemispheres"]["rh"]._replace(inflated=None)
    target = item["targets"]["rh"]._replace(inflated=None)
    one_sided = {"hemispheres": {"rh": native}, "targets": {"rh": target}}
    part = carried_hemispheres(item | one_sided | {"registrations": {"rh": item["registrations"]["rh"]}})["rh"]
    picture = registration_picture(part, {})
    assert picture.target is target.sphere
    assert picture.own is native.sphere
    assert picture.uncertainty is None


def test_opposite_sign_is_told(item, tmp_path, caplog):
    native = item["hemispheres"]["rh"]
    opposite = {"rh": native._replace(values=-native.values)}
    one_sided = {"hemispheres": opposite, "registrations": {"rh": item["registrations"]["rh"]}}
    with caplog.at_level(logging.WARNING):
        metrics = SphereRegistrationWriter("unused").write(item | one_sided, tmp_path)
    assert "rh sulc" in metrics["sign_note"]
    assert "sub-1: rh sulc" in caplog.text
    assert metrics["rh_ncc_rigid"] < 0


@pytest.mark.parametrize("missing", ["hemispheres", "targets"])
def test_registration_without_its_hemisphere_is_refused(item, missing):
    one_sided = {side: value for side, value in item[missing].items() if side == "rh"}
    with pytest.raises(ValueError, match=r"subject sub-1: need .* for \['lh', 'rh'\]"):
        carried_hemispheres(item | {missing: one_sided})


def test_subject_without_registration_is_refused(item):
    with pytest.raises(ValueError, match="for each registration"):
        carried_hemispheres(item | {"registrations": {}})
