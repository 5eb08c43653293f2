"""Hearts of all groups, none of which folds."""

import pytest
import torch

from monai_cortex.geometry.point_map import invert_map, map_jacobian
from monai_cortex.geometry.random_waves import random_waves
from monai_cortex.simulate.beating_heart import BeatingHeart, HeartShape
from monai_cortex.simulate.heart_variation import HEART_GROUPS, draw_heart, ejection_fraction, merging_share


@pytest.fixture(scope="module")
def draws():
    return [draw_heart(torch.Generator().manual_seed(seed)) for seed in range(12)]


def test_groups_and_ejection_fractions_cover_their_ranges(draws):
    assert len({draw.group for draw in draws}) >= 3
    for draw in draws:
        low, high = HEART_GROUPS[draw.group]["ejection"]
        assert low - 0.03 <= draw.ejection <= high + 0.03
        assert draw.ejection == pytest.approx(ejection_fraction(draw.heart, draw.merging))
    ejections = [draw.ejection for draw in draws]
    assert min(ejections) < 0.4
    assert max(ejections) > 0.6


def test_no_heart_folds(draws, random_points):
    points = random_points(4000, 100.0)
    for draw in draws:
        assert torch.linalg.det(map_jacobian(draw.heart.to_diastole, points)).min() > 0.05


def test_inverse_of_the_motion(draws, random_points):
    points = random_points(2000, 80.0)
    for draw in draws[:4]:
        found = invert_map(draw.heart.to_diastole, draw.heart.to_diastole(points))
        assert (found - points).norm(dim=1).max() < 1e-4


def test_ejection_fraction_in_closed_form():
    """Equal squeeze everywhere: 1 - squeeze^2 x shortening; muscle that fills the cavity adds to it."""
    waves = random_waves(0.0, (80.0, 160.0), 3, torch.Generator(), waves=4)
    heart = BeatingHeart(HeartShape(squeeze=0.7, axis_ratio=0.85), waves)
    assert ejection_fraction(heart, 0.0) == pytest.approx(1 - 0.49 * 0.85, abs=1e-6)
    assert ejection_fraction(heart, 0.3) > ejection_fraction(heart, 0.1) > ejection_fraction(heart, 0.0)


def test_muscle_merges_below_the_base():
    share = merging_share(torch.tensor([0.0, 0.1, 0.225, 0.35, 1.0]), 0.3)
    torch.testing.assert_close(share, torch.tensor([0.0, 0, 0.15, 0.3, 0.3]))


def test_seed_decides():
    first, again, other = (draw_heart(torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert first.heart.shape == again.heart.shape
    assert first.heart.shape != other.heart.shape
