"""Least-squares adversarial losses."""

import pytest
import torch

from monai_cortex.losses import DiscriminatorLoss, GeneratorLoss


def scores(value):
    return torch.full((2, 1, 3, 3, 3), value)


def test_losses_vanish_where_the_aim_is_reached():
    assert float(GeneratorLoss()(scores(1.0))) == 0
    assert float(DiscriminatorLoss()(scores(1.0), scores(0.0))) == 0


def test_losses_are_squares():
    """(score - 1)^2 for what is to be real, score^2 for what is not, and the mean of both."""
    assert float(GeneratorLoss(1.0)(scores(-2.0))) == pytest.approx(9)
    assert float(GeneratorLoss(0.01)(scores(-2.0))) == pytest.approx(0.09)
    assert float(DiscriminatorLoss()(scores(-1.0), scores(3.0))) == pytest.approx((4 + 9) / 2)


def test_scores_are_pulled_towards_the_aim():
    real, fake = (scores(0.5).requires_grad_() for _ in range(2))
    DiscriminatorLoss()(real, fake).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    judged = scores(0.5).requires_grad_()
    GeneratorLoss()(judged).backward()
    assert (judged.grad < 0).all()
