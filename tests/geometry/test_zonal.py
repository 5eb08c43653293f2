import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf, eval_legendre

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.zonal import tensor_response, zonal_convolution, zonal_fit

AXIAL, RADIAL = 1.7e-3, 0.2e-3
Z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
component = st.floats(-1, 1, allow_subnormal=False)
directions = (
    st.tuples(component, component, component)
    .filter(lambda v: sum(c * c for c in v) > 1e-2)
    .map(lambda v: torch.nn.functional.normalize(torch.tensor(v, dtype=torch.float64), dim=0))
)


def zonal_value(response, cosine):
    """S at an angle from the axis: sum_l R_l Y_l0."""
    polar = torch.stack([(1 - cosine**2).clamp(min=0).sqrt(), torch.zeros_like(cosine), cosine], -1)
    degree = 2 * (len(response) - 1)
    orders = torch.cat([torch.arange(-band, band + 1) for band in range(0, degree + 1, 2)])
    return real_harmonics(polar, degree, even=True)[..., orders == 0] @ response.double()


def test_factors_repeat_per_degree():
    response = torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64)
    expected = [3 * math.sqrt(4 * math.pi)] + [-2 * math.sqrt(4 * math.pi / 5)] * 5 + [math.sqrt(4 * math.pi / 9)] * 9
    torch.testing.assert_close(zonal_convolution(response, 4), torch.tensor(expected, dtype=torch.float64))


def test_missing_degrees_are_zero_and_surplus_ones_are_dropped():
    response = torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64)
    longer, shorter = zonal_convolution(response, 8), zonal_convolution(response, 2)
    assert longer.shape == (45,)
    assert shorter.shape == (6,)
    assert (longer[harmonic_degrees(8, even=True) > 4] == 0).all()
    torch.testing.assert_close(longer[:6], shorter, atol=0, rtol=0)


@given(fiber=directions, gradient=directions)
@settings(deadline=None, max_examples=40)
def test_one_stick_reproduces_the_zonal_response(fiber, gradient):
    response = tensor_response(3000.0, AXIAL, RADIAL, 8)
    stick = real_harmonics(fiber, 8, even=True)
    signal = real_harmonics(gradient, 8, even=True) @ (zonal_convolution(response, 8) * stick)
    assert signal.item() == pytest.approx(zonal_value(response, (fiber @ gradient)[None]).item(), abs=1e-12)


@pytest.mark.parametrize("bvalue", [700.0, 1000.0, 3000.0])
def test_stick_through_the_tensor_gives_the_tensor_signal(bvalue):
    """Independent of the basis: the series of high degree is the exponential itself."""
    cosine = torch.linspace(-1, 1, 41, dtype=torch.float64)
    response = tensor_response(bvalue, AXIAL, RADIAL, 20, s0=2.0)
    expected = 2 * (-bvalue * (RADIAL + (AXIAL - RADIAL) * cosine**2)).exp()
    torch.testing.assert_close(zonal_value(response, cosine), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("bvalue", "axial", "radial"),
    [
        (1000.0, AXIAL, RADIAL),
        (3000.0, AXIAL, RADIAL),
        (13192.0, AXIAL, RADIAL),
        (2000.0, 0.5e-3, 1.5e-3),
    ],
)
def test_coefficients_are_the_projections_onto_legendre_polynomials(bvalue, axial, radial):
    def signal(x):
        return np.exp(-bvalue * (radial + (axial - radial) * x**2))

    response = tensor_response(bvalue, axial, radial, 12)
    assert response.shape == (7,)
    for band, value in zip(range(0, 13, 2), response.tolist(), strict=True):
        integral = quad(lambda x, band=band: signal(x) * eval_legendre(band, x), -1, 1, epsabs=1e-12, epsrel=1e-12)[0]
        assert value == pytest.approx(2 * math.pi * math.sqrt((2 * band + 1) / (4 * math.pi)) * integral, abs=1e-8)


@pytest.mark.parametrize("bvalue", [200.0, 1000.0, 3000.0])
def test_first_two_coefficients_have_closed_forms(bvalue):
    spread = bvalue * (AXIAL - RADIAL)
    zeroth = math.sqrt(math.pi / spread) * erf(math.sqrt(spread))
    second = (zeroth / 2 - math.exp(-spread)) / spread
    scale = 2 * math.pi * math.exp(-bvalue * RADIAL)
    expected = [scale * math.sqrt(1 / (4 * math.pi)) * zeroth]
    expected.append(scale * math.sqrt(5 / (4 * math.pi)) * (3 * second - zeroth) / 2)
    torch.testing.assert_close(
        tensor_response(bvalue, AXIAL, RADIAL, 2).double(), torch.tensor(expected).double(), atol=1e-7, rtol=1e-6
    )


def test_no_weighting_is_the_mean_signal_times_the_root_of_four_pi():
    response = tensor_response(0.0, AXIAL, RADIAL, 6, s0=1000.0).double()
    assert response[0].item() == pytest.approx(3545, abs=0.5)
    torch.testing.assert_close(response[1:], torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)


def test_isotropic_diffusion_has_one_coefficient():
    response = tensor_response(1000.0, 3e-3, 3e-3, 6).double()
    expected = torch.tensor([math.sqrt(4 * math.pi) * math.exp(-3), 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(response, expected, atol=1e-9, rtol=0)


def test_prolate_tensor_has_alternating_signs():
    signs = tensor_response(3000.0, AXIAL, RADIAL, 8).sign()
    assert signs.tolist() == [1, -1, 1, -1, 1]


def test_fit_recovers_zonal_coefficients():
    response = torch.tensor([2.0, -1.0, 0.5, 0.1], dtype=torch.float64)
    cosine = torch.linspace(-1, 1, 30, dtype=torch.float64)
    torch.testing.assert_close(zonal_fit(cosine, zonal_value(response, cosine), 6), response, atol=1e-10, rtol=0)


def test_batched_responses_have_one_row_of_factors_each():
    responses = torch.tensor([[3.0, -2.0], [1.0, 0.5]], dtype=torch.float64)
    rows = torch.stack([zonal_convolution(response, 4) for response in responses])
    torch.testing.assert_close(zonal_convolution(responses, 4), rows, atol=0, rtol=0)
