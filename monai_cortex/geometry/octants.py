r"""Folding of a sphere onto one eighth of it by its three mirror planes.

Every real spherical harmonic is even or odd under each of the reflections x -> -x, y -> -y, z -> -z. On a mesh that
they map onto itself, sums over vertices times harmonics fall apart into eight small ones, one for each combination of
parities, over the vertices of one octant: the work and the memory of a transform shrink to one eighth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

__all__ = ["Octants", "fold", "harmonic_parities", "mirror_octants", "unfold"]

_ON_PLANE = 1e-9  # of the unit sphere
_SIGNS = torch.tensor(
    [[1 - 2 * (o >> axis & 1) for axis in range(3)] for o in range(8)], dtype=torch.float64, device="cpu"
)


class Octants(NamedTuple):
    """How the vertices of a sphere lie to each other under reflections.

    Attributes:
        images: vertex that reflection o takes representative r to, ``(8, R)``; bit 0 of o flips x, bit 1 y, bit 2 z.
            ``(1, V)`` for a mesh without the symmetry, whose vertices all represent themselves.
        multiplicity: number of reflections that leave a representative where it is, 1, 2 or 4, ``(R,)``.
    """

    images: Tensor
    multiplicity: Tensor


def mirror_octants(vertices: Tensor) -> Octants:
    """Find the symmetry of unit vectors ``(V, 3)``, or that they have none."""
    points = vertices.detach().double().cpu()
    first = (points >= -_ON_PLANE).all(1).nonzero()[:, 0]
    mirrored = _SIGNS[:, None] * points[first].clamp_min(0)
    distance, index = cKDTree(points.numpy()).query(mirrored.reshape(-1, 3).numpy())
    multiplicity = 2 ** (points[first] <= _ON_PLANE).sum(1)
    if distance.max(initial=0.0) > _ON_PLANE or int((8 // multiplicity).sum()) != len(points):
        return Octants(torch.arange(len(points))[None], torch.ones(len(points), dtype=torch.int64))
    return Octants(torch.from_numpy(index).view(8, -1), multiplicity)


def harmonic_parities(degree: int) -> Tensor:
    """Reflections under which each harmonic up to a degree is odd, as bits of a number, ``((degree + 1)^2,)``.

    The order is that of ``harmonics.real_harmonics``. With z = cos(theta), harmonics of order m >= 0 hold cos(m phi),
    the others sin(m phi).
    """
    pairs = [(d, m) for d in range(degree + 1) for m in range(-d, d + 1)]
    return torch.tensor([(abs(m) + (m < 0)) % 2 + 2 * (m < 0) + 4 * ((d + abs(m)) % 2) for d, m in pairs])


def fold(values: Tensor, octants: Octants, scale: Tensor) -> Tensor:
    r"""Sums over the octants with the signs of each parity, :math:`s_r \sum_o \chi_p(o)\, x(o\,v_r)`.

    Args:
        values: at the vertices, ``(N, V)``.
        octants: of the mesh.
        scale: s, ``(R,)``.

    Returns:
        ``(8, N, R)``, or ``(1, N, V)`` without symmetry; differentiable in the values, not in the scale.

    Raises:
        ValueError: if there are not V values or R scales.
    """
    _require_count("values", values, _vertices(octants))
    _require_count("scale", scale, octants.images.shape[1])
    result: Tensor = _Fold.apply(values, octants.images, scale)  # type: ignore[no-untyped-call]
    return result


def unfold(folded: Tensor, octants: Octants, scale: Tensor) -> Tensor:
    r"""Adjoint of :func:`fold`: :math:`x(o\,v_r) = \sum_p \chi_p(o)\, s_r\, h_{p,r}`, summed where vertices coincide.

    Args:
        folded: h, ``(8, N, R)``, or ``(1, N, V)`` without symmetry.
        octants: of the mesh.
        scale: s, ``(R,)``; one over the multiplicity makes it the inverse of an unweighted fold, times 8.

    Returns:
        ``(N, V)``, differentiable in h.

    Raises:
        ValueError: if there are not as many parities as octants or not R numbers of each.
    """
    _require_count("folded", folded, octants.images.shape[1])
    _require_count("scale", scale, octants.images.shape[1])
    if len(folded) != len(octants.images):
        raise ValueError(f"need {len(octants.images)} parities, got {len(folded)}.")
    result: Tensor = _Unfold.apply(folded, octants.images, scale)  # type: ignore[no-untyped-call]
    return result


def _vertices(octants: Octants) -> int:
    return int((len(octants.images) // octants.multiplicity).sum())


def _require_count(name: str, values: Tensor, count: int) -> None:
    """The compiled loops do not look where an array ends."""
    if values.shape[-1] != count:
        raise ValueError(f"{name} must end in {count} numbers for this mesh, got shape {tuple(values.shape)}.")


class _Fold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(index, scale)
        if len(index) == 1:
            return (values * scale)[None]
        if _compiled(values):
            return torch.from_numpy(_fold_array(_array(values), _array(index), _array(scale)))
        return _butterfly(values[:, index].transpose(0, 1)) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        index, scale = ctx.saved_tensors
        return _Unfold.apply(gradients[0], index, scale), None, None  # type: ignore[no-untyped-call]


class _Unfold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, folded: Tensor, index: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(index, scale)
        if len(index) == 1:
            return folded[0] * scale
        count = int(index.max()) + 1
        if _compiled(folded):
            return torch.from_numpy(_unfold_array(_array(folded), _array(index), _array(scale), count))
        spread = _butterfly(folded * scale).transpose(0, 1).flatten(1)
        return folded.new_zeros(folded.shape[1], count).index_add_(1, index.flatten(), spread)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        index, scale = ctx.saved_tensors
        return _Fold.apply(gradients[0], index, scale), None, None  # type: ignore[no-untyped-call]


def _compiled(values: Tensor) -> bool:
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().contiguous().numpy()


def _butterfly(values: Tensor) -> Tensor:
    """Product with the 8 x 8 matrix of characters (-1)^(bits of p and o), over the first dimension."""
    for axis in range(3):
        pairs = values.reshape(2 ** (2 - axis), 2, 2**axis, *values.shape[1:])
        values = torch.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], 1).flatten(0, 2)
    return values


@njit(cache=True, nogil=True, inline="always")
def _characters(numbers: Any) -> Any:
    """The same product for eight numbers."""
    a, b, c, d, e, f, g, h = numbers
    a, b, c, d, e, f, g, h = a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h
    a, b, c, d, e, f, g, h = a + c, b + d, a - c, b - d, e + g, f + h, e - g, f - h
    return a + e, b + f, c + g, d + h, a - e, b - f, c - g, d - h


@njit(cache=True, nogil=True)
def _fold_array(values: NDArray[Any], index: NDArray[np.int64], scale: NDArray[Any]) -> NDArray[Any]:
    count = index.shape[1]
    result = np.empty((8, len(values), count), values.dtype)
    for n in range(len(values)):
        x = values[n]
        for r in range(count):
            a, b, c, d = x[index[0, r]], x[index[1, r]], x[index[2, r]], x[index[3, r]]
            e, f, g, h = x[index[4, r]], x[index[5, r]], x[index[6, r]], x[index[7, r]]
            a, b, c, d, e, f, g, h = _characters((a, b, c, d, e, f, g, h))
            s = scale[r]
            result[0, n, r], result[1, n, r], result[2, n, r], result[3, n, r] = s * a, s * b, s * c, s * d
            result[4, n, r], result[5, n, r], result[6, n, r], result[7, n, r] = s * e, s * f, s * g, s * h
    return result


@njit(cache=True, nogil=True)
def _unfold_array(folded: NDArray[Any], index: NDArray[np.int64], scale: NDArray[Any], count: int) -> NDArray[Any]:
    result = np.zeros((folded.shape[1], count), folded.dtype)
    for n in range(folded.shape[1]):
        x = result[n]
        for r in range(folded.shape[2]):
            a, b, c, d = folded[0, n, r], folded[1, n, r], folded[2, n, r], folded[3, n, r]
            e, f, g, h = folded[4, n, r], folded[5, n, r], folded[6, n, r], folded[7, n, r]
            a, b, c, d, e, f, g, h = _characters((a, b, c, d, e, f, g, h))
            s = scale[r]
            x[index[0, r]] += s * a
            x[index[1, r]] += s * b
            x[index[2, r]] += s * c
            x[index[3, r]] += s * d
            x[index[4, r]] += s * e
            x[index[5, r]] += s * f
            x[index[6, r]] += s * g
            x[index[7, r]] += s * h
    return result
