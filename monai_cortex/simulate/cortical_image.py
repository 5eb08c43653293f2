"""T1-weighted images of cortical surfaces, with partial volume that is exact in the surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.cell_coverage import cell_coverage
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance
from monai_cortex.simulate.scanner import Scanner

__all__ = ["SimulatedT1", "simulate_t1", "tissue_fractions"]

_SHELL = 4.0  # mm of fluid around the pial surfaces


class SimulatedT1(NamedTuple):
    """An image and its truth.

    Attributes:
        image: ``(I, J, K)`` in the scanner's unit.
        fractions: shares of white matter, gray matter and fluid, ``(3, I, J, K)``, see :func:`tissue_fractions`.
    """

    image: Tensor
    fractions: Tensor


def simulate_t1(
    white: Sequence[Mesh],
    pial: Sequence[Mesh],
    shape: Sequence[int],
    affine: Tensor,
    scanner: Scanner,
    generator: torch.Generator | None = None,
) -> SimulatedT1:
    """Image a brain of nothing but cortex, white matter and fluid, without skull.

    Args:
        white, pial: closed surfaces of the hemispheres, vertices ``(V, 3)`` in mm, RAS+.
        shape: of the grid, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        scanner: how tissue becomes gray values.
        generator: of the random numbers.
    """
    fractions = tissue_fractions(white, pial, shape, affine)
    return SimulatedT1(scanner.image(fractions, generator), fractions)


def tissue_fractions(white: Sequence[Mesh], pial: Sequence[Mesh], shape: Sequence[int], affine: Tensor) -> Tensor:
    """Share of each voxel that is white matter, gray matter and fluid.

    White matter is all that the white surfaces enclose, deep gray matter and ventricles included. Fluid fills 4 mm
    around the pial surfaces; there the brain fades out over one voxel.

    Args:
        white, pial: closed surfaces of the hemispheres, vertices ``(V, 3)`` in mm, RAS+.
        shape: of the grid, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.

    Returns:
        ``(3, I, J, K)``, float32, in [0, 1]; they add to at most 1.
    """
    grid = tuple(shape)
    inner = _covered(white, grid, affine)
    cortex = (_covered(pial, grid, affine) - inner).clamp(min=0)
    voxel = float(torch.linalg.det(affine[:3, :3].double()).abs() ** (1 / 3))
    band = _SHELL + voxel
    distance = torch.stack([signed_distance(mesh, grid, affine, band=band) for mesh in pial]).amin(0).float()
    brain = (0.5 - (distance - _SHELL) / voxel).clamp(0, 1)
    return torch.stack([inner, cortex, (brain - inner - cortex).clamp(min=0)])


def _covered(meshes: Sequence[Mesh], grid: tuple[int, ...], affine: Tensor) -> Tensor:
    return torch.stack([cell_coverage(mesh, grid, affine) for mesh in meshes]).sum(0).clamp(0, 1)
