import math

import pytest
import torch

from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index
from monai_cortex.geometry.response import (
    deconvolution_design,
    fiber_response,
    isotropic_response,
    linear_deconvolution,
    shell_harmonics,
)
from monai_cortex.geometry.zonal import tensor_response

AXIAL, RADIAL, FREE = 1.7e-3, 0.2e-3, 3e-3
BVALUES = torch.tensor([0.0, 1000.0, 2000.0], dtype=torch.float64)


@pytest.fixture
def acquisition():
    """Two volumes at b = 0 without direction, then 96 directions on each of two shells: directions and shells."""
    grid = healpix_directions(4)
    grid = grid[hemisphere_index(grid)]
    directions = torch.cat([torch.zeros(2, 3, dtype=torch.float64), grid, -grid])
    return directions, torch.tensor([0] * 2 + [1] * 96 + [2] * 96)


def tensor_signal(directions, shell, axes, s0=1.0):
    """Axially symmetric tensors along the axes, (P, N)."""
    bvalue = BVALUES[shell]
    return s0 * (-bvalue * (RADIAL + (AXIAL - RADIAL) * (axes @ directions.T) ** 2)).exp()


def table(degree, s0=1.0):
    """White matter and free water responses of the three shells, (2, S, n_l)."""
    tissues = [(AXIAL, RADIAL), (FREE, FREE)]
    return torch.stack([torch.stack([tensor_response(b.item(), *t, degree, s0) for b in BVALUES]) for t in tissues])


def test_response_of_noiseless_fibers_is_the_tensor_response(acquisition):
    directions, shell = acquisition
    axes = torch.nn.functional.normalize(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    response = fiber_response(tensor_signal(directions, shell, axes, 500.0), directions, shell, axes, 10)
    expected = torch.stack([tensor_response(b.item(), AXIAL, RADIAL, 10, 500.0) for b in BVALUES])
    torch.testing.assert_close(response, expected, atol=2e-2, rtol=1e-4)
    assert response[0, 0].item() == pytest.approx(500 * math.sqrt(4 * math.pi))
    assert (response[0, 1:] == 0).all()


def test_response_of_zonal_fibers_is_recovered_exactly(acquisition):
    """Whatever the responses of the shells are, as long as the degree holds them."""
    directions, shell = acquisition
    truth = torch.zeros(3, 4, dtype=torch.float64)
    truth[:, 0] = torch.tensor([900.0, 500.0, 300.0])
    truth[1:, 1:] = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 50
    axes = torch.nn.functional.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).double(), dim=1)
    design = deconvolution_design(directions, shell, truth[None], 6)
    signal = (design @ real_harmonics(axes, 6, even=True).T).T
    torch.testing.assert_close(fiber_response(signal, directions, shell, axes, 6), truth, atol=1e-8, rtol=0)


def test_isotropic_response_is_the_mean_times_the_root_of_four_pi():
    signal = torch.tensor([[100.0, 110.0, 50.0, 30.0], [90.0, 100.0, 40.0, 20.0]])
    response = isotropic_response(signal, torch.tensor([0, 0, 1, 2]))
    torch.testing.assert_close(response, math.sqrt(4 * math.pi) * torch.tensor([[100.0], [45.0], [25.0]]))


def test_design_maps_a_stick_to_its_tensor_signal(acquisition):
    directions, shell = acquisition
    axis = torch.tensor([[2.0, -1.0, 2.0]], dtype=torch.float64) / 3
    design = deconvolution_design(directions, shell, table(16), 16)
    assert design.shape == (len(directions), even_count(16) + 1)
    signal = design[:, :-1] @ real_harmonics(axis[0], 16, even=True)
    torch.testing.assert_close(signal, tensor_signal(directions, shell, axis)[0], atol=1e-5, rtol=0)


def test_design_maps_free_water_to_its_decay(acquisition):
    """An isotropic tissue of fraction one has f_00 = 1 / sqrt(4 pi)."""
    directions, shell = acquisition
    signal = deconvolution_design(directions, shell, table(8), 8)[:, -1] / math.sqrt(4 * math.pi)
    torch.testing.assert_close(signal, (-BVALUES[shell] * FREE).exp(), atol=1e-10, rtol=0)


def test_design_at_b0_sums_the_tissues(acquisition):
    """Without diffusion weighting only the amounts count: f_00 times R_0 of each tissue, no direction."""
    directions, shell = acquisition
    responses = torch.zeros(3, 3, 3, dtype=torch.float64)
    responses[:, :, 0] = torch.tensor([[700.0, 400.0, 300.0], [900.0, 300.0, 200.0], [2000.0, 100.0, 9.0]])
    responses[0, 1:, 1:] = -50
    design = deconvolution_design(directions, shell, responses, 4)
    assert design.shape == (len(directions), even_count(4) + 2)
    f = torch.randn(even_count(4) + 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = 700 * f[0] + 900 * f[-2] + 2000 * f[-1]
    torch.testing.assert_close((design @ f)[shell == 0], expected.expand(2))
    mean = 300 * f[0] + 200 * f[-2] + 9 * f[-1]
    both = (design @ f)[shell == 2].mean()
    torch.testing.assert_close(both, mean, atol=0.02 * 50, rtol=0)


def test_direction_of_a_volume_at_b0_does_not_matter(acquisition):
    directions, shell = acquisition
    other = directions.clone()
    other[:2] = torch.tensor([[0.6, 0.0, 0.8], [float("nan")] * 3])
    torch.testing.assert_close(
        deconvolution_design(other, shell, table(4), 4), deconvolution_design(directions, shell, table(4), 4)
    )


def test_design_turns_with_the_directions(acquisition, rotation_matrix):
    """Turning scan and fiber alike changes nothing, and neither does turning the fiber over."""
    directions, shell = acquisition
    turn, axis = rotation_matrix(3), torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    still = deconvolution_design(directions, shell, table(8), 8)[:, :-1] @ real_harmonics(axis, 8, even=True)
    turned = deconvolution_design(directions @ turn.T, shell, table(8), 8)[:, :-1]
    torch.testing.assert_close(turned @ real_harmonics(turn @ axis, 8, even=True), still, atol=1e-10, rtol=0)
    torch.testing.assert_close(turned @ real_harmonics(-turn @ axis, 8, even=True), still, atol=1e-10, rtol=0)


def test_constants_are_kept_exactly_by_any_directions():
    """The penalty leaves degree 0 alone, so the smoothed fit of a constant is that constant."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator).double(), dim=1)
    shell = torch.tensor([0] * 3 + [1] * 37)
    matrix = shell_harmonics(even_count(6), directions, shell, [0, 6])
    fitted = (matrix @ torch.where(shell == 0, 7.0, 3.0).double()).unflatten(0, (2, even_count(6)))
    expected = torch.zeros(2, even_count(6), dtype=torch.float64)
    expected[:, 0] = torch.tensor([7.0, 3.0]).double() * math.sqrt(4 * math.pi)
    torch.testing.assert_close(fitted, expected, atol=1e-9, rtol=0)


def test_degree_two_is_damped_by_the_known_penalty():
    """On the icosahedron degrees 0 and 2 are orthogonal: the factor is 1 / (1 + 0.006 * 36 * 4 pi / 12)."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [[0.0, a, b * golden] for a in (-1, 1) for b in (-1, 1)]
    corners = torch.tensor(corners, dtype=torch.float64) / math.hypot(1, golden)
    directions = torch.cat([corners.roll(turn, 1) for turn in range(3)])
    shell = torch.tensor([0] + [1] * 12)
    coefficients = torch.tensor([2.0, 1.0, -1.0, 0.5, 0.3, 0.8], dtype=torch.float64)
    signal = torch.cat([torch.ones(1).double(), real_harmonics(directions, 2, even=True) @ coefficients])
    matrix = shell_harmonics(6, torch.cat([directions[:1], directions]), shell, [0, 2])
    expected = coefficients / torch.tensor([1.0, *[1 + 0.006 * 36 * 4 * math.pi / 12] * 5], dtype=torch.float64)
    torch.testing.assert_close((matrix @ signal)[6:], expected, atol=1e-10, rtol=0)


def test_shells_are_fitted_apart(acquisition):
    directions, shell = acquisition
    matrix = shell_harmonics(28, directions, shell, [0, 2, 6])
    assert matrix.shape == (3 * 28, len(directions))
    constant = (matrix @ (shell + 1.0).double()).unflatten(0, (3, 28))
    torch.testing.assert_close(
        constant[:, 0], math.sqrt(4 * math.pi) * torch.tensor([1.0, 2.0, 3.0]).double(), rtol=1e-3, atol=0
    )
    assert constant[:, 1:].abs().max() < 2e-2
    assert (matrix.unflatten(0, (3, 28))[1, even_count(2) :] == 0).all()
    assert (matrix.unflatten(0, (3, 28))[2][:, shell != 2] == 0).all()


def test_linear_deconvolution_without_penalty_recovers_all_coefficients(acquisition):
    """194 volumes tell the 28 + 1 unknowns."""
    directions, shell = acquisition
    design = deconvolution_design(directions, shell, table(6), 6)
    truth = torch.randn(design.shape[1], 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(linear_deconvolution(design, 1e-13) @ (design @ truth), truth, atol=1e-8, rtol=0)


def test_linear_deconvolution_with_large_penalty_goes_to_zero_like_its_inverse(acquisition):
    design = deconvolution_design(*acquisition, table(6), 6)
    torch.testing.assert_close(linear_deconvolution(design, 1e9) * 1e9, design.T, atol=1e-5, rtol=0)


def test_linear_deconvolution_shrinks_singular_values(acquisition):
    """s becomes s / (s^2 + lambda); inverse times design is therefore symmetric, with eigenvalues below 1."""
    design = deconvolution_design(*acquisition, table(6), 6)
    inverse = linear_deconvolution(design, 0.5)
    s = torch.linalg.svdvals(design)
    torch.testing.assert_close(torch.linalg.svdvals(inverse), (s / (s**2 + 0.5)).sort(descending=True).values)
    torch.testing.assert_close(inverse @ design, (inverse @ design).T, atol=1e-10, rtol=0)
    shrunk = torch.linalg.eigvalsh(inverse @ design)
    torch.testing.assert_close(shrunk, (s**2 / (s**2 + 0.5)).sort().values)


def test_linear_deconvolution_does_not_depend_on_the_order_of_volumes(acquisition):
    directions, shell = acquisition
    order = torch.randperm(len(shell), generator=torch.Generator().manual_seed(0))
    design = deconvolution_design(directions, shell, table(6), 6)
    shuffled = deconvolution_design(directions[order], shell[order], table(6), 6)
    torch.testing.assert_close(linear_deconvolution(shuffled, 0.1), linear_deconvolution(design, 0.1)[:, order])
