import math

import pytest
import torch

from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index
from monai_cortex.geometry.response import (
    deconvolution_design,
    fiber_response,
    isotropic_response,
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
