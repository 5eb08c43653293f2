"""Contrasts of cine images."""

import torch

from monai_cortex.simulate.cardiac_look import draw_look

LOOKS = [draw_look(torch.Generator().manual_seed(seed)) for seed in range(200)]


def test_blood_is_brighter_than_the_wall_and_the_lung_is_darker():
    for look in LOOKS:
        means = look.means
        assert means["blood"] > means["wall"] + 0.2
        assert means["right blood"] > means["wall"] + 0.19
        assert means["lung"] < means["wall"]


def test_fat_is_often_opposed_to_water():
    opposed = sum(look.means["fat"] < 0 for look in LOOKS)
    assert 90 < opposed < 170
    assert min(look.means["wall"] for look in LOOKS) > 0


def test_seed_decides():
    assert draw_look(torch.Generator().manual_seed(0)) == LOOKS[0] != LOOKS[1]
