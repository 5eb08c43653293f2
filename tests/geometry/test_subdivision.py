"""Finer meshes."""

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.subdivision import loop_subdivision, midpoint_subdivision
from monai_cortex.geometry.topology import mesh_topology, signed_volume

BOTH = pytest.mark.parametrize("subdivide", [midpoint_subdivision, loop_subdivision])


@BOTH
def test_four_outward_faces_for_each_on_a_closed_surface(subdivide):
    coarse = icosphere(2)
    fine = subdivide(coarse)
    assert fine.faces.shape == (4 * len(coarse.faces), 3)
    assert len(fine.vertices) == len(coarse.vertices) + 3 * len(coarse.faces) // 2
    topology = mesh_topology(fine)
    assert (topology.euler, topology.open_edges, topology.inconsistent_edges, topology.unreferenced) == (2, 0, 0, 0)
    assert signed_volume(fine) > 0


def test_midpoints_leave_the_surface_where_it_is():
    coarse = icosphere(1)
    fine = midpoint_subdivision(coarse)
    assert torch.equal(fine.vertices[: len(coarse.vertices)], coarse.vertices)
    assert signed_volume(fine) == pytest.approx(signed_volume(coarse))
    areas = torch.linalg.cross(*(fine.vertices[fine.faces[:, k]] - fine.vertices[fine.faces[:, 0]] for k in (1, 2)))
    whole = torch.linalg.cross(
        *(coarse.vertices[coarse.faces[:, k]] - coarse.vertices[coarse.faces[:, 0]] for k in (1, 2))
    )
    torch.testing.assert_close(4 * areas.reshape(-1, 4, 3), whole[:, None].expand(-1, 4, -1))


def test_loop_weights_of_one_vertex():
    """A spike of height 1 in a flat octahedron-like fan: 1 - n beta stays, 3/8 goes to the edges, 1/8 across."""
    sphere = icosphere(1)
    height = torch.zeros(len(sphere.vertices), 3, dtype=torch.float64)
    six = 20  # a vertex with six neighbors: not one of the icosahedron's twelve
    height[six, 2] = 1
    fine = loop_subdivision(Mesh(height, sphere.faces)).vertices[:, 2]
    assert fine[six].item() == pytest.approx(5 / 8)
    neighbors = torch.unique(sphere.faces[(sphere.faces == six).any(1)])
    by_neighbors = fine[neighbors[neighbors != six]]
    counts = torch.tensor([int((sphere.faces == n).any(1).sum()) for n in neighbors[neighbors != six]])
    torch.testing.assert_close(by_neighbors, 3 / 8 / counts.double())
    new = fine[len(sphere.vertices) :]
    assert sorted(new[new > 0].tolist()) == pytest.approx([1 / 8] * 6 + [3 / 8] * 6)


def test_loop_of_a_tetrahedron_uses_three_sixteenths():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    mesh = Mesh(corners, torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]))
    moved = loop_subdivision(mesh).vertices[:4]
    torch.testing.assert_close(moved, corners * (7 / 16 - 3 / 16))


def test_loop_commutes_with_affine_maps():
    sphere, matrix = icosphere(1), torch.tensor([[2.0, 1, 0], [0, 1, 3], [1, 0, 1]], dtype=torch.float64)
    first = loop_subdivision(sphere).vertices @ matrix + 5
    torch.testing.assert_close(loop_subdivision(Mesh(sphere.vertices @ matrix + 5, sphere.faces)).vertices, first)


def test_loop_rounds_a_sphere():
    """The spread of the radius falls: an icosahedron tends to a smooth surface."""
    mesh = icosphere(0)
    faces = mesh.vertices[mesh.faces].mean(1).norm(dim=1) / mesh.vertices.norm(dim=1).mean()
    smooth = loop_subdivision(loop_subdivision(mesh))
    radii = smooth.vertices.norm(dim=1)
    assert radii.max() / radii.min() - 1 < (1 / faces.min() - 1) / 3
