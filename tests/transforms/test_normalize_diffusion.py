import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.response import deconvolution_design
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    NormalizeDiffusion,
    NormalizeDiffusionD,
    NormalizeDiffusiond,
    NormalizeDiffusionDict,
)


@pytest.fixture(scope="module")
def scan(make_scan):
    return make_scan(1000.0, 2500.0, nside=2)


@pytest.fixture(scope="module")
def signal(scan, tensor_signal, random_axes):
    """Eight fibers of S0 between 200 and 900 on a 2 x 2 x 2 grid."""
    return (tensor_signal(scan, random_axes(8)) * torch.linspace(200, 900, 8)).reshape(-1, 2, 2, 2)


@pytest.mark.parametrize("s0", [1.0, 640.0])
def test_white_matter_has_scale_one_and_signal_one_at_b0(scan, make_responses, s0):
    responses = make_responses(scan, s0=s0)
    mean = responses[0, scan.shell, 0] / math.sqrt(4 * math.pi)  # mean over directions of a unit distribution
    result = NormalizeDiffusion()(mean.view(-1, 1, 1, 1), responses, scan.shell)
    assert result.scale.item() == pytest.approx(1, rel=1e-6)
    torch.testing.assert_close(result.dwi[:2], torch.ones(2, 1, 1, 1))
    torch.testing.assert_close(result.dwi[:, 0, 0, 0], (mean / s0).float())
    assert result.responses[0, 0, 0].item() == pytest.approx(math.sqrt(4 * math.pi))


def test_scale_weighs_shells_alike_however_many_volumes_they_have(scan, signal, make_responses):
    responses = make_responses(scan, s0=500.0)
    expected = NormalizeDiffusion()(signal, responses, scan.shell).scale
    twice = torch.cat([signal, signal[scan.shell == 2]])
    more = torch.cat([scan.shell, scan.shell[scan.shell == 2]])
    torch.testing.assert_close(NormalizeDiffusion()(twice, responses, more).scale, expected)


def test_fluid_scale_is_its_signal_relative_to_white_matter(scan, make_responses):
    """Summed over the shells by hand: S0 (1 + e^-3 + e^-7.5) against white matter's means."""
    responses = make_responses(scan, s0=500.0)
    fluid = 2000 * torch.exp(-3e-3 * scan.bvalues).view(-1, 1, 1, 1)
    white = (responses[0, :, 0] / math.sqrt(4 * math.pi)).sum().item()
    expected = 2000 * (1 + math.exp(-3) + math.exp(-7.5)) / white
    assert NormalizeDiffusion()(fluid, responses, scan.shell).scale.item() == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20)
@given(st.floats(1e-3, 1e5))
def test_common_factor_of_signal_and_responses_cancels(scan, signal, make_responses, factor):
    responses = make_responses(scan)
    for a, b in zip(
        NormalizeDiffusion()(signal, responses, scan.shell),
        NormalizeDiffusion()(factor * signal, factor * responses, scan.shell),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@settings(max_examples=20)
@given(st.floats(1e-3, 1e4))
def test_brightness_of_a_voxel_goes_into_its_scale_alone(scan, signal, make_responses, factor):
    responses = make_responses(scan)
    plain, bright = (NormalizeDiffusion()(s, responses, scan.shell) for s in (signal, factor * signal))
    torch.testing.assert_close(bright.dwi, plain.dwi)
    torch.testing.assert_close(bright.scale, factor * plain.scale)


def test_distribution_of_the_normalized_signal_times_scale_is_that_of_the_signal(scan, make_responses, random_axes):
    responses = make_responses(scan, s0=300.0, isotropic=(3e-3, 0.8e-3))
    f = real_harmonics(random_axes(8), 8, even=True)
    f = torch.cat([f, torch.rand(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))], 1).T
    measured = deconvolution_design(scan.directions, scan.shell, responses, 8) @ f
    result = NormalizeDiffusion()(measured.reshape(-1, 2, 2, 2), responses, scan.shell)
    scale = result.scale.flatten().double()
    assert scale.min() > 0
    forward = deconvolution_design(scan.directions, scan.shell, result.responses, 8)
    torch.testing.assert_close((forward @ (f / scale)).float(), result.dwi.flatten(1), atol=1e-5, rtol=0)


def test_voxels_without_signal_become_zero(scan, make_responses):
    dark = torch.stack([torch.zeros(len(scan.shell)), -torch.ones(len(scan.shell))], 1).view(-1, 2, 1, 1)
    result = NormalizeDiffusion()(dark, make_responses(scan), scan.shell)
    assert (result.dwi == 0).all()
    assert (result.scale == 0).all()


def test_pair_agrees(scan, signal, make_responses):
    data = {"dwi": signal, "responses": make_responses(scan, s0=500.0), "shell": scan.shell, "other": 1}
    expected = NormalizeDiffusion()(signal, data["responses"], scan.shell)
    assert_pair_agrees(
        lambda _: expected.dwi,
        lambda d: {**NormalizeDiffusiond()(d), "responses": d["responses"]},
        data,
        "dwi",
    )
    result = NormalizeDiffusiond()(data)
    torch.testing.assert_close(result["responses"], expected.responses)
    torch.testing.assert_close(result["scale"], expected.scale)
    assert result["scale"].shape == (1, 2, 2, 2)
    assert NormalizeDiffusionD is NormalizeDiffusionDict is NormalizeDiffusiond
