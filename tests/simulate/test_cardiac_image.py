"""Images of a heart: contrast, phases one motion apart, noise, shading."""

from dataclasses import replace

import pytest
import torch

from monai_cortex.geometry.displacement import warp
from monai_cortex.simulate.cardiac_image import render_phase
from monai_cortex.simulate.cardiac_look import draw_look
from monai_cortex.simulate.cardiac_stack import draw_stack
from monai_cortex.simulate.cardiac_tissue import CardiacScene, draw_muscle
from monai_cortex.simulate.chest import draw_chest
from monai_cortex.simulate.heart_variation import draw_heart, ejection_fraction

PLAIN = {"texture": 0.0, "flow": 0.0, "bias": 0.0, "coil": 0.0, "slices": 0.0, "gain": 1.0, "noise": 0.0, "blur": 0.0}


@pytest.fixture(scope="module")
def draw():
    return draw_heart(torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def look():
    return replace(draw_look(torch.Generator().manual_seed(0)), **PLAIN, band=1.0, scale=1.0)


@pytest.fixture(scope="module")
def stack(draw):
    """Thin slices over the whole heart, one breath held for all of them."""
    full = draw_stack(draw.heart.shape, torch.Generator().manual_seed(1), largest_shift=0.0)
    still = torch.zeros(60, 2, dtype=torch.float64)
    return replace(full, shape=(96, 96, 60), spacing=(1.7, 1.7, 1.8), thickness=0.01, diastole=still, systole=still)


@pytest.fixture(scope="module")
def build(draw):
    def scene(merges):
        generator = torch.Generator().manual_seed(2)
        muscle = replace(draw_muscle(generator), merges=merges)
        return CardiacScene(draw, draw_chest(generator), muscle, generator)

    return scene


def render(scene, stack, look, systole, samples=1, seed=0):
    return render_phase(scene, stack, look, systole, torch.Generator().manual_seed(seed), samples)


@pytest.fixture(scope="module")
def phases(build, stack, look):
    return [render(build(False), stack, look, systole) for systole in (False, True)]


def test_end_systole_is_end_diastole_through_the_field(phases, stack, draw):
    """Nothing merges, slices are thin, nothing shifts: the images differ by the motion alone."""
    diastole, systole = phases
    field = stack.displacement(draw.heart)[None].float()
    warped = warp(diastole.image[None, None].float(), field)[0, 0]
    heart = systole.labels > 0
    before, after = ((image - systole.image)[heart].abs() for image in (diastole.image, warped))
    assert after.mean() < 0.3 * before.mean()
    assert after.median() < 0.005
    labels = warp(diastole.labels[None, None].float(), field, mode="nearest")[0, 0]
    for value in (1, 2, 3):
        first, second = labels == value, systole.labels == value
        assert 2 * (first & second).sum() / (first.sum() + second.sum()) > 0.9


def test_label_volumes_give_the_ejection_fraction_of_the_motion(phases, draw):
    """Nearly: the shortening fades a little away from the axis, and the drift adds to it."""
    diastole, systole = ((phase.labels == 3).sum().item() for phase in phases)
    assert 1 - systole / diastole == pytest.approx(ejection_fraction(draw.heart, 0.0), abs=0.04)


def test_label_volumes_give_the_requested_ejection_fraction(build, stack, look, draw):
    diastole, systole = ((render(build(True), stack, look, phase).labels == 3).sum().item() for phase in (False, True))
    assert 1 - systole / diastole == pytest.approx(draw.ejection, abs=0.03)


def test_blood_wall_and_their_means(phases, look):
    diastole = phases[0]
    wall, left = (diastole.image[diastole.labels == value].median().item() for value in (2, 3))
    assert wall == pytest.approx(look.means["wall"], abs=0.02)
    assert left == pytest.approx(look.means["blood"], abs=0.02)


def test_thick_slices_are_means_of_thin_ones(build, stack, look):
    """Two samples of a slice lie where the slices of two thin stacks lie."""
    few = replace(stack, shape=(64, 64, 4), spacing=(2.5, 2.5, 8.0), diastole=stack.diastole[:4])
    # Where fat is opposed to water, the magnitude is no mean.
    water = replace(look, means={name: abs(mean) for name, mean in look.means.items()})
    thick = render(build(False), replace(few, thickness=8.0), water, False, samples=2).image
    thin = [
        render(build(False), replace(few, center=few.center + few.center.new_tensor([0, 0, z])), water, False).image
        for z in (-2, 2)
    ]
    torch.testing.assert_close(thick, (thin[0] + thin[1]) / 2, atol=1e-4, rtol=0)


def test_noise_gain_and_scale(build, stack, look):
    few = replace(stack, shape=(64, 64, 4), spacing=(2.5, 2.5, 8.0), diastole=stack.diastole[:4])
    clean = render(build(False), few, look, False).image
    noisy = render(build(False), few, replace(look, noise=0.05, scale=10.0), False).image
    bright = clean > 0.5
    assert (noisy / 10 - clean)[bright].std().item() == pytest.approx(0.05, rel=0.1)
    assert (noisy >= 0).all()
    louder = render(build(False), replace(few, systole=few.diastole), replace(look, gain=1.2), True).image
    quiet = render(build(False), replace(few, systole=few.diastole), look, True).image
    torch.testing.assert_close(louder, 1.2 * quiet)


def test_blur_keeps_the_mean_and_smooths(build, stack, look):
    few = replace(stack, shape=(64, 64, 4), spacing=(2.5, 2.5, 8.0), diastole=stack.diastole[:4])
    water = replace(look, means={name: abs(mean) + 0.05 for name, mean in look.means.items()})
    sharp, soft = (render(build(False), few, replace(water, blur=b), False).image for b in (0.0, 1.5))
    torch.testing.assert_close(soft.mean(), sharp.mean(), rtol=1e-3, atol=0)
    assert soft.diff(dim=0).abs().mean() < 0.8 * sharp.diff(dim=0).abs().mean()
