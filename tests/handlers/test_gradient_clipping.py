"""Gradients before and after the limit, in a trainer of MONAI."""

import math

import pytest
import torch

from monai_cortex.handlers import GradientClipping


def lengths(training, limit):
    """Norms of the gradients that the optimizer is given, and their directions."""
    run = training(epochs=1)
    seen = []
    GradientClipping(run.network, limit).attach(run.trainer)
    step = run.optimizer.step

    def watched(*arguments, **options):
        seen.append(torch.cat([parameter.grad.flatten() for parameter in run.network.parameters()]).clone())
        return step(*arguments, **options)

    run.optimizer.step = watched
    run.trainer.run()
    return seen


def test_gradient_of_all_weights_together_gets_the_largest_norm(training):
    free, clipped = lengths(training, math.inf)[0], lengths(training, 0.01)[0]
    assert free.norm() > 0.1
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm())


def test_shorter_gradients_stay_as_they_are(training):
    free, kept = (lengths(training, limit) for limit in (math.inf, 1e6))
    assert all(torch.equal(*pair) for pair in zip(free, kept, strict=True))


def test_every_step_is_limited(training):
    found = lengths(training, 0.01)
    assert len(found) == 3
    assert all(gradient.norm() <= 0.01 * (1 + 1e-4) for gradient in found)


@pytest.mark.parametrize("limit", [0, -1.0, math.nan])
def test_limits_that_allow_nothing_are_refused(training, limit):
    with pytest.raises(ValueError, match="above 0, got"):
        GradientClipping(training().network, limit)
