"""What is where in a heart."""

import math

import pytest
import torch

from monai_cortex.geometry.random_waves import random_waves
from monai_cortex.simulate.beating_heart import BeatingHeart, HeartShape
from monai_cortex.simulate.cardiac_tissue import CardiacScene, Muscle, draw_muscle
from monai_cortex.simulate.chest import draw_chest
from monai_cortex.simulate.heart_variation import HeartDraw

MUSCLE = Muscle((-0.6, 1.0), 0.18, 0.1, 9.0, 0.0)


def scene(muscle=MUSCLE, merging=0.3, **changes):
    waves = random_waves(0.0, (80.0, 160.0), 3, torch.Generator(), waves=4)
    heart = BeatingHeart(HeartShape(**changes), waves)
    generator = torch.Generator().manual_seed(4)
    return CardiacScene(HeartDraw(heart, "normal", 0.6, merging), draw_chest(generator), muscle, generator)


def at_middle(*pairs):
    """Places halfway between base and apex."""
    return torch.tensor([[x, y, -42.0] for x, y in pairs])


def top(view):
    names = [""] * len(view.texture)
    for layer in view.layers():
        inside = (layer.distance < 0).tolist()
        names = [layer.tissue if i else n for i, n in zip(inside, names, strict=True)]
    return names


def test_tissues_across_the_ventricles():
    """Radii 21 and 29 mm at this level: axis, wall, septum, right cavity, and far out the body's outside."""
    points = at_middle((0.0, 0.0), (25.5, 0.0), (-25.5, 0.0), (-38.0, 0.0), (-500.0, 0.0))
    view = scene().at(points, False)
    assert top(view) == ["blood", "wall", "wall", "right blood", "air"]
    assert view.labels(torch.zeros(5)).tolist() == [3, 2, 2, 1, 0]


def test_papillary_muscles_are_dark_in_the_image_and_cavity_in_the_labels():
    place = 0.72 * 21.3
    points = at_middle((place * math.cos(1.0), place * math.sin(1.0)), (-place, 0.0))
    view = scene().at(points, False)
    assert top(view) == ["wall", "blood"]
    assert view.labels(torch.zeros(2)).tolist() == [3, 3]


def test_no_left_ventricle_above_the_base():
    view = scene().at(torch.tensor([[0.0, 0, 2], [25, 0, 2], [0, 0, -2]]), False)
    assert view.labels(torch.zeros(3)).tolist() == [0, 0, 3]


def test_merging_makes_wall_of_cavity():
    radius = torch.linspace(14, 21, 30)
    points = torch.stack([-radius, torch.zeros(30), torch.full((30,), -42.0)], 1)
    diastole, systole = (scene().at(points, phase).labels(torch.zeros(30)) for phase in (False, True))
    assert (systole == 2).sum() > (diastole == 2).sum() + 5
    still = scene(Muscle((-0.6, 1.0), 0.18, 0.1, 9.0, 0.0, merges=False)).at(points, True)
    assert torch.equal(still.labels(torch.zeros(30)), diastole)


def test_areas_follow_the_merging_share():
    """A share of 0.3 of the cavity's area, in the middle of the axis."""
    side = torch.arange(-32, 32, 0.5)
    x, y = torch.meshgrid(side, side, indexing="ij")
    points = torch.stack([x, y, torch.full_like(x, -42.0)], -1).reshape(-1, 3)
    count = [int((scene().at(points, p).labels(torch.zeros(len(points))) == 3).sum()) for p in (False, True)]
    assert count[1] / count[0] == pytest.approx(0.7, abs=0.02)


def test_a_readers_error_moves_contours():
    side = torch.linspace(-60, 60, 200)
    points = torch.stack([side, torch.zeros(200), torch.full((200,), -42.0)], 1)
    view = scene().at(points, False)
    wide, right, narrow = (int((view.labels(torch.full((200,), e)) > 0).sum()) for e in (-2.0, 0.0, 2.0))
    assert wide > right > narrow


def test_seed_decides():
    first, again, other = (draw_muscle(torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert first == again
    assert first != other
