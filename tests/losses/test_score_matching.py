import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.losses import ScoreMatchingLoss

DEGREE = 4
COUNT = (DEGREE + 1) ** 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def loss():
    return ScoreMatchingLoss()


def test_value_by_hand(loss):
    """Residuals 3 in degree 1 and 2, 1 in degree 2: (9/3 + (4 + 1)/5) / 2 = 2."""
    prediction, target = torch.zeros(9), torch.zeros(9)
    prediction[2], prediction[4], target[7] = 3.0, 2.0, 1.0
    assert loss(prediction, target).item() == pytest.approx(2)


def test_target_itself_costs_nothing(loss):
    assert loss(normal(0, 2, 3, COUNT), normal(0, 2, 3, COUNT)) == 0


@pytest.mark.parametrize("degree", range(1, DEGREE + 1))
def test_every_degree_weighs_the_same(loss, degree):
    residual = (harmonic_degrees(DEGREE) == degree).double()
    assert loss(residual, torch.zeros(COUNT).double()).item() == pytest.approx(1 / DEGREE)


def test_degree_zero_does_not_matter(loss):
    target = normal(1, 2, 3, COUNT)
    other = target + 5 * (harmonic_degrees(DEGREE) == 0)
    assert loss(other, target) == 0


def test_noise_of_unit_variance_costs_one(loss):
    assert loss(normal(2, 5000, 2, COUNT), torch.zeros(5000, 2, COUNT)).item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_that_of_turned_maps(loss, seed):
    matrix = harmonic_rotation(random_rotation(torch.Generator().manual_seed(seed)), DEGREE, even=False).T
    prediction, target = normal(3, 2, 3, COUNT), normal(4, 2, 3, COUNT)
    torch.testing.assert_close(loss(prediction @ matrix, target @ matrix), loss(prediction, target))


def test_leading_dimensions_are_averaged_and_the_precision_kept(loss):
    prediction, target = normal(5, 2, 3, COUNT), normal(6, 2, 3, COUNT)
    single = [loss(p, t) for p, t in zip(prediction.flatten(0, 1), target.flatten(0, 1), strict=True)]
    torch.testing.assert_close(loss(prediction, target), torch.stack(single).mean())
    assert loss(prediction.float(), target.float()).dtype == torch.float32


def test_gradient_is_the_weighted_residual(loss):
    prediction, target = normal(7, COUNT).requires_grad_(), normal(8, COUNT)
    loss(prediction, target).backward()
    degrees = harmonic_degrees(DEGREE)
    expected = 2 * (prediction - target).detach() / (DEGREE * (2 * degrees + 1)) * (degrees > 0)
    torch.testing.assert_close(prediction.grad, expected)
