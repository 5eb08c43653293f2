"""Pial surfaces that turn over, and that lie inside the white one."""

import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.pial_checks import nesting_voxels, turned_triangles, unfolded_pial
from monai_cortex.geometry.topology import signed_volume

BALL = icosphere(3)
WHITE = Mesh(20 * BALL.vertices, BALL.faces)


def crossed(scale=1.0):
    """Ways of 3 mm, but two neighbors swap sides: their triangles turn over."""
    a, b = BALL.faces[0, :2]
    way = 3 * BALL.vertices
    step = 1.2 * scale * (WHITE.vertices[b] - WHITE.vertices[a])
    return way.index_add(0, torch.stack([a, b]), torch.stack([step, -step]))


def test_a_larger_ball_is_not_turned_and_stays_exactly():
    way = 3 * BALL.vertices
    assert not turned_triangles(WHITE, Mesh(WHITE.vertices + way, WHITE.faces)).any()
    assert torch.equal(unfolded_pial(WHITE, way).vertices, WHITE.vertices + way)


def test_turned_is_mutual_and_counts_a_ball_turned_inside_out_whole():
    assert turned_triangles(WHITE, Mesh(WHITE.vertices, WHITE.faces.flip(1))).all()
    pial = Mesh(WHITE.vertices + crossed(), WHITE.faces)
    assert torch.equal(turned_triangles(WHITE, pial), turned_triangles(pial, WHITE))


def test_swapped_vertices_turn_and_are_mended_on_their_ways():
    way = crossed()
    turned = turned_triangles(WHITE, Mesh(WHITE.vertices + way, WHITE.faces))
    assert 2 <= turned.sum() < 20
    mended = unfolded_pial(WHITE, way)
    assert not turned_triangles(WHITE, mended).any()
    share = (mended.vertices - WHITE.vertices).norm(dim=1) / way.norm(dim=1)
    assert (share < 1 - 1e-9).sum() <= len(torch.unique(WHITE.faces[turned])) + 6
    assert share.min() > 0.16
    torch.testing.assert_close(mended.vertices - WHITE.vertices, share[:, None] * way)


def test_what_cannot_be_mended_stays_turned():
    assert turned_triangles(WHITE, unfolded_pial(WHITE, crossed(20.0))).any()


def test_nested_balls_have_no_voxel_outside_and_swapped_ones_the_shell():
    pial = Mesh(22 * BALL.vertices, BALL.faces)
    assert nesting_voxels(WHITE, pial) == 0
    shell = signed_volume(pial) - signed_volume(WHITE)
    assert abs(nesting_voxels(pial, WHITE) / shell - 1) < 0.03
    assert abs(nesting_voxels(pial, WHITE, 0.5) / (8 * shell) - 1) < 0.01
