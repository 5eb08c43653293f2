"""Peaks of antipodally symmetric functions on the sphere."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import even_degree, real_harmonics
from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index

__all__ = ["Peaks", "fiber_peaks"]

_NSIDE = 16  # 3.7 degrees between samples: finer than the lobes of any degree up to 20
_STEP = 1e-3  # rad, of the finite differences
_CHUNK = 2048  # voxels at once: bounds memory to about 200 MB


class Peaks(NamedTuple):
    """Local maxima, the highest first.

    Attributes:
        directions: unit vectors ``(P, number, 3)``, zero where there are fewer peaks.
        amplitudes: value at the peak, ``(P, number)``, zero where there are fewer peaks.
    """

    directions: Tensor
    amplitudes: Tensor


def fiber_peaks(
    coefficients: Tensor, number: int = 5, relative_threshold: float = 0.1, separation: float = 25.0
) -> Peaks:
    """Find the positive local maxima of functions given by even harmonics, by search on a grid and Newton steps.

    Args:
        coefficients: even real harmonics ``(n, P)`` of P functions.
        number: how many peaks to return for each.
        relative_threshold: least amplitude as a fraction of the highest peak's, 0 to 1.
        separation: least angle between two peaks of one function in degree; of a closer pair the higher is kept.

    Returns:
        Peaks in the input's dtype; the search runs in float64.

    Raises:
        ValueError: if n is not the count of even harmonics of any degree.
    """
    degree = even_degree(len(coefficients))
    chunks = torch.split(coefficients.double(), _CHUNK, 1)
    parts = [_peaks(chunk, degree, number, relative_threshold, separation) for chunk in chunks]
    return Peaks(*(torch.cat(part).to(coefficients.dtype) for part in zip(*parts, strict=True)))


def _peaks(coefficients: Tensor, degree: int, number: int, threshold: float, separation: float) -> Peaks:
    vertices, neighbors = _search_grid()
    values = (real_harmonics(vertices, degree, even=True) @ coefficients).T
    is_peak = (values[:, neighbors] <= values[:, :, None]).all(-1) & (values > 0)
    amplitude, start = torch.where(is_peak, values, 0.0).topk(2 * number, 1)
    directions = _climb(vertices[start], coefficients, degree)
    amplitude = torch.where(amplitude > 0, _evaluate(directions, coefficients, degree), 0.0)
    amplitude, order = amplitude.sort(dim=1, descending=True, stable=True)
    directions = directions.gather(1, order[..., None].expand_as(directions))
    keep = _apart(directions, amplitude, math.cos(math.radians(separation)))
    keep &= amplitude > threshold * amplitude[:, :1]
    order = (~keep).sort(dim=1, stable=True).indices[:, :number]
    kept = keep.gather(1, order)
    directions = directions.gather(1, order[..., None].expand(-1, -1, 3))
    return Peaks(directions * kept[..., None], amplitude.gather(1, order) * kept)


@lru_cache(maxsize=1)
def _search_grid() -> tuple[Tensor, Tensor]:
    """Hemisphere vertices ``(V, 3)`` and the eight nearest of each, antipodes folded back, ``(V, 8)``."""
    sphere = healpix_directions(_NSIDE)
    kept = hemisphere_index(sphere)
    number = torch.empty(len(sphere), dtype=torch.int64)
    number[kept] = number[antipode_index(sphere)[kept]] = torch.arange(len(kept))
    nearest = (sphere[kept] @ sphere.T).topk(9, 1).indices[:, 1:]
    return sphere[kept], number[nearest]


def _evaluate(directions: Tensor, coefficients: Tensor, degree: int) -> Tensor:
    """Values at directions ``(P, ..., 3)`` of the P functions, ``(P, ...)``."""
    return torch.einsum("p...n,np->p...", real_harmonics(directions, degree, even=True), coefficients)


def _climb(directions: Tensor, coefficients: Tensor, degree: int, steps: int = 4) -> Tensor:
    """Newton steps in the tangent plane, from maxima on the grid; none where the function is not concave."""
    reach = 1.0 / _NSIDE
    plane = torch.tensor([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]], dtype=torch.float64) * _STEP
    for _ in range(steps):
        frame = _tangent_frame(directions)
        around = torch.nn.functional.normalize(directions[..., None, :] + plane @ frame, dim=-1)
        f, right, left, up, down, diagonal, opposite = _evaluate(around, coefficients, degree).unbind(-1)
        gradient = torch.stack([right - left, up - down], -1) / (2 * _STEP)
        xx, yy = (right + left - 2 * f) / _STEP**2, (up + down - 2 * f) / _STEP**2
        xy = (diagonal + opposite - 2 * f) / (2 * _STEP**2) - (xx + yy) / 2
        determinant = xx * yy - xy**2
        concave = (xx + yy < 0) & (determinant > 0)
        newton = torch.stack(
            [xy * gradient[..., 1] - yy * gradient[..., 0], xy * gradient[..., 0] - xx * gradient[..., 1]], -1
        )
        newton = newton / torch.where(concave, determinant, 1.0)[..., None]
        move = torch.where(concave[..., None], newton, 0.0)
        move = move * (reach / move.norm(dim=-1, keepdim=True).clamp_min(reach))
        directions = torch.nn.functional.normalize(directions + (move[..., None, :] @ frame)[..., 0, :], dim=-1)
    return directions


def _tangent_frame(directions: Tensor) -> Tensor:
    """Two unit vectors across each direction ``(..., 3)``, shape ``(..., 2, 3)``."""
    axis = torch.nn.functional.one_hot(directions.abs().argmin(-1), 3).to(directions)
    first = torch.nn.functional.normalize(torch.linalg.cross(directions, axis), dim=-1)
    return torch.stack([first, torch.linalg.cross(directions, first)], -2)


def _apart(directions: Tensor, amplitude: Tensor, cosine: float) -> Tensor:
    """Keep, from the highest down, each peak that is far from all kept before it, ``(P, K)`` bool."""
    close = torch.einsum("pic,pjc->pij", directions, directions).abs() > cosine
    keep = amplitude > 0
    for i in range(1, amplitude.shape[1]):
        keep[:, i] &= ~(close[:, i, :i] & keep[:, :i]).any(1)
    return keep
