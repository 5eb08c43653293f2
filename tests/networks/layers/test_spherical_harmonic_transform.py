"""The folded transform, against the dense product and functions whose coefficients are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_legendre

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere import arc_angle, vertex_areas
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

LEVEL, DEGREE = 3, 8
VERTICES, COEFFICIENTS = 10 * 4**LEVEL + 2, (DEGREE + 1) ** 2
EXACT = {torch.float64: 1e-12, torch.float32: 1e-5}
PRECISIONS = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
MESHES = pytest.mark.parametrize("turned", [False, True], ids=["symmetric", "turned"])
REFINEMENTS = pytest.mark.parametrize("refinements", [0, 1, 2, 5])
SEEDS = st.integers(0, 2**31)
RARELY = settings(deadline=None, max_examples=15)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, *shape):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def sphere(turned, level=LEVEL):
    vertices, faces = icosphere(level)
    return Mesh(vertices @ random_rotation(generator(0)), faces) if turned else Mesh(vertices, faces)


def transform(mesh, degree=DEGREE, refinements=1, dtype=torch.float64):
    return SphericalHarmonicTransform(mesh, degree, refinements, dtype)


def dense_analysis(values, mesh, degree, refinements):
    basis, weights = real_harmonics(mesh.vertices, degree), vertex_areas(mesh)
    coefficients = (values * weights) @ basis
    for _ in range(refinements):
        coefficients = coefficients + ((values - coefficients @ basis.T) * weights) @ basis
    return coefficients


def assert_relative(result, expected, bound):
    error = (result.double() - expected).norm() / expected.norm()
    assert error < bound, f"relative error {error:.1e}"


@MESHES
@PRECISIONS
@REFINEMENTS
def test_analysis_is_the_refined_dense_product(refinements, dtype, turned):
    mesh, values = sphere(turned), normal(1, 2, 3, VERTICES)
    result = transform(mesh, refinements=refinements, dtype=dtype)(values.to(dtype))
    assert result.dtype == dtype
    assert result.shape == (2, 3, COEFFICIENTS)
    assert_relative(result, dense_analysis(values, mesh, DEGREE, refinements), EXACT[dtype])


@MESHES
@PRECISIONS
def test_synthesis_is_the_dense_product(dtype, turned):
    mesh, coefficients = sphere(turned), normal(1, 2, 3, COEFFICIENTS)
    result = transform(mesh, dtype=dtype).inverse(coefficients.to(dtype))
    assert result.dtype == dtype
    assert result.shape == (2, 3, VERTICES)
    assert_relative(result, coefficients @ real_harmonics(mesh.vertices, DEGREE).T, EXACT[dtype])


@MESHES
def test_transform_built_in_double_precision_is_exact(turned, double_precision):
    mesh, values = sphere(turned), normal(1, 1, 2, VERTICES)
    result = SphericalHarmonicTransform(mesh, DEGREE)(values)
    assert_relative(result, dense_analysis(values, mesh, DEGREE, 1), EXACT[torch.float64])


@pytest.mark.parametrize(("level", "degree"), [(0, 2), (1, 0), (1, 3), (2, 7), (4, 20)])
def test_single_precision_is_the_dense_product_at_every_size(level, degree):
    mesh = icosphere(level)
    values = normal(2, 1, 2, len(mesh.vertices))
    result = transform(mesh, degree, dtype=torch.float32)(values.float())
    assert_relative(result, dense_analysis(values, mesh, degree, 1), EXACT[torch.float32])


@MESHES
def test_adjoint_identity(turned):
    """<Y^T W x, c> = <x, W Y c> without refinements."""
    mesh = sphere(turned)
    analysis = transform(mesh, refinements=0)
    values, coefficients = normal(1, 1, 1, VERTICES), normal(2, 1, 1, COEFFICIENTS)
    left = (analysis(values) * coefficients).sum().item()
    right = (values * vertex_areas(mesh) * analysis.inverse(coefficients)).sum().item()
    assert left == pytest.approx(right, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("refinements", "bound"), [(0, 3e-3), (1, 2e-5), (2, 5e-7)])
def test_band_limited_functions_return_within_the_bounds_of_the_quadrature(refinements, bound):
    """Bounds of spec 10, T1: level 5, degree 20."""
    module, coefficients = transform(icosphere(5), 20, refinements), normal(0, 1, 2, 441)
    assert_relative(module(module.inverse(coefficients)), coefficients, bound)


def test_each_refinement_multiplies_the_error_by_the_defect_of_the_gram_matrix():
    """For x = Y c the error after r repetitions is -(1 - G)^(r + 1) c."""
    mesh, coefficients = icosphere(2), normal(0, 1, 1, 81)
    basis = real_harmonics(mesh.vertices, 8)
    defect = torch.eye(81, dtype=torch.float64) - basis.T @ (vertex_areas(mesh)[:, None] * basis)
    for refinements in range(3):
        module = transform(mesh, 8, refinements)
        error = module(module.inverse(coefficients)) - coefficients
        expected = -coefficients @ torch.linalg.matrix_power(defect, refinements + 1)
        torch.testing.assert_close(error, expected, atol=1e-6 * coefficients.abs().max().item(), rtol=0)


@MESHES
def test_constants_and_coordinates_have_known_coefficients(turned):
    mesh = sphere(turned)
    x, y, z = mesh.vertices.T
    result = transform(mesh, refinements=3)(torch.stack([torch.ones_like(x), x, y, z])[None])[0]
    expected = torch.zeros(4, COEFFICIENTS, dtype=torch.float64)
    expected[0, 0] = math.sqrt(4 * math.pi)
    expected[1, 3] = expected[2, 1] = -math.sqrt(4 * math.pi / 3)
    expected[3, 2] = math.sqrt(4 * math.pi / 3)
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


@PRECISIONS
def test_a_single_coefficient_is_its_harmonic(dtype):
    mesh = icosphere(2)
    every = torch.eye(36, dtype=dtype)[None]
    expected = real_harmonics(mesh.vertices, 5).T[None]
    torch.testing.assert_close(transform(mesh, 5, dtype=dtype).inverse(every).double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("degree", [0, 1, 4, 7])
def test_heat_lets_each_harmonic_decay_at_its_own_rate(degree):
    """exp(-l (l + 1) t); times are composed by adding them, and degree 0, the mass, stays."""
    module, time = transform(icosphere(4), DEGREE, refinements=3), 0.03
    degrees = harmonic_degrees(DEGREE).double()
    harmonic = real_harmonics(icosphere(4).vertices, DEGREE).T[degree * degree : (degree + 1) ** 2][None]
    decay = torch.exp(-degrees * (degrees + 1) * time)
    warm = module.inverse(module(harmonic) * decay)
    torch.testing.assert_close(warm, math.exp(-degree * (degree + 1) * time) * harmonic, atol=1e-6, rtol=0)
    torch.testing.assert_close(module.inverse(module(warm) * decay), module.inverse(module(harmonic) * decay**2))


def test_heat_spreads_a_point_into_the_kernel():
    """K_t = sum (2 l + 1) / 4 pi exp(-l (l + 1) t) P_l(cos), of which degree 20 holds all but exp(-462 t)."""
    mesh, degree, time = icosphere(4), 20, 0.05
    module = transform(mesh, degree, refinements=3)
    decay = torch.exp(-harmonic_degrees(degree).double() * (harmonic_degrees(degree) + 1) * time)
    source = torch.nn.functional.normalize(normal(0, 3), dim=0)
    kernel = module.inverse((real_harmonics(source, degree) * decay)[None, None])[0, 0]
    cosine = (mesh.vertices @ source).clamp(-1, 1).numpy()
    terms = [(2 * d + 1) / (4 * math.pi) * math.exp(-d * (d + 1) * time) * eval_legendre(d, cosine) for d in range(40)]
    torch.testing.assert_close(kernel, torch.from_numpy(np.sum(terms, 0)), atol=1e-6, rtol=0)
    mass = math.sqrt(4 * math.pi) * module(kernel[None, None])[0, 0, 0].item()
    assert mass == pytest.approx(1, abs=1e-6)
    assert arc_angle(mesh.vertices[kernel.argmax()], source) < 0.1


@given(seed=SEEDS)
@RARELY
def test_transform_is_linear_and_treats_batch_and_channels_alike(seed):
    module = transform(icosphere(2), 5)
    first, second = normal(seed, 2, 3, 162), normal(seed + 1, 2, 3, 162)
    joint = 2 * module(first) - module(second)
    torch.testing.assert_close(module(2 * first - second), joint, atol=1e-10, rtol=0)
    singles = torch.stack([torch.cat([module(c[None, None])[0] for c in item]) for item in first])
    torch.testing.assert_close(module(first), singles, atol=1e-12, rtol=0)
    rows = torch.stack([torch.cat([module.inverse(c[None, None])[0] for c in item]) for item in joint])
    torch.testing.assert_close(module.inverse(joint), rows, atol=1e-12, rtol=0)


def test_power_of_each_degree_survives_rotation():
    """The turned sphere takes the dense path, so both paths see one function."""
    values = normal(1, 1, 1, VERTICES)
    still, turn = sphere(turned=False), random_rotation(generator(0))
    module = transform(still, refinements=3)
    smooth = module.inverse(module(values))
    coefficients = module(smooth)
    turned = transform(Mesh(still.vertices @ turn, still.faces), refinements=3)(smooth)
    for band in range(DEGREE + 1):
        inside = harmonic_degrees(DEGREE) == band
        torch.testing.assert_close(turned[..., inside].norm(), coefficients[..., inside].norm(), atol=1e-5, rtol=1e-5)
    assert (turned - coefficients).abs().max() > 0.1


def test_mirrored_functions_change_the_sign_of_odd_orders():
    """y -> -y keeps m >= 0 and negates m < 0."""
    mesh = icosphere(LEVEL)
    mirror = torch.tensor([1, -1, 1], dtype=torch.float64)
    image = torch.cdist(mesh.vertices * mirror, mesh.vertices).argmin(1)
    values = normal(0, 1, 1, VERTICES)
    order = torch.cat([torch.arange(-band, band + 1) for band in range(DEGREE + 1)])
    module = transform(mesh)
    expected = module(values) * torch.where(order < 0, -1, 1)
    torch.testing.assert_close(module(values[..., image]), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("radius", [1e-3, 100.0])
def test_radius_does_not_matter(radius):
    mesh, values = icosphere(2), normal(0, 1, 1, 162)
    scaled = Mesh(radius * mesh.vertices, mesh.faces)
    torch.testing.assert_close(transform(scaled, 5)(values), transform(mesh, 5)(values), atol=1e-7, rtol=0)


@MESHES
def test_gradients_agree_with_differences(turned):
    module = transform(sphere(turned, level=1), 3)
    values, coefficients = normal(0, 1, 2, 42).requires_grad_(), normal(1, 1, 2, 16).requires_grad_()
    assert torch.autograd.gradcheck(module, (values,))
    assert torch.autograd.gradcheck(module.inverse, (coefficients,))


@pytest.mark.parametrize(("turned", "largest"), [(False, 93), (True, VERTICES)])
def test_basis_has_as_many_rows_as_there_are_representatives(turned, largest):
    buffers = dict(SphericalHarmonicTransform(sphere(turned), DEGREE).named_buffers())
    basis = [b for name, b in buffers.items() if name.startswith("basis")]
    half = DEGREE // 2
    sizes = [(half + 1) * (half + 2) // 2, *[half * (half + 1) // 2] * 6, (half - 1) * half // 2]
    assert {max(b.shape) for b in basis} == {largest}
    assert sorted(min(b.shape) for b in basis) == (sorted(sizes) if not turned else [COEFFICIENTS])
    assert sum(min(b.shape) for b in basis) == COEFFICIENTS


def test_nothing_is_learned_or_saved():
    module = SphericalHarmonicTransform(icosphere(1), 2)
    assert not list(module.parameters())
    assert not module.state_dict()


def test_single_precision_is_the_default():
    assert SphericalHarmonicTransform(icosphere(1), 2)(torch.ones(1, 1, 42)).dtype == torch.float32


@MESHES
def test_half_precision_is_served_on_both_paths(turned):
    mesh, values = sphere(turned), normal(0, 1, 1, VERTICES)
    result = transform(mesh, dtype=torch.bfloat16)(values.bfloat16())
    assert_relative(result, dense_analysis(values, mesh, DEGREE, 1), 0.05)


@MESHES
@pytest.mark.parametrize("count", [100, VERTICES - 1, VERTICES + 1])
def test_values_of_another_mesh_are_refused(count, turned):
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        transform(sphere(turned))(torch.ones(1, 1, count, dtype=torch.float64))


@MESHES
@pytest.mark.parametrize("count", [COEFFICIENTS - 1, COEFFICIENTS + 1, (DEGREE + 2) ** 2])
def test_coefficients_of_another_degree_are_refused(count, turned):
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        transform(sphere(turned)).inverse(torch.ones(1, 1, count, dtype=torch.float64))


@pytest.mark.parametrize("arguments", [(-1,), (4, -1), (6,), (20,)])
def test_impossible_degrees_and_repetitions_are_refused(arguments):
    with pytest.raises(ValueError, match=str(arguments[-1])):
        SphericalHarmonicTransform(icosphere(1), *arguments)


def test_tables_take_an_eighth_of_the_dense_basis():
    """8R / N is all that mirror planes add."""
    mesh = icosphere(5)
    folded = SphericalHarmonicTransform(mesh, 20)
    tables = sum(table.nbytes for name, table in folded.named_buffers() if name.startswith("basis"))
    dense = 4 * len(mesh.vertices) * 21**2
    assert tables * len(mesh.vertices) == dense * 1329  # representatives of level 5
    assert sum(buffer.nbytes for buffer in folded.buffers()) <= dense / 7
