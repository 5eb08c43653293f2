import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_legendre, sph_harm_y

from monai_cortex.geometry.harmonics import (
    even_count,
    fit_degree,
    fit_matrix,
    harmonic_degrees,
    harmonic_gradients,
    real_harmonics,
)
from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index
from monai_cortex.geometry.quadrature import product_quadrature

AXES = torch.cat([torch.eye(3), -torch.eye(3)]).double()
component = st.floats(-1, 1, allow_subnormal=False)
vectors = st.tuples(component, component, component).filter(lambda v: sum(c * c for c in v) > 1e-2)
directions = st.one_of(st.sampled_from(AXES.tolist()), vectors).map(
    lambda v: torch.nn.functional.normalize(torch.tensor(v, dtype=torch.float64), dim=0)
)


def scattered(count, seed=0):
    """Random unit vectors, the six axes among them."""
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([AXES, torch.nn.functional.normalize(points, dim=1)])


def angles(points):
    x, y, z = points.numpy().T
    return np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)


def hemisphere(nside):
    points = healpix_directions(nside)
    return points[hemisphere_index(points)]


def test_low_degrees_have_their_closed_forms():
    points = scattered(50)
    x, y, z = points.T
    expected = {
        0: torch.full_like(x, math.sqrt(1 / (4 * math.pi))),
        1: -math.sqrt(3 / (4 * math.pi)) * y,
        2: math.sqrt(3 / (4 * math.pi)) * z,
        3: -math.sqrt(3 / (4 * math.pi)) * x,
        4: math.sqrt(15 / math.pi) / 2 * x * y,
        5: -math.sqrt(15 / math.pi) / 2 * y * z,
        6: math.sqrt(5 / math.pi) / 4 * (3 * z**2 - 1),
        7: -math.sqrt(15 / math.pi) / 2 * x * z,
        8: math.sqrt(15 / math.pi) / 4 * (x**2 - y**2),
        16: math.sqrt(35 / math.pi) * 3 / 4 * x * y * (x**2 - y**2),
        20: 3 / (16 * math.sqrt(math.pi)) * (35 * z**4 - 30 * z**2 + 3),
        24: math.sqrt(35 / math.pi) * 3 / 16 * (x**4 - 6 * x**2 * y**2 + y**4),
    }
    values = real_harmonics(points, 4)
    for index, column in expected.items():
        torch.testing.assert_close(values[:, index], column, atol=1e-13, rtol=0)


@pytest.mark.parametrize("degree", [0, 1, 5, 12, 20])
def test_all_degrees_agree_with_scipy(degree):
    points = scattered(40)
    theta, phi = angles(points)
    columns = []
    for band in range(degree + 1):
        for m in range(-band, band + 1):
            value = sph_harm_y(band, abs(m), theta, phi)
            columns.append(value.real if m == 0 else math.sqrt(2) * (value.imag if m < 0 else value.real))
    expected = torch.from_numpy(np.stack(columns, 1))
    torch.testing.assert_close(real_harmonics(points, degree), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("degree", [0, 2, 8, 18])
def test_even_degrees_agree_with_dipy(degree):
    points = scattered(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shm = pytest.importorskip("dipy.reconst.shm")
        expected = shm.real_sh_tournier(degree, *angles(points), legacy=False)[0]
    torch.testing.assert_close(real_harmonics(points, degree, even=True), torch.from_numpy(expected), atol=1e-7, rtol=0)


@pytest.mark.parametrize("degree", [0, 2, 6, 14])
def test_even_basis_is_a_selection_of_the_full_one(degree):
    points = scattered(20)
    even = harmonic_degrees(degree) % 2 == 0
    values = real_harmonics(points, degree, even=True)
    torch.testing.assert_close(values, real_harmonics(points, degree)[:, even], atol=1e-14, rtol=0)
    torch.testing.assert_close(values, real_harmonics(-points, degree, even=True), atol=1e-13, rtol=0)


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("degree", [0, 2, 6])
def test_coefficients_are_counted_by_degree(degree, even):
    step = 2 if even else 1
    expected = [band for band in range(0, degree + 1, step) for _ in range(2 * band + 1)]
    degrees = harmonic_degrees(degree, even=even)
    assert not degrees.is_floating_point()
    assert degrees.tolist() == expected
    assert real_harmonics(AXES, degree, even=even).shape == (6, len(expected))
    assert not even or even_count(degree) == len(expected)


@pytest.mark.parametrize("degree", [3, 10])
def test_basis_is_orthonormal(degree, gauss_sphere):
    points, weights = gauss_sphere(degree)
    basis = real_harmonics(points, degree)
    gram = basis.T @ (weights[:, None] * basis)
    torch.testing.assert_close(gram, torch.eye((degree + 1) ** 2, dtype=torch.float64), atol=1e-12, rtol=0)


@given(a=directions, b=directions)
@settings(deadline=None, max_examples=60)
def test_addition_theorem(a, b):
    """sum_m Y_lm(a) Y_lm(b) = (2l + 1) / (4 pi) P_l(a . b)."""
    product = real_harmonics(a, 8) * real_harmonics(b, 8)
    for band in range(9):
        expected = (2 * band + 1) / (4 * math.pi) * eval_legendre(band, (a @ b).clamp(-1, 1).item())
        assert product[harmonic_degrees(8) == band].sum().item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_power_per_degree_survives_rotation(seed, gauss_sphere, rotation_matrix):
    points, weights = gauss_sphere(6)
    coefficients = torch.randn(49, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values = real_harmonics(points @ rotation_matrix(seed), 6) @ coefficients
    rotated = real_harmonics(points, 6).T @ (weights * values)
    for band in range(7):
        inside = harmonic_degrees(6) == band
        torch.testing.assert_close(rotated[inside].norm(), coefficients[inside].norm(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("band", [1, 2, 5])
def test_parity(band):
    points = scattered(10)
    inside = harmonic_degrees(5) == band
    mirrored = real_harmonics(-points, 5)[:, inside]
    torch.testing.assert_close(mirrored, (-1) ** band * real_harmonics(points, 5)[:, inside], atol=1e-13, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_poles_hold_no_surprise(dtype, tolerance):
    """Only m = 0 survives at a pole: sqrt((2l + 1) / 4 pi) times (+-1)^l, also just beside the pole."""
    near = torch.finfo(dtype).eps
    poles = torch.tensor([[0, 0, 1], [0, 0, -1], [near, -near, 1], [0, near, -1 - near]], dtype=dtype)
    values = real_harmonics(poles, 12)
    assert values.dtype == dtype
    for band in range(13):
        expected = torch.zeros(4, 2 * band + 1, dtype=dtype)
        expected[:, band] = math.sqrt((2 * band + 1) / (4 * math.pi)) * torch.tensor([1, (-1) ** band] * 2, dtype=dtype)
        torch.testing.assert_close(values[:, band * band : (band + 1) ** 2], expected, atol=tolerance, rtol=0)


def test_single_precision_is_the_rounded_double():
    points = scattered(200).float()
    single, double = real_harmonics(points, 8, even=True), real_harmonics(points.double(), 8, even=True)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=1e-9, rtol=1e-7)


def test_gradient_is_finite_at_the_poles():
    poles = AXES.clone().requires_grad_()
    real_harmonics(poles, 8).sum().backward()
    assert poles.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    """Central differences along great circles, the axes among the points."""
    points, step = scattered(20), 1e-5
    gradients = harmonic_gradients(points, 6)
    along = torch.randn(len(points), 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along = torch.nn.functional.normalize(torch.linalg.cross(points, along), dim=1)
    ahead, behind = (real_harmonics(math.cos(s) * points + math.sin(s) * along, 6) for s in (step, -step))
    slope = (gradients * along[:, None]).sum(-1)
    torch.testing.assert_close(slope, (ahead - behind) / (2 * step), atol=1e-8, rtol=0)


def test_gradients_lie_along_the_sphere_and_are_finite_at_the_poles():
    points = scattered(30)
    gradients = harmonic_gradients(points, 8)
    assert gradients.shape == (36, 81, 3)
    assert gradients.dtype == torch.float64
    assert gradients.isfinite().all()
    assert (gradients * points[:, None]).sum(-1).abs().max() < 1e-12
    assert not gradients[:, 0].any()
    assert harmonic_gradients(points, 0).shape == (36, 1, 3)


def test_gradients_are_orthogonal_with_the_eigenvalues_as_squares():
    """<grad Y, grad Y'> = -<Y, Laplace Y'> = l(l + 1) delta."""
    points, weights = product_quadrature(14)
    gradients = harmonic_gradients(points, 7)
    gram = torch.einsum("qnk,qmk,q->nm", gradients, gradients, weights)
    degrees = harmonic_degrees(7).double()
    torch.testing.assert_close(gram, (degrees * (degrees + 1)).diag(), atol=1e-11, rtol=0)


def test_gradients_turn_with_the_function(rotation_matrix):
    """Of f(x) = g(R x), the gradient at x is R^-1 times that of g at R x."""
    points, rotation = scattered(20), rotation_matrix(3)
    where, weights = product_quadrature(10)
    mixing = (real_harmonics(where @ rotation.T, 5) * weights[:, None]).T @ real_harmonics(where, 5)
    expected = harmonic_gradients(points @ rotation.T, 5) @ rotation
    found = torch.einsum("qmk,nm->qnk", harmonic_gradients(points, 5), mixing)
    torch.testing.assert_close(found, expected, atol=1e-11, rtol=0)


def test_gradients_of_negative_degrees_are_refused():
    with pytest.raises(ValueError, match="-1"):
        harmonic_gradients(AXES, -1)


@pytest.mark.parametrize(("degree", "even"), [(-1, False), (-2, True), (3, True)])
def test_impossible_degrees_are_refused(degree, even):
    with pytest.raises(ValueError, match=str(degree)):
        real_harmonics(AXES, degree, even=even)
    with pytest.raises(ValueError, match=str(degree)):
        harmonic_degrees(degree, even=even)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 1)])
def test_leading_axes_are_kept(shape):
    points = scattered(24)[: math.prod(shape)]
    values = real_harmonics(points.reshape(*shape, 3), 4)
    assert values.shape == (*shape, 25)
    torch.testing.assert_close(values.reshape(-1, 25), real_harmonics(points, 4), atol=0, rtol=0)


@pytest.mark.parametrize(("degree", "points"), [(2, 30), (4, 40), (6, 96)])
def test_fit_is_the_penalized_normal_equation(degree, points):
    where = scattered(points)
    basis, band = real_harmonics(where, degree, even=True), harmonic_degrees(degree, even=True).double()
    fit = fit_matrix(where, degree)
    assert fit.shape == (even_count(degree), len(where))
    residual = (basis.T @ basis + 0.006 * (band * (band + 1)).square().diag()) @ fit - basis.T
    assert residual.abs().max() < 1e-9


def test_fit_without_penalty_recovers_band_limited_signals():
    where = hemisphere(4)
    coefficients = torch.randn(45, dtype=torch.float64)
    signal = real_harmonics(where, 8, even=True) @ coefficients
    torch.testing.assert_close(fit_matrix(where, 8, regularization=0.0) @ signal, coefficients, atol=1e-10, rtol=0)


def test_penalty_spares_constants_and_shrinks_the_rest():
    where = hemisphere(8)
    constant = fit_matrix(where, 6) @ torch.ones(len(where), dtype=torch.float64)
    assert constant[0].item() == pytest.approx(math.sqrt(4 * math.pi), rel=1e-4)
    basis, fit = real_harmonics(where, 6, even=True), fit_matrix(where, 6)
    band = harmonic_degrees(6, even=True).double()
    shrunk = 1 / (1 + 0.006 * (band * (band + 1)).square() * 4 * math.pi / len(where))
    torch.testing.assert_close((fit @ basis).diag(), shrunk, atol=2e-2, rtol=0)


def test_fit_does_not_depend_on_the_sign_of_directions():
    where = scattered(40)
    flipped = where * torch.where(torch.arange(len(where)) % 2 == 0, 1, -1)[:, None]
    torch.testing.assert_close(fit_matrix(where, 4), fit_matrix(flipped, 4), atol=1e-12, rtol=0)


def test_fit_stays_finite_with_fewer_directions_than_coefficients():
    assert fit_matrix(scattered(4), 8).isfinite().all()


@pytest.mark.parametrize(
    ("count", "degree"), [(2, 0), (6, 0), (7, 2), (15, 2), (16, 4), (29, 4), (30, 6), (64, 8), (90, 10)]
)
def test_degree_uses_at_most_95_percent_of_the_directions(count, degree):
    assert fit_degree(count) == degree


@given(count=st.integers(2, 400), share=st.floats(0.5, 1.0))
@settings(deadline=None)
def test_degree_is_the_largest_even_one_that_fits(count, share):
    degree = fit_degree(count, share)
    assert degree % 2 == 0
    assert even_count(degree) <= share * count < even_count(degree + 2)
