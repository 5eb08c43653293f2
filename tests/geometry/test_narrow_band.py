"""Nodes near a mesh: the guess is a triangle's distance, what follows is the nearest one's."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.narrow_band import Lattice, guess_distances, improve_distances, node_at
from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows
from monai_cortex.geometry.triangle_patches import triangle_patches
from tests.geometry.test_signed_distance import nodes, random_affine

SHAPE, BAND = (8, 9, 7), 0.6


def wrinkled(seed):
    mesh = icosphere(3)
    rng = np.random.default_rng(seed)
    return triangle_rows(mesh.vertices.numpy() + rng.normal(size=(642, 3)) * 0.05, mesh.faces.numpy())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [0.05, 0.4, 5.0])
def test_all_nodes_in_the_band_are_exact_to_the_last_bit(seed, size):
    affine, rows = random_affine(seed).numpy(), wrinkled(seed)
    patches, lattice = triangle_patches(rows, size), Lattice(affine, np.linalg.inv(affine))
    truth = np.empty(SHAPE)
    for index, point in zip(np.ndindex(*SHAPE), nodes(SHAPE, affine).reshape(-1, 3).tolist(), strict=True):
        truth[index] = min(closest_on_triangle(rows, f, *point)[0] for f in range(len(rows)))
    field = np.full(SHAPE, BAND**2)
    guess_distances(patches, lattice, field)
    known = field < BAND**2
    assert known.any()
    assert (field[known] >= truth[known] - 1e-12).all()
    improve_distances(patches, lattice, field, BAND)
    np.testing.assert_allclose(field, np.minimum(truth, BAND**2), rtol=0, atol=1e-13)


def test_without_a_guess_the_result_is_the_same():
    affine, patches = random_affine(1).numpy(), triangle_patches(wrinkled(1), 0.4)
    lattice = Lattice(affine, np.linalg.inv(affine))
    guessed, plain = np.full(SHAPE, BAND**2), np.full(SHAPE, BAND**2)
    guess_distances(patches, lattice, guessed)
    improve_distances(patches, lattice, guessed, BAND)
    improve_distances(patches, lattice, plain, BAND)
    np.testing.assert_array_equal(guessed, plain)


def test_node_is_carried_by_the_affine():
    affine = random_affine(2).numpy()
    np.testing.assert_allclose(node_at(affine, 1.0, 2.0, 3.0), (affine @ [1, 2, 3, 1])[:3], atol=1e-12)
