"""Change of areas and lengths under maps whose stretch is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.distortion import areal_distortion, edge_distortion, folded, mesh_edges, triangle_areas
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation

TETRAHEDRON = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
SQUARE = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
OCTAHEDRON = torch.tensor([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=torch.float64)
OCTAHEDRON_FACES = torch.tensor(
    [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [1, 0, 5], [2, 1, 5], [3, 2, 5], [0, 3, 5]]
)
SEEDS = st.integers(0, 2**31)
SCALES = st.floats(0.05, 20)
LEVELS = pytest.mark.parametrize("level", [0, 1, 2, 3])
RARELY = settings(deadline=None, max_examples=25)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def jittered(seed, amount=0.1):
    vertices = icosphere(2).vertices
    noise = torch.randn(vertices.shape, generator=generator(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(vertices + amount * noise, dim=1)


def moved(vertices, number, place):
    changed = vertices.clone()
    changed[number] = torch.tensor(place, dtype=torch.float64)
    return changed


def test_edges_of_a_tetrahedron_are_all_pairs_in_order():
    edges = mesh_edges(TETRAHEDRON)
    assert edges.dtype == torch.int64
    assert edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_edges_on_a_border_are_counted_too():
    assert mesh_edges(SQUARE_FACES).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]


@LEVELS
def test_edges_obey_euler(level):
    vertices, faces = icosphere(level)
    edges = mesh_edges(faces)
    assert len(vertices) - len(edges) + len(faces) == 2
    assert (edges[:, 0] < edges[:, 1]).all()
    walked = {tuple(sorted(pair)) for a, b, c in faces.tolist() for pair in ((a, b), (b, c), (c, a))}
    assert [tuple(edge) for edge in edges.tolist()] == sorted(walked)


@given(seed=SEEDS)
@RARELY
def test_edges_do_not_depend_on_the_order_of_faces_and_corners(seed):
    faces = icosphere(1).faces
    shuffled = faces[torch.randperm(len(faces), generator=generator(seed))].flip(1).roll(seed % 3, 1)
    assert torch.equal(mesh_edges(shuffled), mesh_edges(faces))


def test_area_of_right_triangles_is_half_a_product_of_legs():
    corners = torch.tensor([[1, 1, 1], [4, 1, 1], [1, 5, 1], [1, 1, 3], [7, 1, 1]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [3, 1, 0], [0, 1, 4]])
    assert triangle_areas(corners, faces).tolist() == pytest.approx([6, 4, 3, 0], abs=1e-14)


def test_area_of_the_icosahedron():
    """Twenty equilateral triangles of side 1 / sin(72 degrees)."""
    areas = triangle_areas(*icosphere(0))
    expected = math.sqrt(3) / 4 / math.sin(2 * math.pi / 5) ** 2
    torch.testing.assert_close(areas, torch.full((20,), expected, dtype=torch.float64), atol=1e-14, rtol=0)


@given(seed=SEEDS, scale=SCALES)
@RARELY
def test_areas_scale_with_the_square_and_survive_rotation_shift_and_reversal(seed, scale):
    vertices, faces = jittered(seed), icosphere(2).faces
    changed = scale * (vertices @ random_rotation(generator(seed))) + torch.tensor([1.0, -2.0, 3.0])
    expected = scale**2 * triangle_areas(vertices, faces)
    torch.testing.assert_close(triangle_areas(changed, faces.flip(1)), expected, atol=1e-12, rtol=1e-10)


@given(scale=SCALES)
@RARELY
def test_scaling_counts_twice_in_areas_and_once_in_lengths(scale):
    vertices, faces = icosphere(1)
    areal, edge = (
        areal_distortion(vertices, scale * vertices, faces),
        edge_distortion(vertices, scale * vertices, faces),
    )
    assert areal.shape == (80,)
    assert edge.shape == (120,)
    torch.testing.assert_close(areal, torch.full_like(areal, 2 * abs(math.log2(scale))), atol=1e-12, rtol=0)
    torch.testing.assert_close(edge, torch.full_like(edge, abs(scale - 1)), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 8.0])
def test_stretch_along_one_side_of_a_square(factor):
    stretched = SQUARE * torch.tensor([factor, 1, 1], dtype=torch.float64)
    areal, edge = areal_distortion(SQUARE, stretched, SQUARE_FACES), edge_distortion(SQUARE, stretched, SQUARE_FACES)
    diagonal = abs(math.sqrt((factor**2 + 1) / 2) - 1)
    assert areal.tolist() == pytest.approx([abs(math.log2(factor))] * 2, abs=1e-14)
    assert edge.tolist() == pytest.approx([abs(factor - 1), diagonal, 0, 0, abs(factor - 1)], abs=1e-14)


@pytest.mark.parametrize("shear", [-1.0, 0.3, 2.0])
def test_shear_keeps_areas_and_changes_lengths(shear):
    sheared = SQUARE.clone()
    sheared[:, 0] += shear * SQUARE[:, 1]
    side, diagonal = math.hypot(1, shear) - 1, abs(math.hypot(1 + shear, 1) / math.sqrt(2) - 1)
    assert areal_distortion(SQUARE, sheared, SQUARE_FACES).tolist() == pytest.approx([0, 0], abs=1e-14)
    expected = [0, diagonal, side, side, 0]
    assert edge_distortion(SQUARE, sheared, SQUARE_FACES).tolist() == pytest.approx(expected, abs=1e-14)


@given(seed=SEEDS)
@RARELY
def test_distortion_is_that_of_areas_and_of_listed_edges(seed):
    before, after, faces = jittered(seed), jittered(seed + 1), icosphere(2).faces
    ratio = triangle_areas(after, faces) / triangle_areas(before, faces)
    torch.testing.assert_close(areal_distortion(before, after, faces), ratio.log2().abs(), atol=1e-10, rtol=1e-10)
    low, high = mesh_edges(faces).T
    lengths = [(v[low] - v[high]).norm(dim=1) for v in (before, after)]
    expected = (lengths[1] / lengths[0] - 1).abs()
    torch.testing.assert_close(edge_distortion(before, after, faces), expected, atol=1e-12, rtol=1e-12)


@given(seed=SEEDS)
@RARELY
def test_areal_distortion_is_the_same_there_and_back_and_rigid_maps_have_none(seed):
    before, after, faces = jittered(seed), jittered(seed + 1), icosphere(2).faces
    there, back = areal_distortion(before, after, faces), areal_distortion(after, before, faces)
    torch.testing.assert_close(there, back, atol=1e-10, rtol=1e-10)
    turned = before @ random_rotation(generator(seed))
    assert areal_distortion(before, turned, faces).max() < 1e-9
    assert edge_distortion(before, turned, faces).max() < 1e-12
    torch.testing.assert_close(
        areal_distortion(before, turned + 1, faces), torch.zeros(320).double(), atol=1e-9, rtol=0
    )
    assert areal_distortion(before, before * (1 - 2 * torch.eye(3)[0]), faces).max() < 1e-9


def test_distortions_are_differentiable():
    before, faces = jittered(0), icosphere(2).faces
    after = jittered(1).requires_grad_()
    (areal_distortion(before, after, faces).sum() + edge_distortion(before, after, faces).sum()).backward()
    assert after.grad.isfinite().all()
    assert after.grad.abs().max() > 0


def test_vertex_moved_through_the_center_folds_the_triangles_about_it():
    after = moved(OCTAHEDRON, 4, [0.0, 0.0, -1.0])
    count = folded(OCTAHEDRON, after, OCTAHEDRON_FACES)
    assert isinstance(count, int)
    assert count == 4


def test_triangles_fold_once_their_vertex_is_below_the_plane_of_its_neighbors():
    """All four determinants are the height of the vertex."""
    assert folded(OCTAHEDRON, moved(OCTAHEDRON, 4, [0.9, 0.0, -0.3]), OCTAHEDRON_FACES) == 4
    assert folded(OCTAHEDRON, moved(OCTAHEDRON, 4, [0.9, 0.0, 0.3]), OCTAHEDRON_FACES) == 0


def test_flattened_triangles_no_longer_face_outward():
    assert folded(OCTAHEDRON, moved(OCTAHEDRON, 4, [1.0, 0.0, 0.0]), OCTAHEDRON_FACES) == 4


def test_triangles_that_are_not_finite_no_longer_face_outward():
    assert folded(OCTAHEDRON, moved(OCTAHEDRON, 4, [math.nan, 0.0, 1.0]), OCTAHEDRON_FACES) == 4


def test_only_new_folds_count_and_those_undone_do_not_make_up_for_them():
    top, bottom = moved(OCTAHEDRON, 4, [0.0, 0.0, -1.0]), moved(OCTAHEDRON, 5, [0.0, 0.0, 1.0])
    assert folded(top, top, OCTAHEDRON_FACES) == 0
    assert folded(top, OCTAHEDRON, OCTAHEDRON_FACES) == 0
    assert folded(top, bottom, OCTAHEDRON_FACES) == 4


@given(seed=SEEDS, scale=SCALES)
@RARELY
def test_rotations_and_scalings_fold_nothing_and_a_mirror_everything(seed, scale):
    vertices, faces = icosphere(2)
    assert folded(vertices, scale * vertices @ random_rotation(generator(seed)), faces) == 0
    assert folded(vertices, vertices * torch.tensor([-1.0, 1, 1]).double(), faces) == len(faces)
    assert folded(vertices, -vertices, faces) == len(faces)


@given(seed=SEEDS)
@RARELY
def test_folds_are_determinants_that_lose_their_sign(seed):
    before, after, faces = jittered(seed, 0.15), jittered(seed + 1, 0.3), icosphere(2).faces
    was, now = torch.linalg.det(before[faces]), torch.linalg.det(after[faces])
    assert folded(before, after, faces) == ((was > 0) & (now <= 0)).sum().item()
    turned = after @ random_rotation(generator(seed))
    assert folded(before, turned, faces) == folded(before, after, faces)
