import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.tensor_fit import fit_tensor, tensor_volumes

EYE = torch.eye(3, dtype=torch.float64)
RANDOM = torch.Generator().manual_seed(0)
AXES = torch.stack([random_rotation(RANDOM)[0] for _ in range(15)])
TWO_SHELLS = torch.tensor([0.0, 0.0, *[700.0] * 15, *[1400.0] * 15], dtype=torch.float64)
DIRECTIONS = torch.cat([torch.zeros(2, 3, dtype=torch.float64), AXES, AXES])
seeds = st.integers(0, 2**31)
eigenvalue = st.floats(0.05e-3, 3e-3)  # mm^2/s


def rotation_of(seed):
    return random_rotation(torch.Generator().manual_seed(seed))


def tensor_of(eigenvalues, rotation=EYE):
    return rotation @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ rotation.T


def signal_of(tensors, bvalues=TWO_SHELLS, directions=DIRECTIONS, s0=1.0):
    return s0 * torch.exp(-bvalues * torch.einsum("ni,pij,nj->pn", directions, tensors, directions))


def noisy(count=20):
    """Signals that no tensor explains, with errors of a tenth."""
    generator = torch.Generator().manual_seed(1)
    tensors = torch.stack([tensor_of([1.7e-3, 0.5e-3, 0.2e-3], random_rotation(generator)) for _ in range(count)])
    clean = signal_of(tensors, s0=200.0)
    return clean * (1 + 0.1 * torch.randn(clean.shape, generator=generator, dtype=torch.float64))


def assert_same(found, expected):
    torch.testing.assert_close(found.anisotropy, expected.anisotropy, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(found.diffusivity, expected.diffusivity, rtol=1e-8, atol=0)
    torch.testing.assert_close((found.axis * expected.axis).sum(1).abs(), torch.ones_like(found.anisotropy))


@pytest.mark.parametrize(
    ("eigenvalues", "anisotropy"),
    [
        # (a, r, r) has (a - r) / |D|, and a pancake (a, a, 0) one over the root of two.
        ([1.7e-3, 0.2e-3, 0.2e-3], 1.5 / math.sqrt(1.7**2 + 2 * 0.2**2)),
        ([2e-3, 0.0, 0.0], 1.0),
        ([1e-3, 1e-3, 0.0], math.sqrt(0.5)),
        ([3e-3, 2e-3, 1e-3], math.sqrt(3 / 14)),
        ([0.8e-3, 0.8e-3, 0.8e-3], 0.0),
    ],
)
def test_closed_forms(eigenvalues, anisotropy):
    fit = fit_tensor(signal_of(tensor_of(eigenvalues)[None], s0=300.0), TWO_SHELLS, DIRECTIONS)
    assert fit.anisotropy.item() == pytest.approx(anisotropy, abs=1e-9)
    assert fit.diffusivity.item() == pytest.approx(sum(eigenvalues) / 3, rel=1e-9)
    assert fit.axis.shape == (1, 3)
    assert fit.axis.norm().item() == pytest.approx(1)
    if eigenvalues[0] > eigenvalues[1]:
        assert abs(fit.axis[0, 0].item()) == pytest.approx(1)


@given(st.lists(eigenvalue, min_size=3, max_size=3), seeds, st.floats(1e-3, 1e5))
@settings(deadline=None, max_examples=40)
def test_tensors_without_noise_are_recovered(eigenvalues, seed, s0):
    eigenvalues, rotation = sorted(eigenvalues, reverse=True), rotation_of(seed)
    fit = fit_tensor(signal_of(tensor_of(eigenvalues, rotation)[None], s0=s0), TWO_SHELLS, DIRECTIONS)
    anisotropy = math.sqrt(1.5) * np.linalg.norm(eigenvalues - np.mean(eigenvalues)) / np.linalg.norm(eigenvalues)
    assert fit.anisotropy.item() == pytest.approx(anisotropy, abs=1e-7)
    assert fit.diffusivity.item() == pytest.approx(np.mean(eigenvalues), rel=1e-8)
    if eigenvalues[0] > 1.01 * eigenvalues[1]:
        assert abs(fit.axis[0] @ rotation[:, 0]).item() == pytest.approx(1, abs=1e-8)


def test_seven_gradients_suffice():
    bvalues = TWO_SHELLS[1:8]
    tensors = tensor_of([1.5e-3, 0.6e-3, 0.3e-3], rotation_of(3))[None]
    few = fit_tensor(signal_of(tensors, bvalues, DIRECTIONS[1:8]), bvalues, DIRECTIONS[1:8])
    assert_same(few, fit_tensor(signal_of(tensors), TWO_SHELLS, DIRECTIONS))


@given(seeds)
@settings(deadline=None, max_examples=40)
def test_rotation_of_the_gradients_turns_the_axis_only(seed):
    rotation, signal = rotation_of(seed), noisy()
    expected = fit_tensor(signal, TWO_SHELLS, DIRECTIONS)
    turned = fit_tensor(signal, TWO_SHELLS, DIRECTIONS @ rotation.T)
    assert_same(turned, expected._replace(axis=expected.axis @ rotation.T))


@given(st.permutations(range(len(TWO_SHELLS))), st.lists(st.sampled_from([-1.0, 1.0]), min_size=32, max_size=32))
@settings(deadline=None, max_examples=40)
def test_order_and_sign_of_the_gradients_do_not_matter(order, signs):
    signal, sign = noisy(), torch.tensor(signs, dtype=torch.float64)[:, None]
    expected = fit_tensor(signal, TWO_SHELLS, DIRECTIONS)
    assert_same(fit_tensor(signal[:, order], TWO_SHELLS[order], (sign * DIRECTIONS)[order]), expected)


@pytest.mark.parametrize("scale", [1e-6, 0.37, 1e6])
def test_scale_of_the_signal_does_not_matter(scale):
    expected = fit_tensor(noisy(), TWO_SHELLS, DIRECTIONS)
    assert_same(fit_tensor(scale * noisy(), TWO_SHELLS, DIRECTIONS), expected)


def test_diffusivity_is_in_the_inverse_unit_of_b():
    expected = fit_tensor(noisy(), TWO_SHELLS, DIRECTIONS)
    scaled = fit_tensor(noisy(), TWO_SHELLS / 1000, DIRECTIONS)
    assert_same(scaled, expected._replace(diffusivity=1000 * expected.diffusivity))


def test_noise_is_weighted_by_the_squared_signal_of_the_unweighted_fit():
    """The same least squares row by row in numpy, with the tensor's nine elements written out."""
    signal, fit = noisy(), fit_tensor(noisy(), TWO_SHELLS, DIRECTIONS)
    outer = (DIRECTIONS[:, :, None] * DIRECTIONS[:, None]).flatten(1)
    design = torch.cat([-TWO_SHELLS[:, None] * outer, torch.ones(32, 1, dtype=torch.float64)], 1).numpy()
    for number, logarithm in enumerate(signal.log().numpy()):
        predicted = design @ np.linalg.lstsq(design, logarithm, rcond=1e-12)[0]
        root = np.exp(predicted)
        solution = np.linalg.lstsq(root[:, None] * design, root * logarithm, rcond=1e-12)[0]
        values, vectors = np.linalg.eigh(solution[:9].reshape(3, 3))
        assert fit.diffusivity[number].item() == pytest.approx(values.mean(), rel=1e-6)
        anisotropy = math.sqrt(1.5) * np.linalg.norm(values - values.mean()) / np.linalg.norm(values)
        assert fit.anisotropy[number].item() == pytest.approx(min(anisotropy, 1), rel=1e-6)
        assert abs(fit.axis[number].numpy() @ vectors[:, -1]) == pytest.approx(1, abs=1e-9)


def test_zero_and_negative_measurements_count_as_a_thousandth_of_the_largest():
    signal = noisy()
    signal[:, 5], signal[:, 20] = 0.0, -3.0
    floored = signal.clone()
    floored[:, [5, 20]] = 1e-3 * signal.amax(1, keepdim=True)
    assert_same(fit_tensor(signal, TWO_SHELLS, DIRECTIONS), fit_tensor(floored, TWO_SHELLS, DIRECTIONS))
    floored[:, [5, 20]] *= 1.5
    other = fit_tensor(floored, TWO_SHELLS, DIRECTIONS)
    assert (other.diffusivity != fit_tensor(signal, TWO_SHELLS, DIRECTIONS).diffusivity).all()


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("count", [8, 32])
def test_without_signal_nothing_is_anisotropic(value, count):
    fit = fit_tensor(torch.full((2, count), value), TWO_SHELLS[:count], DIRECTIONS[:count])
    assert fit.anisotropy.tolist() == [0, 0]
    assert fit.diffusivity.tolist() == [0, 0]


def test_no_voxels_give_no_tensors():
    fit = fit_tensor(torch.zeros(0, 32), TWO_SHELLS, DIRECTIONS)
    assert [len(part) for part in fit] == [0, 0, 0]


def test_many_voxels_are_fitted_as_each_alone():
    """More than are held in memory at once; single precision is enough on the way in."""
    signal = noisy(7).float().repeat(2500, 1)
    fit = fit_tensor(signal, TWO_SHELLS.float(), DIRECTIONS.float())
    assert fit.anisotropy.shape == (17500,)
    assert fit.axis.dtype == torch.float64
    alone = fit_tensor(signal[:7], TWO_SHELLS.float(), DIRECTIONS.float())
    torch.testing.assert_close(fit.anisotropy.reshape(-1, 7), alone.anisotropy.expand(2500, 7))
    torch.testing.assert_close(fit.diffusivity.reshape(-1, 7), alone.diffusivity.expand(2500, 7))


@pytest.mark.parametrize(
    ("bvalues", "directions"),
    [
        (TWO_SHELLS[1:7], DIRECTIONS[1:7]),  # six gradients
        (TWO_SHELLS[2:17], DIRECTIONS[2:17]),  # one shell without b = 0: S_0 and the trace are one
        (TWO_SHELLS[:12], DIRECTIONS[[0, 0, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6]]),  # five directions, twice
        (TWO_SHELLS[:17], DIRECTIONS[:17] * torch.tensor([1.0, 1, 0])),  # all in one plane
    ],
)
def test_gradients_that_do_not_determine_a_tensor_are_refused(bvalues, directions):
    with pytest.raises(ValueError, match=f"{len(bvalues)} gradients do not determine a tensor; it takes b = 0 and 6"):
        fit_tensor(torch.ones(3, len(bvalues)), bvalues, directions)


@pytest.mark.parametrize(
    ("bvalues", "shell", "kept"),
    [
        ([0, *[1000.0] * 6, *[3000.0] * 6], [0, *[1] * 6, *[2] * 6], 7),
        ([0, *[1000.0] * 5, *[3000.0] * 6], [0, *[1] * 5, *[2] * 6], 12),  # five directions are too few
        ([0, *[2990.0, 3000.0, 3010.0] * 2], [0, *[1] * 6], 7),  # a shell is not cut where its b-values differ
        ([0, *[700.0] * 3, *[1400.0] * 3, *[2800.0] * 9], [0, *[1] * 3, *[2] * 3, *[3] * 9], 7),
    ],
)
def test_volumes_that_a_tensor_describes(bvalues, shell, kept):
    found = tensor_volumes(torch.tensor(bvalues), torch.tensor(shell))
    assert found.tolist() == [number < kept for number in range(len(bvalues))]
