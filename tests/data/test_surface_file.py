import numpy as np
import pytest
import torch

from monai_cortex.data.surface_file import make_mesh, require_finite
from monai_cortex.errors import GeometryError, InputFileError


def test_mesh_is_a_copy_in_double_precision():
    vertices, faces = np.eye(3, dtype=">f4"), np.array([[0, 1, 2]], ">i4")
    mesh = make_mesh(vertices, faces, "a")
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (torch.float64, torch.int64)
    vertices[:], faces[:] = 7, 0
    assert torch.equal(mesh.vertices, torch.eye(3, dtype=torch.float64))
    assert mesh.faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coordinates_that_are_not_finite(refused, value):
    vertices = np.eye(3)
    vertices[1:, 2] = value
    words = ("a/lh.white", "sub-1", "2 of 3 vertices", "vertex 1")
    refused(GeometryError, lambda: make_mesh(vertices, [[0, 1, 2]], "a/lh.white", "sub-1"), *words)


def test_absurd_coordinates(refused):
    words = ("a/lh.white", "sub-1", "byte order", "2e+06 mm")
    refused(GeometryError, lambda: make_mesh(2e6 * np.eye(3), [[0, 1, 2]], "a/lh.white", "sub-1"), *words)
    make_mesh(1e6 * np.eye(3), [[0, 1, 2]], "a")


@pytest.mark.parametrize("index", [-1, 3])
def test_index_out_of_range(refused, index):
    faces = [[0, 1, 2], [0, index, 2], [index, 1, 2]]
    words = ("a/lh.white", "sub-1", f"face 1: index {index}; 2 such faces", "0 to 2")
    refused(GeometryError, lambda: make_mesh(np.eye(3), faces, "a/lh.white", "sub-1"), *words)


def test_finite_values_become_single_precision(refused):
    found = require_finite(np.array([1.5, -2]), "a")
    assert (found.dtype, found.tolist()) == (np.float32, [1.5, -2])
    for bad in (np.nan, np.inf, 1e300):
        values = np.array([0, 1, bad, bad])
        words = ("a/lh.sulc", "sub-1", "2 of 4 values", "vertex 2")
        refused(InputFileError, lambda values=values: require_finite(values, "a/lh.sulc", "sub-1"), *words)
