import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.topology import mesh_topology, neighbor_distance, signed_volume, topology_hash

CLOSED = (2, 1, 0, 0, 0, 0, 0)


def torus(rows=6, columns=8):
    place = torch.arange(rows * columns).reshape(rows, columns)
    right, down = place.roll(-1, 1), place.roll(-1, 0)
    across = right.roll(-1, 0)
    faces = torch.cat([torch.stack([place, right, across], -1), torch.stack([place, across, down], -1)])
    return Mesh(torch.zeros(rows * columns, 3), faces.reshape(-1, 3))


@pytest.mark.parametrize("level", [0, 1, 3])
def test_icospheres_are_closed(level):
    assert mesh_topology(icosphere(level)) == CLOSED


def test_torus_has_a_handle():
    assert mesh_topology(torus()) == (0, 1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_lost_face_is_a_hole(count):
    sphere = icosphere(2)
    # Faces that do not touch each other: the first child of every fourth triangle of the icosahedron's subdivision.
    keep = torch.ones(320, dtype=torch.bool)
    keep[torch.arange(count) * 64] = False
    found = mesh_topology(Mesh(sphere.vertices, sphere.faces[keep]))
    assert found == (2 - count, 1, 3 * count, 0, 0, 0, 0)


def test_flipped_face_disagrees_along_its_three_edges():
    sphere = icosphere(1)
    faces = sphere.faces.clone()
    faces[3] = faces[3].flip(0)
    assert mesh_topology(Mesh(sphere.vertices, faces)).inconsistent_edges == 3
    assert mesh_topology(Mesh(sphere.vertices, sphere.faces.flip(1))) == CLOSED


def test_pieces_lonely_vertices_and_bad_faces():
    sphere = icosphere(0)
    points = torch.cat([sphere.vertices, sphere.vertices, torch.zeros(2, 3)])
    two = mesh_topology(Mesh(points, torch.cat([sphere.faces, sphere.faces + 12])))
    assert two == (6, 4, 0, 0, 0, 2, 0)
    twice = mesh_topology(Mesh(sphere.vertices, torch.cat([sphere.faces, sphere.faces[:1]])))
    assert (twice.nonmanifold_edges, twice.open_edges) == (3, 0)
    sliver = mesh_topology(Mesh(sphere.vertices, torch.cat([sphere.faces, torch.tensor([[4, 4, 5], [5, 4, 5]])])))
    assert sliver.degenerate_faces == 2


def test_counts_do_not_depend_on_the_order_of_vertices_and_faces():
    sphere = icosphere(1)
    faces = sphere.faces[3:]
    order = torch.randperm(42, generator=torch.Generator().manual_seed(0))
    shuffled = order[faces][torch.randperm(77, generator=torch.Generator().manual_seed(1))].roll(1, 1)
    assert mesh_topology(Mesh(sphere.vertices, faces)) == mesh_topology(Mesh(sphere.vertices, shuffled))


def test_volume_of_a_tetrahedron_and_of_a_sphere():
    corners = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 4]], dtype=torch.float64)
    tetrahedron = Mesh(corners, torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    assert signed_volume(tetrahedron) == pytest.approx(4)
    assert signed_volume(Mesh(corners + 1e6, tetrahedron.faces)) == pytest.approx(4)
    assert signed_volume(Mesh(corners, tetrahedron.faces.flip(1))) == pytest.approx(-4)
    assert signed_volume(Mesh(corners * torch.tensor([-1, 1, 1]), tetrahedron.faces)) == pytest.approx(-4)
    assert signed_volume(icosphere(4)) == pytest.approx(4 / 3 * torch.pi, rel=5e-3)


def test_distance_of_neighbors():
    """Of an octahedron, edges measure sqrt(2), and the mean square of two of six corners 2."""
    square = torch.eye(3, dtype=torch.float64)
    corners = torch.cat([square, -square])
    faces = [[x, y, z] for x in (0, 3) for y in (1, 4) for z in (2, 5)]
    assert neighbor_distance(Mesh(corners, torch.tensor(faces))) == pytest.approx(1)
    assert neighbor_distance(Mesh(7 * corners + 3, torch.tensor(faces))) == pytest.approx(1)
    assert neighbor_distance(Mesh(torch.zeros(6, 3), torch.tensor(faces))) == 0
    fine, order = icosphere(4), torch.randperm(2562, generator=torch.Generator().manual_seed(0))
    assert neighbor_distance(fine) == pytest.approx(0.5 * neighbor_distance(icosphere(3)), rel=0.01)
    assert neighbor_distance(Mesh(fine.vertices[order], fine.faces)) == pytest.approx(1, abs=0.02)


def test_hash_tells_triangles_apart_and_nothing_else():
    faces = icosphere(1).faces
    known = topology_hash(faces)
    assert len(known) == 64
    assert topology_hash(faces.int()) == known
    assert topology_hash(faces.flip(0)) != known
    assert topology_hash(faces, faces) != known
    assert topology_hash(faces[:40], faces[40:]) != topology_hash(faces[:41], faces[41:])
