"""Surfaces in one mesh, which must be the same surfaces."""

import pytest
import torch

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.topology import mesh_topology, signed_volume

ONE, TWO = icosphere(2), icosphere(1)


def test_two_spheres_are_two_pieces_with_both_volumes():
    joined = join_meshes([ONE, Mesh(2 * TWO.vertices + 10, TWO.faces)])
    topology = mesh_topology(joined)
    assert (topology.components, topology.euler, topology.open_edges) == (2, 4, 0)
    assert signed_volume(joined) == pytest.approx(signed_volume(ONE) + 8 * signed_volume(TWO))


def test_each_piece_keeps_its_place():
    joined = join_meshes([ONE, TWO, ONE])
    assert torch.equal(joined.vertices[162 : 162 + 42], TWO.vertices)
    corners = torch.cat([mesh.vertices[mesh.faces] for mesh in (ONE, TWO, ONE)])
    assert torch.equal(joined.vertices[joined.faces], corners)


def test_one_stays_itself_and_none_is_refused():
    for part, whole in zip(ONE, join_meshes([ONE]), strict=True):
        assert torch.equal(part, whole)
    with pytest.raises(GeometryError, match="no surface"):
        join_meshes([])
