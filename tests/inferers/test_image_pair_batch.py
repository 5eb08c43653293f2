"""Batches of pairs: the noise schedule in closed form, what the score can know, and the share of clean pairs."""

import math

import pytest
import torch
from monai.data import MetaTensor
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor

from monai_cortex.inferers import ImagePairBatch

SHAPE = (4, 1, 6, 5, 4)


def scheduler():
    return DDPMScheduler(2000, "linear_beta", beta_start=1e-6, beta_end=1e-2)


def items(shape=SHAPE):
    generator = torch.Generator().manual_seed(0)
    images = {name: 2 * torch.rand(shape, generator=generator) - 1 for name in ("moving_image", "fixed_image")}
    return images | {"valid": torch.ones(shape)}


def drawn(seed=0, batch=None, **options):
    torch.manual_seed(seed)
    return ImagePairBatch(scheduler(), **options)(batch or items())


def test_schedule_is_the_published_one():
    """Products of 1 - beta in double precision, one of them also by its logarithm's series."""
    found, betas = scheduler().alphas_cumprod.double(), torch.linspace(1e-6, 1e-2, 2000, dtype=torch.float64)
    exact = (1 - betas).cumprod(0)
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=0)
    numbers = {0: 0.999999, 100: 0.97495363, 999: 0.08178379, 1999: 4.385978e-5}
    for time, value in numbers.items():
        assert found[time].item() == pytest.approx(value, rel=1e-4)
    series = math.exp(-(betas + betas.square() / 2).sum().item())
    assert series == pytest.approx(4.38671e-5, rel=1e-5)
    assert found[-1].item() == pytest.approx(series, rel=2e-4)
    assert int((found < 0.5).nonzero()[0]) == 526


def test_noise_follows_from_what_the_network_sees():
    """The score's target needs no moving image: it says nothing about motion."""
    _, target, (fixed, noisy, times), _ = drawn()
    kept = scheduler().alphas_cumprod[times].view(-1, 1, 1, 1, 1)
    found = (noisy - kept.sqrt() * fixed) / (1 - kept).sqrt()
    assert times.min() > 10
    torch.testing.assert_close(found, target["noise"], atol=2e-3, rtol=1e-3)


def test_ideal_score_of_inference_is_next_to_nothing():
    """At time 0 and with the fixed image as the noisy one: 5e-4 of the image."""
    _, _, (fixed, noisy, times), _ = ImagePairBatch()(items())
    kept = scheduler().alphas_cumprod.double()[times].view(-1, 1, 1, 1, 1)
    score = (noisy - kept.sqrt() * fixed) / (1 - kept).sqrt()
    torch.testing.assert_close(score, 5.0e-4 * fixed.double(), rtol=0.02, atol=0)


def test_inference_shows_the_fixed_image_at_time_zero():
    batch = items()
    moving, target, (fixed, noisy, times), names = ImagePairBatch()(batch)
    assert names == {}
    assert torch.equal(moving, batch["moving_image"])
    assert torch.equal(noisy, fixed)
    assert torch.equal(fixed, batch["fixed_image"])
    assert times.tolist() == [0] * 4
    assert target["noised"].sum() == target["noise"].abs().sum() == 0


def test_times_are_uniform_and_noise_is_normal():
    batch = items((4000, 1, 1, 1, 1))
    _, target, (_, _, times), _ = drawn(batch=batch)
    assert times.min() < 10
    assert 1990 <= times.max() <= 1999
    assert abs(times.double().mean() - 999.5) < 4 * 577 / 4000**0.5
    assert abs(target["noise"].mean()) < 4 / 4000**0.5
    assert target["noise"].std() == pytest.approx(1, abs=0.05)
    assert target["noised"].all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_pairs_is_shown_clean_at_time_zero(share):
    _, target, (fixed, noisy, times), _ = drawn(batch=items((4000, 1, 1, 1, 1)), clean_share=share)
    clean = target["noised"] == 0
    assert abs(clean.double().mean() - share) <= 4 * (share * (1 - share) / 4000) ** 0.5
    assert torch.equal(noisy[clean], fixed[clean])
    assert (times[clean] == 0).all()
    assert (noisy[~clean] != fixed[~clean]).double().mean() > 0.99 or clean.all()


def test_seed_alone_decides():
    first, again, other = (drawn(seed, clean_share=0.5) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first[2], again[2], strict=True))
    assert not torch.equal(first[2][1], other[2][1])


def test_truth_and_labels_come_along_where_there_are_any():
    extra = {"true_displacement": torch.ones(4, 3, 6, 5, 4), "fixed_label": torch.ones(SHAPE)}
    target = drawn(batch=items() | extra)[1]
    assert all(torch.equal(target[name], value) for name, value in extra.items())
    assert "moving_label" not in target


def test_images_with_an_affine_come_as_plain_tensors():
    batch = {name: MetaTensor(value, affine=torch.eye(4)) for name, value in items().items()}
    moving, target, images, _ = drawn(batch=batch)
    assert {type(value) for value in (moving, *images, *target.values())} == {Tensor}


def test_processes_draw_their_rows_of_one_batch(as_process):
    _, target, (_, noisy, times), _ = drawn(clean_share=0.5)
    for rank in range(2):
        rows = slice(2 * rank, 2 * rank + 2)
        with as_process(rank, 2):
            _, own, (_, seen, at), _ = drawn(batch={k: v[rows] for k, v in items().items()}, clean_share=0.5)
        assert torch.equal(at, times[rows])
        assert torch.equal(seen, noisy[rows])
        assert all(torch.equal(own[name], target[name][rows]) for name in ("noise", "noised"))
