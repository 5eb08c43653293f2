"""Displacements in mm that are known on paper, there and back, and on other grids."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.displacement import voxel_grid, warp
from monai_cortex.geometry.displacement_space import from_world, point_into, resample_displacement, to_world

SHAPE = (5, 6, 4)
RAS = np.array([[1.5, 0, 0, 7], [0, 2, 0, -3], [0, 0, 3, 4], [0, 0, 0, 1]])


def oblique(rotation, spacing=(-1.0, 2.0, 0.7)):
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = rotation @ torch.diag(torch.tensor(spacing).double())
    affine[:3, 3] = torch.tensor([10.0, -20.0, 5.0])
    return affine


def field(seed=0, shape=SHAPE):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("axis", "vector"), [(0, (-1.5, 0, 0)), (1, (0, -2, 0)), (2, (0, 0, 3))])
def test_one_voxel_of_a_ras_grid_is_known_in_lps(axis, vector):
    ddf = torch.zeros(3, *SHAPE)
    ddf[axis] = 1
    vectors = to_world(ddf, RAS)
    assert vectors.shape == (*SHAPE, 3)
    torch.testing.assert_close(vectors, torch.tensor(vector).float().expand(*SHAPE, 3))


def test_displaced_voxels_lie_where_the_vectors_lead(rotation_matrix):
    affine, ddf = oblique(rotation_matrix(1)), field()

    def world(voxels):
        return voxels.movedim(0, -1) @ affine[:3, :3].T + affine[:3, 3]

    nodes = voxel_grid(SHAPE, ddf)
    moved = world(nodes + ddf) - world(nodes)
    torch.testing.assert_close(to_world(ddf, affine), moved * torch.tensor([-1.0, -1.0, 1.0]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), edges=st.tuples(*[st.floats(0.3, 10.0)] * 3), mirrored=st.booleans())
def test_there_and_back_is_the_identity(rotation_matrix, seed, edges, mirrored):
    affine = oblique(rotation_matrix(seed), (-edges[0] if mirrored else edges[0], *edges[1:]))
    torch.testing.assert_close(from_world(to_world(field(seed), affine), affine), field(seed))


def test_the_own_grid_changes_nothing(rotation_matrix):
    affine = oblique(rotation_matrix(2))
    torch.testing.assert_close(resample_displacement(field(), affine, SHAPE, affine), field())


def test_affine_fields_are_exact_on_another_oblique_grid(rotation_matrix):
    old, new = oblique(rotation_matrix(3), (1.0, 1.0, 1.0)), oblique(rotation_matrix(4), (0.4, -0.3, 0.5))
    middle = old[:3, :3] @ torch.full((3,), 9.5, dtype=torch.float64) + old[:3, 3]
    new[:3, 3] = middle - new[:3, :3] @ torch.tensor([3.0, 3.5, 2.5], dtype=torch.float64)
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def truth(shape, affine):
        nodes = voxel_grid(shape, matrix).movedim(0, -1) @ affine[:3, :3].T + affine[:3, 3]
        return (nodes - middle) @ matrix.T

    shape = (7, 8, 6)
    found = resample_displacement(from_world(truth((20,) * 3, old), old), old, shape, new)
    torch.testing.assert_close(to_world(found, new), truth(shape, new), rtol=0, atol=1e-9)


def test_outside_the_grid_the_field_goes_on_constantly():
    ddf, larger = field().float(), RAS.copy()
    larger[:3, 3] -= RAS[:3, :3] @ (2, 1, 3)
    found = resample_displacement(ddf, RAS, (10, 9, 9), larger)
    assert found.dtype == torch.float32
    padded = np.pad(ddf.numpy(), ((0, 0), (2, 3), (1, 2), (3, 2)), mode="edge")
    torch.testing.assert_close(found, torch.from_numpy(padded), rtol=0, atol=1e-5)


def test_mirrored_and_permuted_storage_of_one_field_gives_one_field(rotation_matrix):
    affine, target = oblique(rotation_matrix(6)), oblique(rotation_matrix(7), (0.5, 0.6, 0.4))
    # Axes (i, j, k) -> (k, i, j), then the first one backwards.
    turned = field().permute(0, 3, 1, 2)[[2, 0, 1]].flip(1) * torch.tensor([-1.0, 1, 1]).view(3, 1, 1, 1)
    move = torch.tensor([[0, 1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, SHAPE[2] - 1], [0, 0, 0, 1.0]], dtype=torch.float64)
    found = [resample_displacement(*pair, (4, 5, 6), target) for pair in ((field(), affine), (turned, affine @ move))]
    torch.testing.assert_close(*found)


def test_images_on_another_grid_are_read_where_the_field_points(rotation_matrix):
    own, other = oblique(rotation_matrix(3), (1.0, 1.0, 1.0)), oblique(rotation_matrix(4), (0.4, -0.3, 0.5))
    middle = other[:3, :3] @ torch.tensor([15.0, 17.0, 12.0], dtype=torch.float64) + other[:3, 3]
    own[:3, 3] = middle - own[:3, :3] @ torch.tensor([2.0, 2.5, 1.5], dtype=torch.float64)
    slope = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)

    def ramp(voxels, affine):
        return (voxels.movedim(0, -1) @ affine[:3, :3].T + affine[:3, 3]) @ slope

    ddf = field()
    image = ramp(voxel_grid((31, 35, 25), ddf), other)
    found = warp(image[None, None], point_into(ddf, own, other)[None])[0, 0]
    places = voxel_grid(SHAPE, ddf) + ddf
    link = torch.linalg.inv(other) @ own
    there = torch.tensordot(link[:3, :3], places, dims=1) + link[:3, 3, None, None, None]
    inside = ((there > 0) & (there < torch.tensor([30, 34, 24]).view(3, 1, 1, 1))).all(0)
    assert inside.double().mean() > 0.9
    torch.testing.assert_close(found[inside], ramp(places, own)[inside], rtol=0, atol=1e-9)


def test_pointing_into_the_own_grid_changes_nothing(rotation_matrix):
    affine = oblique(rotation_matrix(5))
    torch.testing.assert_close(point_into(field(), affine, affine), field())


@pytest.mark.parametrize(
    "call",
    [
        lambda: to_world(torch.zeros(2, 4, 4, 4), RAS),
        lambda: to_world(torch.zeros(1, 3, 4, 4, 4), RAS),
        lambda: from_world(torch.zeros(3, 4, 4, 4), RAS),
        lambda: resample_displacement(torch.zeros(4, 4, 4, 3), RAS, SHAPE, RAS),
        lambda: point_into(torch.zeros(4, 4, 4, 3), RAS, RAS),
    ],
)
def test_other_shapes_are_refused(call):
    with pytest.raises(GeometryError, match="not a displacement field"):
        call()


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.diag([1, 1, np.nan, 1]), np.eye(3)])
def test_unusable_affines_are_refused(affine):
    for call in (
        lambda: to_world(field(), affine),
        lambda: from_world(field().movedim(0, -1), affine),
        lambda: resample_displacement(field(), RAS, SHAPE, affine),
        lambda: point_into(field(), RAS, affine),
    ):
        with pytest.raises(GeometryError, match="does not place"):
            call()
