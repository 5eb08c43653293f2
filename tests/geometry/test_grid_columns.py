"""Columns through meshes: crossings of a cube, holes."""

import numpy as np
import pytest
import torch

from monai_cortex.geometry.grid_columns import column_crossings, grid_mesh, mesh_in_voxels, open_sides
from tests.geometry.test_signed_distance import CUBE, CUBE_FACES

FACES = CUBE_FACES.numpy()


@pytest.mark.parametrize("mirror", [1, -1])
def test_columns_enter_and_leave_a_cube(mirror):
    affine = np.diag([0.5, 0.25, mirror * 0.1, 1])
    affine[:3, 3] = [-0.25, -0.125, 0]
    points, faces = mesh_in_voxels(grid_mesh(CUBE, (4, 6, 3), affine))
    crossings = column_crossings(points, faces, (4, 6))
    number = np.diff(crossings.begin).reshape(4, 6)
    expected = np.zeros((4, 6))
    expected[1:3, 1:5] = 2
    np.testing.assert_array_equal(number, expected)
    np.testing.assert_allclose(crossings.place.reshape(-1, 2), [sorted([0, mirror * 10])] * 8, atol=1e-9)
    np.testing.assert_array_equal(crossings.turn.reshape(-1, 2), [[1, -1]] * 8)


def test_parts_are_columns_of_a_finer_grid():
    points, faces = mesh_in_voxels(grid_mesh(CUBE, (2, 2, 2), np.eye(4)))
    number = np.diff(column_crossings(points, faces, (2, 2), 4).begin).reshape(8, 8)
    assert (number[2:6, 2:6] == 2).all()
    assert number.sum() == 2 * 16


def test_closed_mesh_has_no_open_side():
    assert open_sides(FACES, 8).shape == (0, 2)


def test_rim_runs_as_its_triangles_do():
    assert {tuple(side) for side in open_sides(FACES[1:], 8)} == {(1, 0), (3, 1), (0, 3)}


def test_every_hole_gets_a_middle():
    """Two opposite walls missing: four sides each."""
    points, faces = mesh_in_voxels(grid_mesh(CUBE._replace(faces=CUBE.faces[4:]), (2, 2, 2), np.eye(4)))
    np.testing.assert_allclose(sorted(points[8:].tolist()), [[0, 0.5, 0.5], [1, 0.5, 0.5]])
    assert len(open_sides(faces, len(points))) == 0
    assert torch.equal(torch.from_numpy(faces[:8]), CUBE.faces[4:])
