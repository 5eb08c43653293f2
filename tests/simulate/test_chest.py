"""The body around the heart."""

import math

import pytest
import torch

from monai_cortex.simulate.beating_heart import HeartShape
from monai_cortex.simulate.chest import Chest, around_heart, chest_wall, draw_chest, turned

CHEST = Chest(
    angle=math.pi,
    gap=10.0,
    axes=(150.0, 150.0),
    muscle=15.0,
    skin_fat=20.0,
    floor_angle=math.pi / 2,
    floor_gap=5.0,
    floor_bend=1e9,
    floor_fat=0.0,
    cleft=200.0,
    stomach=(20.0, 15.0, 300.0, 20.0),
    heart_fat=0.0,
    aorta=(60.0, 20.0, 10.0),
    wobble=0.0,
    vessels=9.0,
)
SHAPE = HeartShape(radius=25.0, wall=9.0, rv_width=32.0)


def top(layers):
    """Name of the uppermost tissue at each point."""
    names = None
    for layer in layers:
        inside = (layer.distance < 0).tolist()
        names = [layer.tissue if i else n for i, n in zip(inside, names or [""] * len(inside), strict=True)]
    return names


def along(*pairs):
    x, y = torch.tensor(pairs).T
    return x, y, torch.full_like(x, -40.0)


def test_layers_of_the_chest_wall_are_as_thick_as_said():
    """The skin is 25 + 9 + 32 + 10 + 15 + 20 = 111 mm from the axis."""
    place = along(*((-d, 0.0) for d in (120.0, 110.0, 100.0, 92.0, 88.0, 76.8, 70.0)))
    noise = torch.zeros(4, 7)
    expected = ["air", "skin", "fat", "fat", "muscle", "muscle", ""]
    assert top(chest_wall(CHEST, SHAPE, place, noise)) == expected


def test_lung_above_and_liver_below_the_diaphragm():
    place = along((0.0, -50.0), (0.0, 38.5), (0.0, 42.0), (60.0, 20.0), (60.0, 31.0))
    found = top(around_heart(CHEST, SHAPE, place, torch.zeros(4, 5), torch.zeros(2, 5)))
    assert found == ["lung", "fat", "liver", "blood", "muscle"]


def test_directions_are_orthonormal():
    toward, side = turned(torch.tensor([0.0, -1.0]), torch.tensor([2.0, 0.0]), math.pi / 2)
    torch.testing.assert_close(toward, torch.tensor([2.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(side, torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_seed_decides(seed):
    first, again, other = (draw_chest(torch.Generator().manual_seed(s)) for s in (seed, seed, seed + 1))
    assert first == again
    assert first != other
