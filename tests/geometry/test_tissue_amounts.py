"""Amounts of tissue, against a solver of bounded least squares."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from monai_cortex.geometry.tissue_amounts import fit_amounts

VOLUMES, COUNT = 12, 6


def problem(seed, isotropic, voxels=8):
    """Design, coefficients and a signal that nothing explains."""
    generator = torch.Generator().manual_seed(seed)
    design = torch.rand(VOLUMES, COUNT + isotropic, generator=generator, dtype=torch.float64)
    coefficients = torch.randn(COUNT + isotropic, voxels, generator=generator, dtype=torch.float64)
    signal = 2 * torch.randn(VOLUMES, voxels, generator=generator, dtype=torch.float64) + 1
    return signal, design, coefficients


def bounded(signal, design, coefficients, most):
    """Amounts ``(T + 1, P)`` by scipy."""
    result = []
    for s, c in zip(signal.T, coefficients.T, strict=True):
        matrix = torch.cat([(design[:, :COUNT] @ c[:COUNT])[:, None], design[:, COUNT:]], 1)
        bounds = ([0] * matrix.shape[1], [most] + [float("inf")] * (matrix.shape[1] - 1))
        result.append(torch.from_numpy(lsq_linear(matrix.numpy(), s.numpy(), bounds, tol=1e-14).x))
    return torch.stack(result, 1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 2), st.sampled_from([0.5, 3.0, 100.0]))
def test_amounts_are_the_bounded_least_squares(seed, isotropic, most):
    signal, design, coefficients = problem(seed, isotropic)
    found = fit_amounts(signal, design, coefficients, COUNT, most)
    amounts = bounded(signal, design, coefficients, most)
    expected = torch.cat([amounts[0] * coefficients[:COUNT], amounts[1:]])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("isotropic", [0, 1, 2])
def test_prediction_that_explains_the_signal_stays(isotropic):
    _, design, coefficients = problem(0, isotropic)
    coefficients[COUNT:] = coefficients[COUNT:].abs()
    torch.testing.assert_close(fit_amounts(design @ coefficients, design, coefficients, COUNT), coefficients)


def test_wrong_amounts_of_the_right_shape_are_corrected():
    _, design, truth = problem(1, 1)
    truth[COUNT:] = truth[COUNT:].abs()
    wrong = torch.cat([truth[:COUNT] / 2.5, 7 * truth[COUNT:] + 1])
    torch.testing.assert_close(fit_amounts(design @ truth, design, wrong, COUNT), truth)


def test_next_to_no_fibers_stay_next_to_none():
    _, design, truth = problem(2, 1)
    faint = torch.cat([1e-3 * truth[:COUNT], truth[COUNT:]])
    found = fit_amounts(design @ truth, design, faint, COUNT)
    assert (found[:COUNT].abs() <= 3.001e-3 * truth[:COUNT].abs()).all()


def test_voxels_without_signal_have_no_tissue():
    signal, design, coefficients = problem(3, 1)
    assert not fit_amounts(torch.zeros_like(signal), design, coefficients, COUNT).any()


def test_voxels_without_fibers_are_left_to_the_others():
    signal, design, coefficients = problem(4, 1)
    coefficients[:COUNT] = 0
    found = fit_amounts(signal.abs(), design, coefficients, COUNT)
    assert found.isfinite().all()
    alone = (design[:, COUNT] @ signal.abs()) / design[:, COUNT].square().sum()
    torch.testing.assert_close(found[COUNT], alone)


def test_unit_of_the_signal_carries_over():
    signal, design, coefficients = problem(5, 1)
    one, thousand = (fit_amounts(k * signal, design, coefficients, COUNT, most=1e9) for k in (1, 1000))
    torch.testing.assert_close(thousand, 1000 * one)
