"""HEALPix in NESTED order: equal-area pixels whose four children follow one another.

Reference: Gorski et al., ApJ 622:759-771, 2005.
"""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

__all__ = ["antipode_index", "healpix_directions", "hemisphere_index"]

# Ring (in units of nside) and longitude (in units of pi/4) of the southern corner of the twelve base pixels.
_CORNER_RING = torch.tensor([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4], device="cpu")
_CORNER_LONGITUDE = torch.tensor([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7], device="cpu")
_EQUATOR = 1e-10


def healpix_directions(nside: int) -> Tensor:
    """Centers of the pixels.

    Args:
        nside: pixels along the edge of a base pixel, a power of two.

    Returns:
        Unit vectors, dimensionless, ``(12 * nside**2, 3)``, float64, NESTED order.

    Raises:
        ValueError: if ``nside`` is not a power of two.

    Reference:
        Gorski et al., 2005, eqs. 4 to 9 and section 4.1.
    """
    if nside < 1 or nside & (nside - 1):
        raise ValueError(f"nside must be a power of two (1, 2, 4, ...), got {nside}.")
    pixel = torch.arange(12 * nside**2)
    face, inside = pixel // nside**2, pixel % nside**2
    column, row = _deinterleave(inside), _deinterleave(inside >> 1)
    ring = _CORNER_RING[face] * nside - column - row - 1
    # Rings of the polar caps hold 4 * distance to the pole pixels, the equatorial belt 4 * nside.
    per_quadrant = torch.minimum(torch.minimum(ring, 4 * nside - ring), torch.tensor(nside))
    cap = 1 - per_quadrant.double() ** 2 / (3 * nside**2)
    z = torch.where(
        ring < nside, cap, torch.where(ring > 3 * nside, -cap, (2 * nside - ring).double() * 2 / (3 * nside))
    )
    quarter_turns = (_CORNER_LONGITUDE[face] * per_quadrant + column - row).double() / (2 * per_quadrant)
    longitude = quarter_turns * torch.pi / 2
    radius = ((1 - z) * (1 + z)).sqrt()
    return torch.stack([radius * longitude.cos(), radius * longitude.sin(), z], -1)


def hemisphere_index(directions: Tensor) -> Tensor:
    """Vertices of the kept hemisphere: z > 0, or z = 0 and y > 0, or z = y = 0 and x > 0.

    Args:
        directions: unit vectors ``(V, 3)``.

    Returns:
        Ascending indices, int64, ``(V/2,)`` for an antipodally symmetric set: one of each pair.
    """
    x, y, z = directions.unbind(-1)
    on_equator, on_axis = z.abs() <= _EQUATOR, y.abs() <= _EQUATOR
    kept = (z > _EQUATOR) | on_equator & ((y > _EQUATOR) | on_axis & (x > _EQUATOR))
    return kept.nonzero()[:, 0]


def antipode_index(directions: Tensor) -> Tensor:
    """Index of the vertex opposite to each vertex.

    Args:
        directions: unit vectors ``(V, 3)``, an antipodally symmetric set.

    Returns:
        Indices ``(V,)``, int64.

    Raises:
        ValueError: if a vertex has no antipode within 1e-6 radian.
    """
    points = directions.double().numpy()
    distance, index = cKDTree(points).query(-points)
    if distance.max() > 1e-6:  # noqa: PLR2004
        raise ValueError(f"vertex {distance.argmax()} has no antipode: the nearest is {distance.max():.2g} rad away.")
    return torch.from_numpy(index)


def _deinterleave(number: Tensor) -> Tensor:
    """Join the even bits of a number: the column (or, shifted by one, the row) of a Z-order index."""
    result = torch.zeros_like(number)
    for bit in range(28):
        result |= (number >> 2 * bit & 1) << bit
    return result
