import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.graph import chebyshev_stack, clenshaw, combinatorial_laplacian, nearest_neighbor_weights
from monai_cortex.geometry.healpix import healpix_directions

OCTAHEDRON = torch.cat([torch.eye(3), -torch.eye(3)]).double()
TERMS = pytest.mark.parametrize("terms", [1, 2, 3, 4, 5, 8])


def random_operator(size, seed=0):
    """Symmetric matrix with spectrum in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return (matrix + matrix.T) / torch.linalg.matrix_norm(matrix + matrix.T, 2)


def line(*positions):
    return torch.tensor([[p, 0.0, 0.0] for p in positions], dtype=torch.float64)


@TERMS
def test_chebyshev_polynomials_are_cosines_of_multiple_angles(terms):
    angle = torch.linspace(0, math.pi, 23, dtype=torch.float64)
    stack = chebyshev_stack(angle.cos().diag(), torch.ones(23, 1, dtype=torch.float64), terms)
    expected = (torch.arange(terms)[:, None] * angle).cos()
    torch.testing.assert_close(stack[..., 0], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 2, 3), (7, 2, 1, 3, 2)])
def test_chebyshev_stack_keeps_trailing_axes(shape):
    operator, signal = random_operator(7), torch.randn(shape, dtype=torch.float64)
    stack = chebyshev_stack(operator, signal, 4)
    assert stack.shape == (4, *shape)
    flat = chebyshev_stack(operator, signal.reshape(7, -1), 4)
    torch.testing.assert_close(stack.reshape(4, 7, -1), flat, atol=1e-12, rtol=0)
    torch.testing.assert_close(
        stack[2].reshape(7, -1), (2 * operator @ operator - torch.eye(7)) @ signal.reshape(7, -1)
    )


@given(m=st.integers(0, 4), n=st.integers(0, 4), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=20)
def test_product_of_chebyshev_polynomials(m, n, seed):
    """T_m T_n = (T_(m+n) + T_|m-n|) / 2."""
    eye = torch.eye(6, dtype=torch.float64)
    stack = chebyshev_stack(random_operator(6, seed), eye, 9)
    torch.testing.assert_close(stack[m] @ stack[n], (stack[m + n] + stack[abs(m - n)]) / 2, atol=1e-12, rtol=0)


def test_dense_sparse_and_precomputed_operators_agree():
    operator, signal = random_operator(12), torch.randn(12, 5, dtype=torch.float64)
    dense = chebyshev_stack(operator, signal, 5)
    torch.testing.assert_close(chebyshev_stack(operator.to_sparse(), signal, 5), dense, atol=1e-12, rtol=0)
    precomputed = chebyshev_stack(operator, torch.eye(12, dtype=torch.float64), 5)
    torch.testing.assert_close(precomputed @ signal, dense, atol=1e-12, rtol=0)


@TERMS
@pytest.mark.parametrize("shape", [(9,), (9, 4), (9, 2, 3, 2)])
def test_clenshaw_equals_the_sum_of_the_stack(terms, shape):
    operator, coefficients = random_operator(9), torch.randn(terms, *shape, dtype=torch.float64)
    expected = sum(chebyshev_stack(operator, coefficients[k], terms)[k] for k in range(terms))
    torch.testing.assert_close(clenshaw(operator, coefficients), expected, atol=1e-12, rtol=0)


def test_clenshaw_of_one_polynomial_is_its_cosine():
    angle = torch.linspace(0, math.pi, 11, dtype=torch.float64)
    for k in range(6):
        coefficients = torch.zeros(6, 11, dtype=torch.float64)
        coefficients[k] = 1
        torch.testing.assert_close(clenshaw(angle.cos().diag(), coefficients), (k * angle).cos(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("terms", [0, -2])
def test_no_polynomial_is_refused(terms):
    with pytest.raises(ValueError, match=str(terms)):
        chebyshev_stack(torch.eye(3), torch.ones(3, 1), terms)


def test_all_ties_of_the_octahedron_are_included():
    weights = nearest_neighbor_weights(OCTAHEDRON, 1, math.sqrt(2))
    opposite = torch.eye(3, dtype=torch.float64).repeat(2, 2)
    torch.testing.assert_close(weights, (1 - opposite) / 2, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("distance", "scale", "expected"), [(1.0, 1.0, 0.5), (2.0, 1.0, 1 / 16), (1.0, 2.0, 0.5**0.25)]
)
def test_weight_halves_at_the_scale(distance, scale, expected):
    weights = nearest_neighbor_weights(line(0, distance), 1, scale)
    torch.testing.assert_close(weights, torch.tensor([[0, expected], [expected, 0]], dtype=torch.float64))


def test_one_sided_neighbors_are_symmetrized_at_full_weight():
    weights = nearest_neighbor_weights(line(0, 1, 1.5, 5), 1, 1.0)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    for i, j, gap in [(0, 1, 1.0), (1, 2, 0.5), (2, 3, 3.5)]:
        expected[i, j] = expected[j, i] = 0.5 ** (gap**2)
    torch.testing.assert_close(weights, expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize(("excess", "tied"), [(5e-6, True), (5e-5, False)])
def test_ties_have_a_tolerance_of_one_hundred_thousandth(excess, tied):
    """0 has neighbors at -1 and 1 + excess; outer points keep the second edge from arising from the other side."""
    points = line(-1, 0, 1 + excess, 1.5, -1.4)
    assert (nearest_neighbor_weights(points, 1, 1.0)[1, 2] > 0) == tied


@pytest.mark.parametrize(("nside", "fewest", "most"), [(1, 10, 10), (2, 8, 12), (4, 8, 9), (8, 8, 10)])
def test_healpix_degrees(nside, fewest, most):
    degrees = (nearest_neighbor_weights(healpix_directions(nside), 8, 0.8 / nside) > 0).sum(1)
    assert (degrees.min(), degrees.max()) == (fewest, most)


def test_laplacian_of_a_weighted_triangle():
    weights = torch.tensor([[0, 1, 2], [1, 0, 4], [2, 4, 0]], dtype=torch.float64)
    expected = torch.tensor([[3, -1, -2], [-1, 5, -4], [-2, -4, 6]], dtype=torch.float64)
    torch.testing.assert_close(combinatorial_laplacian(weights), expected, atol=0, rtol=0)


@given(seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=20)
def test_laplacian_is_the_energy_of_differences(seed):
    """x' L x = 1/2 sum_ij w_ij (x_i - x_j)^2."""
    generator = torch.Generator().manual_seed(seed)
    points, x = torch.randn(15, 3, generator=generator).double(), torch.randn(15, generator=generator).double()
    weights = nearest_neighbor_weights(points, 4, 1.0)
    energy = (weights * (x[:, None] - x) ** 2).sum() / 2
    torch.testing.assert_close(x @ combinatorial_laplacian(weights) @ x, energy, atol=1e-12, rtol=1e-10)
