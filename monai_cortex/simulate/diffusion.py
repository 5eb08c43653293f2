"""Diffusion MRI of a fiber phantom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_cortex.data import GradientTable, find_shells
from monai_cortex.geometry.harmonics import even_degree
from monai_cortex.geometry.response import deconvolution_design
from monai_cortex.geometry.zonal import tensor_response
from monai_cortex.simulate.fiber_phantom import FiberPhantom

__all__ = ["DiffusionTissue", "random_tissue", "rician_noise", "simulate_scan"]


@dataclass(frozen=True)
class DiffusionTissue:
    """Diffusivities in mm^2/s and signal at b = 0, in the scanner's unit.

    Attributes:
        axial, radial: along and across the fibers of white matter.
        gray, fluid: of gray matter and of cerebrospinal fluid, isotropic.
        white_signal, gray_signal, fluid_signal: at b = 0.
    """

    axial: float = 1.7e-3
    radial: float = 0.2e-3
    gray: float = 0.8e-3
    fluid: float = 3.0e-3
    white_signal: float = 1000.0
    gray_signal: float = 1000.0
    fluid_signal: float = 1000.0

    def responses(self, bvalues: list[float], degree: int) -> Tensor:
        """Zonal coefficients of white matter, gray matter and fluid at each b in s/mm^2, ``(3, S, degree/2 + 1)``."""
        rows = [(self.axial, self.radial, self.white_signal), (self.gray,) * 2 + (self.gray_signal,)]
        rows.append((self.fluid,) * 2 + (self.fluid_signal,))
        return torch.stack([torch.stack([tensor_response(b, a, r, degree, s) for b in bvalues]) for a, r, s in rows])


def random_tissue(generator: torch.Generator) -> DiffusionTissue:
    """Diffusivities and signals as they differ between brains and scanners, each uniform over its range."""
    ranges = {
        "axial": (1.4e-3, 2.0e-3),
        "radial": (0.15e-3, 0.45e-3),
        "gray": (0.7e-3, 1.0e-3),
        "gray_signal": (900.0, 1300.0),
        "fluid_signal": (800.0, 2500.0),
    }
    share = torch.rand(len(ranges), generator=generator, dtype=torch.float64).tolist()
    return DiffusionTissue(
        **{name: low + u * (high - low) for (name, (low, high)), u in zip(ranges.items(), share, strict=True)}
    )


def simulate_scan(
    phantom: FiberPhantom,
    table: GradientTable,
    generator: torch.Generator,
    tissue: DiffusionTissue | None = None,
    snr: float = 30.0,
) -> Tensor:
    """Signal of a phantom, with Rician noise.

    Each fiber has the signal of an axially symmetric tensor; fibers of a voxel do not exchange. The signal is computed
    from the coefficients of the orientation distribution, whose degree 16 leaves out at b = 3000 s/mm^2 less than 4e-6
    of the signal at b = 0, and 2e-5 for the most anisotropic of random tissues.

    Args:
        phantom: the truth.
        table: b-values in s/mm^2 and world directions of N volumes.
        generator: source of the noise.
        tissue: diffusivities and signals at b = 0.
        snr: signal of white matter at b = 0 over the standard deviation of the noise; infinity leaves the noise out.

    Returns:
        Signal in the scanner's unit, ``(N, I, J, K)`` float32.

    Raises:
        ValueError: if the ratio is not positive.
    """
    if not snr > 0:
        raise ValueError(f"snr is a ratio above 0, got {snr}.")
    tissue = tissue or DiffusionTissue()
    degree = even_degree(phantom.fods.shape[1])
    values, shell = (torch.as_tensor(a) for a in find_shells(table.bvalues))
    responses = tissue.responses(values.tolist(), degree)
    design = deconvolution_design(torch.as_tensor(table.directions), shell, responses, degree).float()
    isotropic = phantom.tissues[1:] / math.sqrt(4 * math.pi)
    signal = torch.einsum("gn,nijk->gijk", design, torch.cat([phantom.fod, isotropic]))
    return rician_noise(signal, tissue.white_signal / snr, generator)


def rician_noise(signal: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Magnitude of a signal with Gaussian noise of standard deviation ``sigma`` in both channels.

    Reference:
        Gudbjartsson and Patz, Magn. Reson. Med. 34(6):910-914, 1995.
    """
    real, imaginary = (sigma * torch.randn(signal.shape, generator=generator) for _ in range(2))
    return torch.hypot(signal + real, imaginary)
