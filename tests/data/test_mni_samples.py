"""Surfaces of the MNI152 template, held to the maps that they were made from."""

import json

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from monai_cortex.data.atomic import sha256
from monai_cortex.data.freesurfer import read_surface_geometry
from monai_cortex.data.mni_samples import _in_one_piece, _march, mni152_surfaces, write_mni152
from monai_cortex.data.synthesis_subjects import read_synthesis_subject, synthesis_subjects
from monai_cortex.errors import ConfigError
from monai_cortex.geometry.topology import mesh_topology, signed_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("nilearn")
    pytest.importorskip("skimage")
    place = tmp_path_factory.mktemp("mni") / "mni152"
    write_mni152(place)
    return place


@pytest.fixture(scope="module")
def cortex(folder):
    (item,) = synthesis_subjects(folder, image=True)
    return read_synthesis_subject(item)


def sample(values, affine, points):
    index = (np.linalg.inv(affine) @ np.c_[points, np.ones(len(points))].T)[:3]
    return map_coordinates(values, index, order=1)


@pytest.mark.parametrize("kind", ["white", "pial"])
@pytest.mark.parametrize("side", ["lh", "rh"])
def test_surfaces_are_closed_outward_and_of_one_piece(cortex, kind, side):
    mesh = getattr(cortex, kind)[side]
    topology = mesh_topology(mesh)
    assert (topology.components, topology.open_edges, topology.unreferenced) == (1, 0, 0)
    assert 30_000 < len(mesh.vertices) < 150_000
    low, high = {"white": (250e3, 400e3), "pial": (650e3, 850e3)}[kind]
    assert low < signed_volume(mesh) < high
    assert (mesh.vertices[:, 0] < 0).all() if side == "lh" else (mesh.vertices[:, 0] > 0).all()


def test_hemispheres_of_the_symmetric_template_mirror_each_other(cortex):
    for kind in ("white", "pial"):
        left, right = (signed_volume(getattr(cortex, kind)[side]) for side in ("lh", "rh"))
        assert left == pytest.approx(right, rel=5e-3)


@pytest.mark.parametrize("kind", ["white", "pial"])
def test_vertices_lie_where_the_shipped_maps_say(cortex, kind):
    """Away from cuts and fillings, the probability at the surfaces is a half, up to the smoothing."""
    from nilearn import datasets

    white, gray = datasets.load_mni152_wm_template(1), datasets.load_mni152_gm_template(1)
    values = white.get_fdata() + (gray.get_fdata() if kind == "pial" else 0)
    for mesh in getattr(cortex, kind).values():
        points = mesh.vertices.numpy()
        free = (np.abs(points[:, 0]) > 10) & (points[:, 2] > 35)
        assert free.sum() > 5000
        found = sample(values, white.affine, points[free])
        assert abs(np.median(found) - 0.5) < 0.03
        assert np.percentile(np.abs(found - 0.5), 90) < 0.12


def test_image_is_brighter_within_the_white_surface_and_darker_beyond_the_pial_one(cortex):
    for kind, share in (("white", 0.9), ("pial", 0.9)):
        for mesh in getattr(cortex, kind).values():
            corners = mesh.vertices[mesh.faces].numpy()
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
            middle = corners.mean(1)
            free = (np.abs(middle[:, 0]) > 10) & (middle[:, 2] > 35)
            inside, outside = (
                sample(cortex.image.values, cortex.image.affine, (middle + shift * normal)[free]) for shift in (-1, 1)
            )
            assert (inside > outside).mean() > share


def test_cerebellum_and_brain_stem_are_cut_off(cortex):
    """No vertex lies at the middle of the cerebellum or the medulla, yet the temporal poles reach as low."""
    for mesh in cortex.pial.values():
        x, y, z = mesh.vertices.T
        assert not ((z < -33) & (y < -45)).any()
        assert not ((z < -25) & (x.abs() < 8) & (y < -10)).any()
        assert ((z < -25) & (y > -20) & (x.abs() > 20)).any()


def test_white_lies_within_pial(cortex):
    from monai_cortex.geometry.cell_coverage import cell_coverage

    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -80, -112, -72
    for side in ("lh", "rh"):
        white, pial = (
            cell_coverage(getattr(cortex, kind)[side], (41, 50, 42), torch.from_numpy(affine))
            for kind in ("white", "pial")
        )
        assert (white <= pial + 1e-6).all()
        assert float((pial - white).max()) > 0.9


def test_record_says_what_is_cut(folder):
    record = json.loads((folder / "SOURCE.json").read_text())
    names = {f"surf/{side}.{kind}" for side in ("lh", "rh") for kind in ("white", "pial")} | {"mri/T1.nii.gz"}
    assert record["sha256"] == {name: sha256(folder / name) for name in names}
    assert "cut at the midbrain, the tentorium" in record["content"]
    assert "McGill" in record["license"]


def test_files_hold_what_the_function_returns_and_say_that_it_is_in_scanner_axes(folder):
    for kind, sides in mni152_surfaces().items():
        for side, mesh in sides.items():
            surface = read_surface_geometry(folder / "surf" / f"{side}.{kind}")
            torch.testing.assert_close(surface.mesh.vertices, mesh.vertices, rtol=0, atol=1e-5)
            assert surface.volume_info
            assert not surface.c_ras.any()


def test_only_the_largest_part_is_left_and_its_cavities_are_filled():
    field = np.zeros((12, 12, 12), np.float32)
    field[2:9, 2:9, 2:9] = 1
    field[5, 5, 5] = 0.2
    field[10, 10, 10] = 0.9
    expected = np.zeros_like(field)
    expected[2:9, 2:9, 2:9] = 1
    np.testing.assert_array_equal(_in_one_piece(field), expected)


def test_surface_of_a_linear_field_around_a_point_is_that_of_the_ball():
    pytest.importorskip("skimage")
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -4, -3, -5
    index = np.indices((17, 17, 17))
    points = np.tensordot(affine[:3, :3], index, 1) + affine[:3, 3, None, None, None]
    center = np.array([0.01, 1.02, -1.03])
    radius = np.linalg.norm(points - center[:, None, None, None], axis=0)
    mesh = _march((0.5 + (3 - radius) / 10).astype(np.float32), affine)
    torch.testing.assert_close(
        (mesh.vertices - torch.from_numpy(center)).norm(dim=1),
        torch.tensor(3.0).double().expand(len(mesh.vertices)),
        rtol=0,
        atol=0.02,
    )
    assert signed_volume(mesh) == pytest.approx(36 * np.pi, rel=0.02)


@pytest.mark.parametrize(("module", "package"), [("nilearn", "nilearn"), ("skimage", "scikit-image")])
def test_without_a_package(tmp_path, refused, without_package, module, package):
    pytest.importorskip("nilearn")
    without_package(module)
    refused(ConfigError, lambda: write_mni152(tmp_path), f"no {package}", f"pip install {package}")
