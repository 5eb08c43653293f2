import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation, rotate_grid, sample_rotation

EYE = torch.eye(3, dtype=torch.float64)
GRAPHS = pytest.mark.parametrize("build", [hemispheric_graph, spherical_graph])
SEEDS = st.integers(0, 2**31)


def draw(seed):
    return random_rotation(torch.Generator().manual_seed(seed))


def about_z(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


@settings(deadline=None)  # the first call loads what torch loads late
@given(SEEDS)
def test_random_rotation_is_proper_and_orthogonal(seed):
    rotation = draw(seed)
    torch.testing.assert_close(rotation @ rotation.T, EYE)
    assert torch.linalg.det(rotation).item() == pytest.approx(1)


def test_random_rotations_are_uniform():
    """The angle of a uniform rotation has density (1 - cos a) / pi, so its mean is pi/2 + 2/pi."""
    generator = torch.Generator().manual_seed(0)
    rotations = torch.stack([random_rotation(generator) for _ in range(4000)])
    trace = rotations.diagonal(dim1=1, dim2=2).sum(1)
    angles = torch.acos(((trace - 1) / 2).clamp(-1, 1))
    assert angles.mean().item() == pytest.approx(math.pi / 2 + 2 / math.pi, abs=0.04)
    assert rotations.mean(0).abs().max() < 0.04


@pytest.mark.parametrize("most", [1e-3, 0.5, 2.0, 3.1])
def test_smaller_rotations_are_uniform(most):
    """Angles a up to m have the distribution (a - sin a) / (m - sin m), and axes prefer no side."""
    generator = torch.Generator().manual_seed(0)
    rotations = torch.stack([random_rotation(generator, most) for _ in range(1000)])
    torch.testing.assert_close(rotations @ rotations.mT, EYE.expand(1000, 3, 3), atol=1e-12, rtol=0)
    skew = torch.stack([rotations[:, i, j] - rotations[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], 1) / 2
    angles = torch.atan2(skew.norm(dim=1), (rotations.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2)
    assert angles.max() <= most + 1e-9
    share = ((angles - angles.sin()) / (most - math.sin(most))).sort().values
    assert (share - torch.linspace(0, 1, 1000, dtype=torch.float64)).abs().max() < 0.05
    assert torch.nn.functional.normalize(skew, dim=1).mean(0).abs().max() < 0.06


def test_nearly_all_rotations_are_nearly_as_all():
    for seed in range(20):
        nearly = random_rotation(torch.Generator().manual_seed(seed), math.pi - 1e-7)
        torch.testing.assert_close(nearly, draw(seed), atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0, -1, 3.2, math.nan])
def test_impossible_largest_angle(angle):
    with pytest.raises(ValueError, match="max_angle"):
        random_rotation(max_angle=angle)


@GRAPHS
@given(seed=SEEDS)
def test_samples_of_a_stick_turn_with_it(build, seed):
    """(d . a)^2 has degree 2, and turned it is (d . R a)^2."""
    directions, rotation = build(2).directions, draw(seed)
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    turned = sample_rotation(rotation, directions, 2) @ (directions @ axis) ** 2
    torch.testing.assert_close(turned, (directions @ (rotation @ axis)) ** 2)


@GRAPHS
def test_samples_of_any_band_limited_function_return_by_the_inverse(build):
    directions, rotation = build(4).directions, draw(1)
    samples = real_harmonics(directions, 8, even=True)
    there = sample_rotation(rotation, directions, 8) @ samples
    assert (there - samples).abs().max() > 0.1
    torch.testing.assert_close(sample_rotation(rotation.T, directions, 8) @ there, samples)


def test_samples_and_coefficients_turn_alike():
    directions, rotation = hemispheric_graph(4).directions, draw(2)
    basis = real_harmonics(directions, 6, even=True)
    torch.testing.assert_close(sample_rotation(rotation, directions, 6) @ basis, basis @ harmonic_rotation(rotation, 6))


@given(first=SEEDS, second=SEEDS)
def test_coefficients_compose_like_matrices(first, second):
    a, b = draw(first), draw(second)
    torch.testing.assert_close(harmonic_rotation(a @ b, 4), harmonic_rotation(a, 4) @ harmonic_rotation(b, 4))


@pytest.mark.parametrize("degree", [0, 2, 8, 18])
def test_rotation_of_coefficients_is_orthogonal_and_keeps_degrees_apart(degree):
    matrix, degrees = harmonic_rotation(draw(3), degree), harmonic_degrees(degree, even=True)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix), dtype=torch.float64))
    assert matrix[degrees[:, None] != degrees].abs().max() < 1e-9 if degree else matrix.item() == pytest.approx(1)


@pytest.mark.parametrize("angle", [0.3, 2.0, -1.1])
def test_rotation_about_z_turns_orders_by_their_multiple(angle):
    """Order m goes with cos(m phi), order -m with sin(m phi)."""
    matrix = harmonic_rotation(about_z(angle), 2)[1:, 1:]
    expected = torch.eye(5, dtype=torch.float64)
    for m in (1, 2):
        c, s = math.cos(m * angle), math.sin(m * angle)
        expected[2 + m, [2 + m, 2 - m]] = torch.tensor([c, -s], dtype=torch.float64)
        expected[2 - m, [2 + m, 2 - m]] = torch.tensor([s, c], dtype=torch.float64)
    torch.testing.assert_close(matrix, expected)


@given(seed=SEEDS)
@settings(deadline=None, max_examples=20)
def test_coefficients_of_all_degrees_turn_as_the_function_does(seed):
    """(g f)(x) = f(R^-1 x) at points, odd degrees included."""
    rotation, degree = draw(seed), 5
    points = torch.nn.functional.normalize(
        torch.randn(30, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )
    turned = real_harmonics(points, degree) @ harmonic_rotation(rotation, degree, even=False)
    torch.testing.assert_close(turned, real_harmonics(points @ rotation, degree), atol=1e-11, rtol=0)


def test_first_degree_turns_like_vectors():
    """Orders -1, 0, 1 of degree 1 go with -y, z, -x."""
    rotation = draw(4)
    matrix = harmonic_rotation(rotation, 1, even=False)
    order, sign = [1, 2, 0], torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)
    expected = rotation[order][:, order] * sign[:, None] * sign
    torch.testing.assert_close(matrix[1:, 1:], expected, atol=1e-14, rtol=0)
    torch.testing.assert_close(matrix[0, 0], torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("degree", [0, 1, 4, 9])
def test_rotation_of_all_degrees_is_orthogonal_composes_and_holds_that_of_the_even_ones(degree):
    a, b = draw(5), draw(6)
    matrix, degrees = harmonic_rotation(a, degree, even=False), harmonic_degrees(degree)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix), dtype=torch.float64))
    product = matrix @ harmonic_rotation(b, degree, even=False)
    torch.testing.assert_close(harmonic_rotation(a @ b, degree, even=False), product, atol=1e-12, rtol=0)
    assert not matrix[degrees[:, None] != degrees].abs().gt(1e-12).any()
    even = degrees % 2 == 0
    expected = harmonic_rotation(a, degree - degree % 2)
    torch.testing.assert_close(matrix[even][:, even], expected, atol=1e-12, rtol=0)


def test_even_degrees_end_with_an_even_one():
    with pytest.raises(ValueError, match="even=False"):
        harmonic_rotation(EYE, 3)


def signed_permutations():
    for order in itertools.permutations(range(3)):
        for signs in itertools.product([1.0, -1.0], repeat=3):
            matrix = torch.zeros(3, 3, dtype=torch.float64)
            matrix[range(3), order] = torch.tensor(signs, dtype=torch.float64)
            yield matrix


def gradient(size, slope):
    """Volume (I, J, K) with value p . slope at each voxel p, the center being zero."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in size), indexing="ij")
    return torch.stack(axes, -1) @ slope


def test_grid_turns_as_vectors_do():
    """A volume that grows along a vector grows along the turned vector afterwards, in a turned field of view."""
    slope = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
    size = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64)
    matrices = list(signed_permutations())
    assert len(matrices) == 48
    for matrix in matrices:
        turned_size = (matrix.abs() @ size).int().tolist()
        torch.testing.assert_close(
            rotate_grid(gradient((2, 3, 5), slope), matrix), gradient(turned_size, matrix @ slope)
        )


def test_leading_axes_of_a_grid_stay():
    volumes = torch.randn(2, 3, 4, 2, 3, generator=torch.Generator().manual_seed(0))
    matrix = about_z(math.pi / 2)
    turned = torch.stack([torch.stack([rotate_grid(v, matrix) for v in row]) for row in volumes])
    torch.testing.assert_close(rotate_grid(volumes, matrix), turned, atol=0, rtol=0)


@pytest.mark.parametrize("matrix", [about_z(0.1), 2 * EYE, EYE[[0, 0, 2]], torch.zeros(3, 3)])
def test_other_matrices_do_not_turn_a_grid(matrix):
    with pytest.raises(ValueError, match="signed permutations"):
        rotate_grid(torch.zeros(2, 2, 2), matrix)
