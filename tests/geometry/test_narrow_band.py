"""Nodes near a mesh: all within the band have the distance of the nearest triangle."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.narrow_band import block_lattice, lower_in_band, node_at
from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows
from monai_cortex.geometry.triangle_patches import triangle_patches
from tests.geometry.test_signed_distance import nodes, random_affine

SHAPE, BAND = (8, 9, 7), 0.6


def wrinkled(seed):
    mesh = icosphere(3)
    rng = np.random.default_rng(seed)
    return mesh.vertices.numpy() + rng.normal(size=(642, 3)) * 0.05, mesh.faces.numpy()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [0.05, 0.4, 5.0])
def test_all_nodes_in_the_band_are_exact(seed, size):
    affine, mesh = random_affine(seed).numpy(), wrinkled(seed)
    rows, truth = triangle_rows(*mesh), np.empty(SHAPE)
    for index, point in zip(np.ndindex(*SHAPE), nodes(SHAPE, affine).reshape(-1, 3).tolist(), strict=True):
        truth[index] = min(closest_on_triangle(rows, f, *point)[0] for f in range(len(rows)))
    field = np.full(SHAPE, BAND**2)
    lower_in_band(triangle_patches(*mesh, size), block_lattice(affine), field, BAND)
    assert (truth < BAND**2).mean() > 0.1
    np.testing.assert_allclose(field, np.minimum(truth, BAND**2), rtol=0, atol=1e-13)


def test_a_large_triangle_reaches_where_no_guess_does():
    """Its center is far outside the grid: no block is near it, and the search alone finds all of them."""
    vertices, field = np.array([[-100.0, -100, 2.2], [300, -100, 2.2], [-100, 300, 2.2]]), np.full((5, 6, 7), 9.0)
    lower_in_band(triangle_patches(vertices, np.array([[0, 1, 2]]), 2.0), block_lattice(np.eye(4)), field, 3.0)
    truth = np.minimum((np.arange(7) - 2.2) ** 2, 9)
    np.testing.assert_allclose(field, np.broadcast_to(truth, field.shape), atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (5, 4, 7)])
def test_blocks_cover_grids_of_odd_and_even_shape(shape):
    affine, mesh = random_affine(3).numpy(), wrinkled(1)
    whole, part = np.full((8, 8, 8), 100.0), np.full(shape, 100.0)
    patches, lattice = triangle_patches(*mesh, 0.4), block_lattice(affine)
    lower_in_band(patches, lattice, whole, 10.0)
    lower_in_band(patches, lattice, part, 10.0)
    np.testing.assert_allclose(part, whole[tuple(slice(n) for n in shape)], atol=1e-13)


def test_node_is_carried_by_the_affine():
    affine = random_affine(2).numpy()
    np.testing.assert_allclose(node_at(affine, 1.0, 2.0, 3.0), (affine @ [1, 2, 3, 1])[:3], atol=1e-12)


def test_blocks_hold_the_nodes_of_the_grid():
    affine = random_affine(2).numpy()
    lattice = block_lattice(affine)
    middle = np.array(node_at(lattice.affine, 1.0, 2.0, 3.0))
    wanted = nodes((8, 8, 8), affine).numpy()[2:4, 4:6, 6:8].reshape(-1, 3)
    np.testing.assert_allclose(middle + lattice.offsets, wanted, atol=1e-12)
    assert np.linalg.norm(lattice.offsets, axis=1).max() <= lattice.radius
