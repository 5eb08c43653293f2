import math

import numpy as np
import pytest
import torch

from monai_cortex.data import GradientTable
from monai_cortex.simulate import (
    DiffusionTissue,
    FiberScene,
    crossing_scene,
    fiber_phantom,
    gradient_protocol,
    random_tissue,
    reference_scene,
    rician_noise,
    simulate_scan,
)

SHAPE = (4, 4, 2)
UNLIKE = DiffusionTissue(1.9e-3, 0.3e-3, 0.9e-3, 2.7e-3, white_signal=700.0, gray_signal=1200.0, fluid_signal=1900.0)


@pytest.fixture
def table(generator):
    return gradient_protocol((2, ((1000, 12), (3000, 20))), generator)


def tensor_signal(table, axes, axial, radial):
    """Decay exp(-b g^T D g) of tensors along axes (Q, 3), (N, Q)."""
    unit = torch.eye(3, dtype=torch.float64)
    tensors = radial * unit + (axial - radial) * axes[:, :, None] * axes[:, None]
    gradients = torch.from_numpy(table.directions)
    form = torch.einsum("ni,qij,nj->nq", gradients, tensors, gradients)
    return torch.exp(-torch.from_numpy(table.bvalues)[:, None] * form)


def noiseless(phantom, table, tissue, generator):
    return simulate_scan(phantom, table, generator, tissue, snr=math.inf)


@pytest.mark.parametrize("tissue", [DiffusionTissue(), UNLIKE])
def test_crossing_is_the_mixture_of_its_tensors(tissue, table, generator, vector):
    """Straight bundles have one direction each, so that fractions and tensors tell the whole signal."""
    angles = (0, 70)
    gray = FiberScene(crossing_scene(*angles, radius=2.5).bundles, vector(0, 1, 0), 1.0)
    phantom = fiber_phantom(gray, SHAPE)
    axes = torch.stack([vector(math.cos(math.radians(a)), math.sin(math.radians(a)), 0) for a in angles])
    decay = tissue.white_signal * tensor_signal(table, axes, tissue.axial, tissue.radial)
    bvalue = torch.from_numpy(table.bvalues)[:, None]
    isotropic = [
        tissue.gray_signal * torch.exp(-bvalue * tissue.gray),
        tissue.fluid_signal * torch.exp(-bvalue * tissue.fluid),
    ]
    parts = torch.cat([phantom.bundles, phantom.tissues[1:]]).double()
    assert (parts.flatten(1).amax(1) > 0.1).all()
    exact = torch.einsum("nt,tijk->nijk", torch.cat([decay, *isotropic], 1), parts)
    torch.testing.assert_close(
        noiseless(phantom, table, tissue, generator), exact.float(), rtol=1e-5, atol=5e-6 * tissue.white_signal
    )


def test_bent_fibers_have_the_mean_signal_of_their_samples(table, generator):
    """Samples of one voxel of 4 mm on an arc, each of the tensor along the bundle there."""
    arch = reference_scene().bundles[2]
    phantom = fiber_phantom(FiberScene((arch,)), (1, 5, 1), spacing=4.0, samples=2)
    tissue = DiffusionTissue()
    index = torch.cartesian_prod(*(torch.tensor([-1.0, 1.0], dtype=torch.float64),) * 3)
    found = noiseless(phantom, table, tissue, generator)
    for voxel in (0, 1):  # at y = -8 and -4 mm
        points = index + torch.tensor([0.0, 4.0 * voxel - 8, 0.0], dtype=torch.float64)
        axes = arch.directions(points)
        assert axes.any(1).all()
        exact = 1000 * tensor_signal(table, axes, tissue.axial, tissue.radial).mean(1)
        torch.testing.assert_close(found[:, 0, voxel, 0], exact.float(), rtol=1e-5, atol=2e-3)


def test_degree_16_holds_every_tissue_that_is_drawn(generator):
    """The most anisotropic one, at the largest b-value of the protocols: up to 2e-5 of b = 0 is left out."""
    extreme = DiffusionTissue(axial=2.0e-3, radial=0.15e-3)
    table = gradient_protocol((1, ((3000, 60),)), generator)
    phantom = fiber_phantom(crossing_scene(25, radius=20), (1, 1, 1))
    axis = torch.tensor([[math.cos(math.radians(25)), math.sin(math.radians(25)), 0]], dtype=torch.float64)
    exact = 1000 * tensor_signal(table, axis, extreme.axial, extreme.radial)
    found = noiseless(phantom, table, extreme, generator).view(-1, 1)
    torch.testing.assert_close(found, exact.float(), rtol=0, atol=0.02)


def test_scan_turns_with_scene_grid_and_gradients(table, generator, turn):
    scene = crossing_scene(10, 80, radius=3)
    turned = FiberScene(tuple(type(b)(b.centerline @ turn.T, b.radius) for b in scene.bundles))
    still = noiseless(fiber_phantom(scene, SHAPE), table, None, generator)
    rotated = GradientTable(table.bvalues, table.directions @ turn.T.numpy())
    moved = noiseless(fiber_phantom(turned, SHAPE, rotation=turn), rotated, None, generator)
    torch.testing.assert_close(moved, still, rtol=0, atol=0.01)
    assert moved.dtype == torch.float32


def test_gradients_have_no_sign(table, generator):
    phantom = fiber_phantom(reference_scene(), SHAPE)
    flipped = GradientTable(table.bvalues, -table.directions)
    torch.testing.assert_close(
        noiseless(phantom, table, None, generator), noiseless(phantom, flipped, None, generator), rtol=0, atol=0.01
    )


def test_noise_of_nothing_has_rayleighs_mean(generator):
    """sigma sqrt(pi / 2); the mean of 1e5 draws strays by 0.0021 sigma."""
    noise = rician_noise(torch.zeros(100_000), 3.0, generator)
    assert noise.mean().item() == pytest.approx(3 * math.sqrt(math.pi / 2), abs=0.03)
    assert (noise >= 0).all()


@pytest.mark.parametrize("signal", [0.0, 2.0, 40.0])
def test_noise_adds_two_variances_to_the_squared_signal(signal, generator):
    """E[M^2] = S^2 + 2 sigma^2, whose standard error is 2 sigma sqrt((S^2 + sigma^2) / n)."""
    squares = rician_noise(torch.full((100_000,), signal), 3.0, generator).double().square()
    error = 2 * 3 * math.sqrt((signal**2 + 9) / 100_000)
    assert squares.mean().item() == pytest.approx(signal**2 + 18, abs=5 * error)


def test_noise_has_no_sign_and_none_without_sigma(generator):
    signal = torch.linspace(0, 5, 50)
    torch.testing.assert_close(rician_noise(signal, 0.0, generator), signal)
    torch.testing.assert_close(rician_noise(-signal, 0.0, generator), signal)


def test_scan_has_the_ratio_of_signal_to_noise_asked_for(generator):
    """White matter at b = 0 alone: Rician noise of a strong signal is Gaussian."""
    table = GradientTable(np.zeros(1000), np.zeros((1000, 3)))
    phantom = fiber_phantom(crossing_scene(0, radius=20), (2, 2, 2), degree=2)
    signal = simulate_scan(phantom, table, generator, UNLIKE, snr=20.0)
    assert signal.mean().item() == pytest.approx(700, rel=0.01)
    assert 700 / signal.std().item() == pytest.approx(20, rel=0.05)


def test_equal_seeds_give_equal_bits(table):
    phantom = fiber_phantom(crossing_scene(0), SHAPE, degree=4)
    first, again, other = (simulate_scan(phantom, table, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_responses_of_isotropic_tissue_have_degree_zero_only():
    responses = UNLIKE.responses([0.0, 1000.0], 4)
    root = math.sqrt(4 * math.pi)
    assert responses.shape == (3, 2, 3)
    torch.testing.assert_close(responses[:, 0, 0], root * torch.tensor([700.0, 1200, 1900]).double())
    torch.testing.assert_close(responses[2, 1, 0].item(), root * 1900 * math.exp(-2.7))
    assert responses[1:, :, 1:].abs().max() < 1e-9


def test_random_tissue_differs_and_is_possible():
    found = [random_tissue(torch.Generator().manual_seed(seed)) for seed in range(30)]
    assert found[0] == random_tissue(torch.Generator().manual_seed(0))
    assert len({tissue.axial for tissue in found}) == 30
    for name, low, high in [("axial", 1.4e-3, 2e-3), ("radial", 1.5e-4, 4.5e-4), ("gray", 7e-4, 1e-3)]:
        values = [getattr(tissue, name) for tissue in found]
        assert low <= min(values) < low + (high - low) / 4
        assert high - (high - low) / 4 < max(values) <= high
    assert {tissue.white_signal for tissue in found} == {1000.0}


@pytest.mark.parametrize("snr", [0.0, -5.0, math.nan])
def test_ratio_of_signal_and_noise_is_positive(table, generator, snr):
    with pytest.raises(ValueError, match="above 0"):
        simulate_scan(fiber_phantom(crossing_scene(0), SHAPE), table, generator, snr=snr)
