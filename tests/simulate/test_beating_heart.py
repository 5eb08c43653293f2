"""Motion of the heart against closed forms: volumes, torsion, places that stay."""

import math
from dataclasses import replace

import pytest
import torch

from monai_cortex.geometry.point_map import invert_map, map_jacobian
from monai_cortex.geometry.random_waves import random_waves
from monai_cortex.simulate.beating_heart import BeatingHeart, HeartShape

STILL = HeartShape(axis_ratio=1.0, squeeze=1.0, torsion=0.0, rv_squeeze=0.0, rv_shrink=0.0)
UNEVEN = HeartShape(oval=0.05, oval_angle=0.4, corner=0.04, bulge=0.2, idle=0.6, idle_angle=1.0, squeeze=0.65)


def beating(shape):
    return BeatingHeart(shape, random_waves(0.0, (80.0, 160.0), 3, torch.Generator().manual_seed(0), waves=4))


def volume_change(heart, points):
    return torch.linalg.det(map_jacobian(heart.to_diastole, points))


def wall_points(heart, levels=(-60.0, -15.0), margin=1.0):
    """Points in the wall at end systole, as the radii at end diastole say; heights are those of end diastole."""
    chance = torch.rand(3000, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    angle, height = 2 * math.pi * chance[:, 0], levels[0] + (levels[1] - levels[0]) * chance[:, 1]
    radii = heart.radii(angle, height)
    thickness = radii.outer_ed - radii.inner_ed - 2 * margin
    radius = radii.inner_ed + margin + thickness * chance[:, 2]
    return invert_map(heart.to_diastole, torch.stack([radius * angle.cos(), radius * angle.sin(), height], 1))


def test_a_heart_without_motion_stays(random_points):
    points = random_points(500, 90.0)
    torch.testing.assert_close(beating(STILL).to_diastole(points), points, atol=1e-9, rtol=0)


def test_wall_keeps_its_volume_whatever_its_form():
    heart = beating(UNEVEN)
    change = volume_change(heart, wall_points(heart))
    assert change.median().item() == pytest.approx(1, abs=0.01)
    assert (change - 1).abs().max() < 0.06  # the stretch along the axis fades a little towards the epicardium


def test_cavity_shrinks_by_squeeze_and_shortening(vector):
    heart = beating(HeartShape(squeeze=0.7, axis_ratio=0.85))
    angle = torch.linspace(0, 6, 40, dtype=torch.float64)
    target = torch.stack([8 * angle.cos(), 8 * angle.sin(), torch.full_like(angle, -40)], 1)
    points = invert_map(heart.to_diastole, target)
    expected = 1 / (0.7**2 * 0.85)
    torch.testing.assert_close(volume_change(heart, points), torch.full_like(angle, expected), rtol=5e-3, atol=0)


def test_endocardium_at_end_systole_goes_to_endocardium_at_end_diastole():
    heart = beating(replace(UNEVEN, rv_squeeze=0.0, rv_shrink=0.0))
    angle = torch.linspace(-3, 3, 50, dtype=torch.float64)
    height = torch.full_like(angle, -30)
    radii = heart.radii(angle, height)
    ring = torch.stack([radii.inner_ed * angle.cos(), radii.inner_ed * angle.sin(), height], 1)
    before = invert_map(heart.to_diastole, ring)
    torch.testing.assert_close(before[:, :2].norm(dim=1), radii.inner_es, atol=1e-5, rtol=0)


def test_torsion_alone_keeps_volume_and_turns_the_apex(random_points, vector):
    heart = beating(replace(STILL, torsion=0.3))
    points = random_points(800, 60.0)
    assert (volume_change(heart, points) - 1).abs().max() < 1e-3
    at = vector(5, 0, -70.0)[None]
    expected = -0.3 * (70 / STILL.length - 0.4)
    moved = heart.to_diastole(at)[0]
    assert math.atan2(moved[1], moved[0]) == pytest.approx(expected, abs=1e-6)


def test_valve_plane_descends_and_the_apex_stays(vector):
    shape = replace(STILL, axis_ratio=0.85)
    base = shape.apex * (1 - shape.axis_ratio)
    places = torch.stack([vector(0, 0, base), vector(0, 0, shape.apex)])
    moved = beating(shape).to_diastole(places)
    torch.testing.assert_close(moved, torch.stack([vector(0, 0, 0), vector(0, 0, shape.apex)]), atol=0.02, rtol=0)


def test_free_wall_fills_and_the_septum_stays(vector):
    heart = beating(replace(STILL, rv_squeeze=0.4))
    septum = -float(heart.septum(vector(-30.0)))
    still, free = heart.to_diastole(torch.stack([vector(septum, 0, -30), vector(septum - 25, 0, -30)]))
    torch.testing.assert_close(still, vector(septum, 0, -30), atol=1e-6, rtol=0)
    assert free[0] < septum - 25 - 5


def test_idle_sector_moves_less():
    heart = beating(HeartShape(idle=0.8, idle_angle=1.0, idle_width=0.5, idle_level=0.5))
    angle, height = torch.tensor([1.0, 1.0 + math.pi]), torch.full((2,), -0.5 * 85)
    radii = heart.radii(angle, height)
    idle, active = (radii.inner_es / radii.inner_ed).tolist()
    assert idle == pytest.approx(1 - 0.3 * 0.2, abs=1e-3)
    assert active == pytest.approx(0.7, abs=0.01)


def test_turning_the_heart_turns_its_motion(random_points, turn):
    """Every angle of the shape raised by one angle: the same motion, seen from another side."""
    by, points = 0.7, random_points(300, 60.0)
    c, s = math.cos(by), math.sin(by)
    rotation = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    names = ("oval_angle", "corner_angle", "bulge_angle", "idle_angle", "rv_angle")
    turned = replace(UNEVEN, **{name: getattr(UNEVEN, name) + by for name in names})
    there = beating(turned).to_diastole(points @ rotation.T)
    torch.testing.assert_close(there, beating(UNEVEN).to_diastole(points) @ rotation.T, atol=1e-9, rtol=0)


def test_single_precision_agrees(random_points):
    points, heart = random_points(300, 60.0), beating(UNEVEN)
    found = heart.to_diastole(points.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), heart.to_diastole(points), atol=2e-3, rtol=0)
