import itertools
import math

import pytest
import torch
from hypothesis import given
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
