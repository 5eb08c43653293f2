import math

import pytest
import torch

from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.rotation_field import exponential, invert
from monai_cortex.geometry.sphere import arc_angle, vertex_areas

MESH = icosphere(3)
SIX = math.radians(6)


def warp(seed, angle=SIX, mesh=MESH, **options):
    return random_warp(mesh, angle, torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("angle", [0.5, 6.0, 20.0])
def test_mean_displacement_is_what_was_asked_for(angle, seed):
    moved = warp(seed, math.radians(angle))
    assert torch.rad2deg(arc_angle(moved, MESH.vertices)).mean().item() == pytest.approx(angle, rel=1e-3)
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(len(moved)).double(), atol=1e-14, rtol=0)


@pytest.mark.parametrize("seed", range(10))
def test_no_triangle_folds_at_six_degrees(seed):
    moved = warp(seed)
    assert folded(MESH.vertices, moved, MESH.faces) == 0
    assert arc_angle(invert(moved, MESH, moved), MESH.vertices).max() < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_there_is_no_rotation_of_the_whole_sphere(seed):
    """Fields w linear in x have a velocity w x x without rigid part; that of a constant one is 2/3 w."""
    angle = 1e-4
    turned = exponential(torch.tensor([0.0, 0.0, angle], dtype=torch.float64).expand_as(MESH.vertices), MESH)
    assert rigid_part(turned).norm().item() == pytest.approx(2 / 3 * angle, rel=1e-3)
    assert rigid_part(warp(seed, angle, degree=1)).norm() < 1e-3 * angle


def rigid_part(moved):
    return (torch.linalg.cross(MESH.vertices, moved) * vertex_areas(MESH)[:, None]).sum(0) / (4 * math.pi)


def test_zero_angle_is_the_identity():
    assert torch.equal(warp(0, 0.0), torch.nn.functional.normalize(MESH.vertices, dim=1))


def test_equal_seeds_give_equal_bits_and_others_do_not():
    assert torch.equal(warp(1), warp(1))
    assert not torch.allclose(warp(1), warp(2), atol=1e-2)


def test_the_same_field_is_drawn_on_any_mesh():
    coarse, fine = warp(3), warp(3, mesh=icosphere(4))
    assert torch.rad2deg(arc_angle(coarse, fine[: len(coarse)])).max() < 0.5


def test_higher_degrees_are_rougher():
    """Neighbors move more differently."""
    spread = []
    for degree in (1, 12):
        shift = warp(4, degree=degree) - MESH.vertices
        corners = shift[MESH.faces]
        spread.append((corners - corners.roll(1, 1)).norm(dim=-1).mean())
    assert spread[1] > 2 * spread[0]


@pytest.mark.parametrize(("angle", "degree"), [(-0.1, 6), (0.1, 0)])
def test_impossible_warps_are_refused(angle, degree):
    with pytest.raises(ValueError, match=f"got {angle} and {degree}"):
        warp(0, angle, degree=degree)
