"""Signed distance on grids: spheres and cubes, brute force, affines, bands, holes, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance

SPHERE = icosphere(5)
CORNERS = torch.tensor([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=torch.float64)
CUBE_FACES = torch.tensor(
    [
        [0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 7, 3], [1, 5, 7],
    ]
)  # fmt: skip
CUBE = Mesh(CORNERS, CUBE_FACES)


def nodes(shape, affine):
    index = torch.stack(torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in shape], indexing="ij"), -1)
    affine = torch.as_tensor(affine, dtype=torch.float64)
    return index @ affine[:3, :3].T + affine[:3, 3]


def centered(spacing, shape):
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    affine[:3, 3] = -affine.diagonal()[:3] * (torch.tensor(shape) - 1) / 2
    return affine


def cube_distance(points):
    """Closed form for the unit cube."""
    beyond = (points - 0.5).abs() - 0.5
    return beyond.clamp(min=0).norm(dim=-1) + beyond.amax(-1).clamp(max=0)


def random_affine(seed):
    """Oblique, sheared, anisotropic; left-handed for one seed of two."""
    generator = torch.Generator().manual_seed(seed)
    affine = torch.eye(4, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    shear = torch.eye(3, dtype=torch.float64) + 0.3 * torch.randn(3, 3, generator=generator, dtype=torch.float64).triu(
        1
    )
    affine[:3, :3] = turn @ shear @ torch.diag(0.15 + 0.3 * torch.rand(3, generator=generator, dtype=torch.float64))
    affine[:3, 3] = -affine[:3, :3] @ torch.tensor([4.3, 5.1, 3.7], dtype=torch.float64)
    return affine


def test_sphere_within_the_error_of_its_triangles():
    shape = (24, 25, 26)
    affine = centered((12.0, 11.0, 10.0), shape)
    found = signed_distance(Mesh(SPHERE.vertices * 80, SPHERE.faces), shape, affine)
    a, b, _ = SPHERE.vertices[SPHERE.faces].unbind(1)
    longest = (a - b).norm(dim=1).max() * 80
    gap = (found - (nodes(shape, affine).norm(dim=-1) - 80)).abs()
    assert gap.max() <= 80 * (1 - torch.cos(longest / 80)) + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_cube_is_exact_under_any_affine(seed):
    affine = random_affine(seed)
    truth = cube_distance(nodes((9, 10, 8), affine))
    torch.testing.assert_close(signed_distance(CUBE, (9, 10, 8), affine), truth, atol=1e-12, rtol=0)


def test_nodes_on_faces_edges_and_corners():
    affine = np.diag([0.25, 0.25, 0.25, 1]) + np.array([[0, 0, 0, -0.5]] * 3 + [[0] * 4])
    found = signed_distance(CUBE, (9, 9, 9), affine)
    torch.testing.assert_close(found, cube_distance(nodes((9, 9, 9), affine)), atol=1e-12, rtol=0)


@given(st.integers(0, 5), st.floats(0.05, 1.5))
@settings(max_examples=20, deadline=None)
def test_band_clips(seed, band):
    affine = random_affine(seed)
    full = signed_distance(CUBE, (9, 10, 8), affine)
    clipped = signed_distance(CUBE, (9, 10, 8), affine, band)
    torch.testing.assert_close(clipped, full.clamp(-band, band), atol=1e-12, rtol=0)


def test_overlap_is_inside():
    """Two cubes in one mesh, one moved by half: in the overlap the surface winds twice."""
    both = Mesh(torch.cat([CORNERS, CORNERS + 0.5]), torch.cat([CUBE_FACES, CUBE_FACES + 8]))
    affine = centered((0.17, 0.17, 0.17), (20, 20, 20))
    affine[:3, 3] += 0.75
    points = nodes((20, 20, 20), affine)
    inside = (cube_distance(points) < 0) | (cube_distance(points - 0.5) < 0)
    assert torch.equal(signed_distance(both, (20, 20, 20), affine) < 0, inside)


def test_lid_is_closed_for_the_sign():
    lidless = Mesh(CORNERS, CUBE_FACES[:-2])
    affine = centered((0.13, 0.13, 0.13), (16, 16, 16))
    affine[:3, 3] += 0.5
    inside = cube_distance(nodes((16, 16, 16), affine)) < 0
    assert torch.equal(signed_distance(lidless, (16, 16, 16), affine) < 0, inside)


def bent(scale=20.0):
    """A ball with bumps, about 20 mm wide."""
    vertices = SPHERE.vertices
    radius = 1 + 0.2 * torch.sin(5 * vertices[:, :1]) * torch.cos(4 * vertices[:, 1:2])
    return Mesh(vertices * radius * scale, SPHERE.faces)


@pytest.mark.parametrize("band", [None, 6.0])
def test_equals_libigl(band):
    igl = pytest.importorskip("igl")
    affine = random_affine(1)
    affine[:3, :3] *= 5 / affine[:3, :3].norm(dim=0)
    affine[:3, 3] = -affine[:3, :3] @ torch.tensor([8.0, 7.5, 7.0], dtype=torch.float64)
    shape, mesh = (17, 16, 15), bent()
    points = nodes(shape, affine).reshape(-1, 3).numpy()
    kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    truth = igl.signed_distance(points, mesh.vertices.numpy(), mesh.faces.numpy(), sign_type=kind)[0]
    found = signed_distance(mesh, shape, affine, band).flatten().numpy()
    np.testing.assert_allclose(found, truth if band is None else truth.clip(-band, band), atol=1e-9)
    assert (np.sign(found) == np.sign(truth)).all()


@pytest.mark.parametrize("band", [None, 4.0])
def test_result_does_not_depend_on_threads(band):
    threads, shape = torch.get_num_threads(), (70, 20, 20)
    affine = centered((0.8, 2.5, 2.5), shape)
    results = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            results.append(signed_distance(bent(), shape, affine, band))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@given(st.tuples(*[st.integers(-2, 2)] * 3), st.sampled_from([None, 5.0]))
@settings(max_examples=10, deadline=None)
def test_shift_by_whole_voxels_shifts_the_field(shift, band):
    shape, spacing = (24, 24, 24), (3.0, 2.5, 2.8)
    affine = centered(spacing, shape)
    moved = bent()._replace(vertices=bent().vertices + torch.tensor(shift) * torch.tensor(spacing, dtype=torch.float64))
    found = signed_distance(moved, shape, affine, band).roll([-n for n in shift], (0, 1, 2))[2:-2, 2:-2, 2:-2]
    expected = signed_distance(bent(), shape, affine, band)[2:-2, 2:-2, 2:-2]
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 2)])
def test_quarter_turn_turns_the_field(axes):
    shape = (20, 20, 20)
    affine = centered((2.7, 2.7, 2.7), shape)
    turn = torch.eye(3, dtype=torch.float64)
    i, j = axes
    turn[[i, i, j, j], [i, j, i, j]] = torch.tensor([0.0, -1, 1, 0], dtype=torch.float64)
    turned = bent()._replace(vertices=bent().vertices @ turn.T)
    expected = torch.rot90(signed_distance(bent(), shape, affine), 1, axes)
    torch.testing.assert_close(signed_distance(turned, shape, affine), expected, atol=1e-9, rtol=0)


def test_slope_is_one_off_the_medial_axis():
    shape = (40, 40, 40)
    affine = centered((0.5, 0.5, 0.5), shape)
    found = signed_distance(Mesh(SPHERE.vertices * 6, SPHERE.faces), shape, affine)
    slope = torch.stack(torch.gradient(found, spacing=0.5)).norm(dim=0)[1:-1, 1:-1, 1:-1]
    away = nodes(shape, affine).norm(dim=-1)[1:-1, 1:-1, 1:-1] > 3
    torch.testing.assert_close(slope[away], torch.ones_like(slope[away]), atol=0.03, rtol=0)


def test_single_precision_stays():
    found = signed_distance(Mesh(CORNERS.float(), CUBE_FACES), (4, 4, 4), np.eye(4), 1.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found.double(), cube_distance(nodes((4, 4, 4), np.eye(4))).clamp(-1, 1), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mesh": Mesh(CORNERS * np.nan, CUBE_FACES)}, "8 of 8 vertices are not finite"),
        ({"mesh": Mesh(CORNERS[:0], CUBE_FACES[:0])}, "vertices must have shape"),
        ({"mesh": Mesh(CORNERS, CUBE_FACES[:0])}, "faces must have shape"),
        ({"mesh": Mesh(CORNERS, CUBE_FACES + 1)}, "faces must name vertices 0 to 7, got 1 to 8"),
        ({"mesh": Mesh(CORNERS, CUBE_FACES.flip(1))}, "inside out"),
        ({"shape": (3, 3)}, "shape must be three"),
        ({"shape": (3, 0, 3)}, "shape must be three"),
        ({"affine": np.zeros((4, 4))}, "invertible"),
        ({"affine": np.eye(3)}, "invertible"),
        ({"band": 0.0}, "band must be a positive"),
        ({"band": float("nan")}, "band must be a positive"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        signed_distance(**{"mesh": CUBE, "shape": (3, 3, 3), "affine": np.eye(4), **change})
