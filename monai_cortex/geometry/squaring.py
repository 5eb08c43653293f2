"""Composition of a map of the sphere with itself, and its derivative: compiled loops over arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.geometry.triangle_walk import TriangleWalk, corner_planes, walk

__all__ = ["square"]

_Floats = NDArray[np.float64]


def square(moved: Tensor, prepared: TriangleWalk, times: int) -> Tensor:
    """Follow a map 2^times times, differentiable once.

    Args:
        moved: where the map takes the vertices of a sphere, unit vectors ``(V, 3)``.
        prepared: the sphere.
        times: number of compositions of the map with itself; each doubles the flow time.

    Returns:
        Unit vectors ``(V, 3)``.
    """
    result: Tensor = _Square.apply(moved, prepared, times)  # type: ignore[no-untyped-call]
    return result


class _Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, moved: Tensor, prepared: TriangleWalk, times: int) -> Tensor:
        maps = [moved.detach().double().cpu().numpy()]
        places = []
        face = None
        for _ in range(times):
            face, weights = walk(prepared, maps[-1], face)
            if (face < 0).any():
                raise ValueError("the field leads to places that are not finite or on no triangle of the sphere.")
            places.append((face, weights))
            maps.append(_compose(maps[-1], prepared.faces, face, weights))
        ctx.prepared, ctx.maps, ctx.places = prepared, maps, places
        return torch.from_numpy(maps[-1]).to(moved)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0].double().cpu().numpy()
        for (face, weights), before in zip(reversed(ctx.places), reversed(ctx.maps[:-1]), strict=True):
            gradient = _compose_adjoint(gradient, before, ctx.prepared.vertices, ctx.prepared.faces, face, weights)
        return torch.from_numpy(gradient).to(gradients[0]), None, None


@njit(cache=True, nogil=True)
def _compose(moved: _Floats, faces: NDArray[Any], face: NDArray[np.int64], weights: _Floats) -> _Floats:
    """The map at the places it leads to, normalized."""
    result = np.empty_like(moved)
    for n in range(len(moved)):
        a, b, c = faces[face[n], 0], faces[face[n], 1], faces[face[n], 2]
        u, v, w = weights[n, 0], weights[n, 1], weights[n, 2]
        x = u * moved[a, 0] + v * moved[b, 0] + w * moved[c, 0]
        y = u * moved[a, 1] + v * moved[b, 1] + w * moved[c, 1]
        z = u * moved[a, 2] + v * moved[b, 2] + w * moved[c, 2]
        length = np.sqrt(x * x + y * y + z * z)
        result[n, 0], result[n, 1], result[n, 2] = x / length, y / length, z / length
    return result


@njit(cache=True, nogil=True)
def _compose_adjoint(  # noqa: PLR0913
    gradient: _Floats,
    moved: _Floats,
    vertices: _Floats,
    faces: NDArray[Any],
    face: NDArray[np.int64],
    weights: _Floats,
) -> _Floats:
    """Gradient with respect to the map, which enters as the values and as the places where they are read."""
    result = np.zeros_like(moved)
    mixed, inner, slope = np.empty(3), np.empty(3), np.empty(3)
    for n in range(len(moved)):
        corner = faces[face[n]]
        for i in range(3):
            mixed[i] = 0.0
            for k in range(3):
                mixed[i] += weights[n, k] * moved[corner[k], i]
        _normalize_adjoint(gradient[n], mixed, inner)
        planes = corner_planes(vertices, corner[0], corner[1], corner[2])
        total, mean = 0.0, 0.0
        for k in range(3):
            slope[k] = 0.0
            for i in range(3):
                total += planes[k, i] * moved[n, i]
                slope[k] += inner[i] * moved[corner[k], i]
                result[corner[k], i] += weights[n, k] * inner[i]
            mean += weights[n, k] * slope[k]
        for k in range(3):
            for i in range(3):
                result[n, i] += (slope[k] - mean) * planes[k, i] / total
    return result


@njit(cache=True, nogil=True)
def _normalize_adjoint(gradient: _Floats, vector: _Floats, result: _Floats) -> None:
    """Gradient with respect to a vector whose direction has the given one."""
    square = vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2
    along = (vector[0] * gradient[0] + vector[1] * gradient[1] + vector[2] * gradient[2]) / square
    for i in range(3):
        result[i] = (gradient[i] - vector[i] * along) / np.sqrt(square)
