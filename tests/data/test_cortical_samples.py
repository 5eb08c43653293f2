"""fsaverage5, which ships with nilearn, as subjects in FreeSurfer's layout."""

import json
from pathlib import Path

import pytest
import torch

from monai_cortex.data.atomic import sha256
from monai_cortex.data.cortical_samples import (
    fsaverage5_surfaces,
    sample_target,
    write_fsaverage5,
    write_fsaverage5_cortex,
    write_mirrored_fsaverage5,
)
from monai_cortex.data.cortical_subjects import cortical_subjects, read_cortical_subject
from monai_cortex.data.freesurfer import read_surface_geometry
from monai_cortex.data.gifti import read_gifti_surface, read_gifti_values
from monai_cortex.data.samples import write_samples
from monai_cortex.errors import ConfigError

SIDES = {"lh": "left", "rh": "right"}
MIRROR = torch.tensor([-1.0, 1, 1], dtype=torch.float64)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The target and the sample subject."""
    pytest.importorskip("nilearn")
    place = tmp_path_factory.mktemp("cortex")
    write_samples("spherical_diffusion_registration", place / "samples")
    return Path(sample_target(place)), place / "samples" / "fsaverage5_mirrored"


def read(folder):
    items = cortical_subjects(folder, features=("sulc", "curv"))
    return {item["hemisphere"]: read_cortical_subject(item) for item in items}


def test_target_is_what_nilearn_ships(folders):
    from nilearn.datasets import fetch_surf_fsaverage

    files = fetch_surf_fsaverage("fsaverage5")
    for side, found in read(folders[0]).items():
        for name, mesh in (("infl", found.inflated), ("white", found.white)):
            expected = read_gifti_surface(files[f"{name}_{SIDES[side]}"]).mesh
            torch.testing.assert_close(mesh.vertices, expected.vertices, rtol=0, atol=1e-5)
            assert torch.equal(mesh.faces, expected.faces)
        sphere = torch.nn.functional.normalize(read_gifti_surface(files[f"sphere_{SIDES[side]}"]).mesh.vertices, dim=1)
        torch.testing.assert_close(found.sphere.vertices, sphere, rtol=0, atol=1e-7)
        for number, name in enumerate(("sulc", "curv")):
            values = read_gifti_values(files[f"{name}_{SIDES[side]}"], 10242)
            assert torch.equal(found.values[number].float(), torch.from_numpy(values))


@pytest.mark.parametrize("which", [0, 1])
def test_hemispheres_lie_where_they_belong(folders, which):
    """Left is at negative x, and right, front and up on the sphere are so in the brain."""
    for side, found in read(folders[which]).items():
        x = found.white.vertices[:, 0]
        assert (x.mean() < 0) == (side == "lh")
        assert ((x < 0) == (side == "lh")).double().mean() > 0.95
        brain = found.white.vertices - found.white.vertices.mean(0)
        linear = torch.linalg.lstsq(found.sphere.vertices, brain).solution
        assert (linear.diagonal() > 20).all()
        assert linear.diagonal().min() > 1.2 * (linear - linear.diagonal().diag()).abs().max()
        assert found.sphere_report.folded == 0


@pytest.mark.parametrize("which", [0, 1])
def test_sphere_has_radius_100_in_its_file(folders, which):
    for side in SIDES:
        radii = read_surface_geometry(folders[which] / "surf" / f"{side}.sphere").mesh.vertices.norm(dim=1)
        torch.testing.assert_close(radii, torch.full_like(radii, 100), rtol=0, atol=1e-5)


def test_mirroring_the_other_hemisphere_again_gives_the_target(folders):
    target, mirrored = (read(folder) for folder in folders)
    for side, other in (("lh", "rh"), ("rh", "lh")):
        for name in ("sphere", "inflated", "white"):
            ours, theirs = getattr(mirrored[side], name), getattr(target[other], name)
            torch.testing.assert_close(ours.vertices * MIRROR, theirs.vertices, rtol=0, atol=1e-12)
            assert torch.equal(ours.faces.flip(1), theirs.faces)
        assert torch.equal(mirrored[side].values, target[other].values)
        assert not torch.equal(mirrored[side].values, target[side].values)


def test_record_names_source_and_digests(folders):
    names = {
        f"surf/{side}.{name}" for side in SIDES for name in ("sphere", "sulc", "curv", "inflated", "white", "pial")
    }
    for folder in folders:
        record = json.loads((folder / "SOURCE.json").read_text())
        assert record["name"] == folder.name
        assert "nilearn" in record["source"]
        assert record["sha256"] == {name: sha256(folder / name) for name in names}
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == names | {"SOURCE.json"}


def test_equal_calls_give_equal_bytes(folders, tmp_path):
    for folder, write in zip(folders, (write_fsaverage5, write_mirrored_fsaverage5), strict=True):
        write(tmp_path / folder.name)
        for path in folder.rglob("*.*"):
            assert (tmp_path / folder.name / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_target_is_written_once(folders):
    folder = folders[0]
    marker = folder / "surf" / "lh.mine"
    marker.touch()
    assert sample_target(folder.parents[1]) == sample_target(str(folder.parents[1])) == str(folder)
    assert marker.exists()
    marker.unlink()


def test_without_nilearn(tmp_path, refused, without_package):
    without_package("nilearn")
    refused(ConfigError, lambda: sample_target(tmp_path), "no nilearn", "pip install nilearn")
    assert not list((tmp_path / "target").iterdir())


def test_surfaces_share_their_faces_and_nest():
    pytest.importorskip("nilearn")
    white, pial = (fsaverage5_surfaces(name) for name in ("white", "pial"))
    for side in SIDES:
        assert torch.equal(white[side].faces, pial[side].faces)
        assert white[side].vertices.shape == (10242, 3)
        distance = (pial[side].vertices - white[side].vertices).norm(dim=1)
        assert 2 < distance.mean() < 3
    assert white["lh"].vertices[:, 0].mean() < 0 < white["rh"].vertices[:, 0].mean()


def test_cortex_of_the_sample_is_what_nilearn_ships_in_scanner_axes(tmp_path):
    pytest.importorskip("nilearn")
    write_fsaverage5_cortex(tmp_path)
    for kind in ("white", "pial"):
        for side, mesh in fsaverage5_surfaces(kind).items():
            surface = read_surface_geometry(tmp_path / "surf" / f"{side}.{kind}", scanner=True)
            torch.testing.assert_close(surface.mesh.vertices, mesh.vertices, rtol=0, atol=1e-5)
            assert torch.equal(surface.mesh.faces, mesh.faces)
            assert surface.volume_info
            assert not surface.c_ras.any()
    record = json.loads((tmp_path / "SOURCE.json").read_text())
    assert set(record["sha256"]) == {f"surf/{side}.{kind}" for side in SIDES for kind in ("white", "pial")}
