import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.networks.nets import SpectralScoreNet
from monai_cortex.networks.schedulers import SphericalHeatScheduler

DEGREE = 8
COUNT = (DEGREE + 1) ** 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(trained=True, **options):
    torch.manual_seed(0)
    module = SpectralScoreNet(2, 3, degree=DEGREE, level=3, channels=(4, 6), **options)
    for parameter in module.parameters() if trained else ():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


@torch.no_grad()
def test_prediction_is_like_the_sample_and_the_embedding_as_wide_as_the_first_level():
    prediction, embedding = network()(normal(0, 5, 2, COUNT), torch.rand(5).double(), normal(1, 5, 3, COUNT))
    assert prediction.shape == (5, 2, COUNT)
    assert embedding.shape == (5, 4, COUNT)
    assert prediction.dtype == embedding.dtype == torch.float32


@torch.no_grad()
def test_untrained_network_predicts_nothing_but_has_an_embedding():
    prediction, embedding = network(trained=False)(normal(0, 1, 2, COUNT), torch.ones(1), normal(1, 1, 3, COUNT))
    assert not prediction.any()
    assert embedding.abs().max() > 0


@torch.no_grad()
def test_sample_condition_and_time_all_matter():
    module, inputs = network(), [normal(0, 1, 2, COUNT), torch.tensor([0.01]), normal(1, 1, 3, COUNT)]
    expected = module(*inputs)
    for place, other in enumerate([normal(2, 1, 2, COUNT), torch.tensor([0.1]), normal(3, 1, 3, COUNT)]):
        changed = module(*inputs[:place], other, *inputs[place + 1 :])
        for found, before in zip(changed, expected, strict=True):
            assert (found - before).abs().max() > 1e-3


@torch.no_grad()
def test_whole_range_of_times_is_finite():
    t = torch.logspace(-4, 0, 9, dtype=torch.float64)
    found = network()(normal(0, 9, 2, COUNT), t, normal(1, 9, 3, COUNT))
    assert all(part.isfinite().all() for part in found)


@torch.no_grad()
def test_prediction_and_embedding_turn_with_both_maps():
    """Within the error of the mesh at degree 8 and level 3."""
    matrix = harmonic_rotation(random_rotation(torch.Generator().manual_seed(1)), DEGREE, even=False).float().T
    fall = 1 / (1 + (harmonic_degrees(DEGREE) / 3.0) ** 2)
    sample, condition, t = normal(0, 1, 2, COUNT) * fall, normal(1, 1, 3, COUNT) * fall, torch.tensor([0.02])
    there, here = network()(sample @ matrix, t, condition @ matrix), network()(sample, t, condition)
    for turned, part in zip(there, here, strict=True):
        assert (turned - part @ matrix).norm() < 0.01 * turned.norm()
        assert (turned - part).norm() > 0.3 * turned.norm()


def test_a_few_steps_of_training_lower_the_error_of_denoising():
    """The condition is the map itself, so that what is noise can be known."""
    scheduler = SphericalHeatScheduler(DEGREE)
    torch.manual_seed(0)
    module, start, generator = SpectralScoreNet(1, 1, DEGREE, 3, (4,)), normal(0, 8, 1, COUNT), torch.Generator()
    optimizer, losses = torch.optim.Adam(module.parameters(), 2e-2), []
    for _ in range(25):
        t, noise = torch.full((8,), 0.02, dtype=torch.float64), torch.randn(start.shape, generator=generator)
        prediction = module(scheduler.add_noise(start, noise, t), t, start).prediction
        loss = (prediction - scheduler.target(start, noise, t)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1, abs=0.1)
    assert losses[-1] < 0.7 * losses[0]
