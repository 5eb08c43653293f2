"""Synthetic people in files: surfaces and image belong together."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import read_surface_geometry
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces, CorticalVariation, vary_cortex
from monai_cortex.simulate.scanner import SCANNERS, Scanner
from monai_cortex.simulate.synthetic_brain import brain_grid, write_synthetic_brain, write_synthetic_brains

SIDES = ("lh", "rh")


@pytest.fixture(scope="module")
def template():
    """Hemispheres that are balls, away from the origin."""
    ball, kinds = icosphere(4), []
    for radius in (18.0, 21.0):
        centers = {side: ball.vertices.new_tensor([x, 5, -60]) for side, x in zip(SIDES, (-25, 25), strict=True)}
        kinds.append({side: Mesh(radius * ball.vertices + center, ball.faces) for side, center in centers.items()})
    return CorticalSurfaces(*kinds)


@pytest.fixture(scope="module")
def written(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("brains") / "synthetic-0003"
    return folder, write_synthetic_brain(folder, template, 3, SCANNERS["A"], spacing=1.5)


def voxels(points, affine):
    return (np.linalg.inv(affine) @ np.c_[points, np.ones(len(points))].T)[:3].T


def test_files_are_those_of_a_subject(written):
    found = {path.relative_to(written[0]).as_posix() for path in written[0].rglob("*") if path.is_file()}
    surfaces = {f"surf/{side}.{name}" for side in SIDES for name in ("white", "pial")}
    assert found == surfaces | {"mri/T1.mgz", "SIMULATION.json"}


def test_surfaces_come_back_in_scanner_coordinates(written, template):
    generator = torch.Generator().manual_seed(3)
    person = vary_cortex(template, generator)
    for name, kind in person._asdict().items():
        for side, mesh in kind.items():
            file = read_surface_geometry(written[0] / "surf" / f"{side}.{name}", scanner=True)
            torch.testing.assert_close(file.mesh.vertices, mesh.vertices, atol=2e-5, rtol=0)
            assert torch.equal(file.mesh.faces, mesh.faces)
            assert np.abs(file.c_ras).max() > 1


def test_image_is_where_the_surfaces_are(written):
    """White matter within the white surface, gray matter under the pial one, fluid outside: by the files alone."""
    image = nib.load(written[0] / "mri" / "T1.mgz")
    values = image.get_fdata()
    np.testing.assert_array_equal(values, written[1].image.numpy())
    for side in SIDES:
        white, pial = (
            read_surface_geometry(written[0] / "surf" / f"{side}.{name}", scanner=True).mesh.vertices.numpy()
            for name in ("white", "pial")
        )
        outward = (pial - white) / np.linalg.norm(pial - white, axis=1, keepdims=True)
        for points, mean in ((white - 3 * outward, 1.0), ((white + pial) / 2, 0.6), (pial + 2.5 * outward, 0.15)):
            at = tuple(voxels(points, image.affine).round().astype(int).T)
            assert np.median(values[at]) == pytest.approx(mean, abs=0.06)


def test_tkr_coordinates_are_those_of_freesurfer(written):
    """vox2ras-tkr of the volume takes voxels to the file's own coordinates: the axes are FreeSurfer's."""
    image = nib.load(written[0] / "mri" / "T1.mgz")
    file = read_surface_geometry(written[0] / "surf" / "lh.pial")
    scanner = read_surface_geometry(written[0] / "surf" / "lh.pial", scanner=True)
    through = voxels(scanner.mesh.vertices.numpy(), image.affine)
    tkr = (image.header.get_vox2ras_tkr() @ np.c_[through, np.ones(len(through))].T)[:3].T
    np.testing.assert_allclose(tkr, file.mesh.vertices.numpy(), atol=1e-4)


def test_footer_describes_the_volume(written):
    info = nib.freesurfer.read_geometry(written[0] / "surf" / "rh.white", read_metadata=True)[2]
    image = nib.load(written[0] / "mri" / "T1.mgz")
    np.testing.assert_array_equal(info["volume"], image.shape)
    np.testing.assert_allclose(info["voxelsize"], 1.5, atol=1e-6)
    np.testing.assert_allclose(info["cras"], image.header["Pxyz_c"], atol=1e-4)


def test_record_tells_seed_and_thickness(written):
    record = json.loads((written[0] / "SIMULATION.json").read_text())
    assert record["synthetic"] is True
    assert (record["seed"], record["spacing_mm"], record["scanner"]["gray"]) == (3, 1.5, 0.6)
    for side in SIDES:
        assert 1.5 < record["thickness_mm"][side]["mean"] < 4.5
        assert record["thickness_mm"][side]["deviation"] > 0


def test_grid_holds_the_brain_with_its_margin(template):
    origins = []
    for seed in range(5):
        shape, affine = brain_grid(list(template.pial.values()), 1.4, torch.Generator().manual_seed(seed))
        for mesh in template.pial.values():
            at = voxels(mesh.vertices.numpy(), affine.numpy())
            assert (at * 1.4 >= 8 - 1e-9).all()
            assert ((np.array(shape) - 1 - at) * 1.4 >= 8 - 1e-9).all()
            assert (np.array(shape) * 1.4 < 2 * (8 + 1.4) + 1.4 + np.ptp(at, 0) * 1.4 + 51).all()
        origins.append(affine[:3, 3])
    assert torch.stack(origins).std(0).min() > 0.1
    assert torch.stack(origins).max(0).values.sub(torch.stack(origins).min(0).values).max() < 1.4


def test_same_person_on_another_scanner_and_grid(template, written, tmp_path):
    write_synthetic_brain(tmp_path / "b", template, 3, SCANNERS["B"], spacing=2.0)
    first, second = (
        read_surface_geometry(folder / "surf" / "lh.pial", scanner=True).mesh.vertices
        for folder in (written[0], tmp_path / "b")
    )
    torch.testing.assert_close(first, second, atol=2e-5, rtol=0)


def test_equal_seeds_give_equal_files(template, written, tmp_path):
    write_synthetic_brain(tmp_path / "again", template, 3, SCANNERS["A"], spacing=1.5)
    for path in written[0].rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(written[0])).read_bytes()


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan")])
def test_senseless_spacing_is_refused(template, spacing, tmp_path):
    with pytest.raises(ValueError, match="spacing"):
        write_synthetic_brain(tmp_path / "x", template, 0, Scanner(), spacing, CorticalVariation())
    assert not list(tmp_path.iterdir())


def test_unknown_scanner_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="A, B"):
        write_synthetic_brains(tmp_path, 1, scanner="C")
