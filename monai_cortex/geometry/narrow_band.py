"""Distance to triangles at the nodes of a grid near them: a first guess, then all triangles that could be nearer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monai_cortex.geometry.triangle_frames import LANES, lower_distances
from monai_cortex.geometry.triangle_patches import TrianglePatches

__all__ = ["Lattice", "block_lattice", "lower_in_band", "node_at"]

_NOBODY = -1
_SIDE = 2  # nodes along each edge of a block
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int32]


class Lattice(NamedTuple):
    """Where the nodes of a grid are, in blocks of two by two by two.

    Attributes:
        affine: number of a block to its middle in mm, ``(4, 4)``.
        inverse: of the affine, ``(4, 4)``.
        offsets: of a block's nodes from its middle, mm, ``(8, 3)``.
        radius: distance of the farthest of them, mm.
    """

    affine: _Floats
    inverse: _Floats
    offsets: _Floats
    radius: float


class _Blocks(NamedTuple):
    """Blocks near the surface, in slots in the order in which they were found.

    Attributes:
        slots: slot of each block of the grid, ``_NOBODY`` where there is none yet, ``(I, J, K)``.
        worst: largest distance known of any of the block's nodes, mm, ``(I, J, K)``.
        places: for each slot the block's number along i, j and k and the patch of its first guess, ``(S, 4)``.
        nodes: as :func:`lower_distances` has them, ``(S, 32)``.
    """

    slots: _Integers
    worst: _Floats
    places: _Integers
    nodes: _Floats


def block_lattice(affine: _Floats) -> Lattice:
    """Blocks of a grid.

    Args:
        affine: voxel to mm, ``(4, 4)``.
    """
    corners = np.indices((_SIDE,) * 3).reshape(3, -1).T - (_SIDE - 1) / 2
    blocks = affine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    offsets = np.ascontiguousarray(corners @ affine[:3, :3].T)
    # Bounds are wider by a little, so that rounding spares nothing that is needed.
    return Lattice(blocks, np.linalg.inv(blocks), offsets, float(np.linalg.norm(offsets, axis=1).max()) * (1 + 1e-9))


@njit(cache=True, nogil=True, inline="always")
def node_at(affine: _Floats, i: float, j: float, k: float) -> tuple[float, float, float]:
    """A point carried by an affine ``(4, 4)``."""
    x = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]
    y = affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]
    return x, y, affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]


@njit(cache=True, nogil=True)
def lower_in_band(patches: TrianglePatches, lattice: Lattice, field: _Floats, band: float) -> None:
    """Lower squared distances to those to the nearest triangles.

    Every triangle within the band of a node is either measured or known to be no nearer than another one.

    Args:
        patches: the triangles.
        lattice: of the grid.
        field: squared distances in mm^2, where it begins the square of the band, ``(I, J, K)``; changed in place.
        band: mm.
    """
    shape = ((field.shape[0] + 1) // _SIDE, (field.shape[1] + 1) // _SIDE, (field.shape[2] + 1) // _SIDE)
    size = shape[0] * shape[1] * shape[2]
    slots, places, nodes = np.full(shape, np.int32(_NOBODY)), np.empty((size, 4), np.int32), np.empty((size, 4 * LANES))
    blocks = _Blocks(slots, np.full(shape, band), places, nodes)
    filled = _guess(patches.cylinders, lattice, slots, places, band)
    for slot in range(filled):
        _place_nodes(lattice, blocks, slot, field.shape, band)
        p = places[slot, 3]
        _measure(patches.frames, (patches.begin[p], patches.begin[p + 1]), blocks.worst, places, nodes, slot)
    filled = _improve(patches, lattice, blocks, filled, field.shape, band)
    for slot in range(filled):
        for n in range(LANES):
            i, j, k = _node(places, slot, n)
            if i < field.shape[0] and j < field.shape[1] and k < field.shape[2]:
                field[i, j, k] = nodes[slot, 3 * LANES + n]


@njit(cache=True, nogil=True, inline="always")
def _node(places: _Integers, slot: int, n: int) -> tuple[int, int, int]:
    """Index of a block's node in the grid."""
    return _SIDE * places[slot, 0] + n // 4, _SIDE * places[slot, 1] + n // 2 % 2, _SIDE * places[slot, 2] + n % 2


@njit(cache=True, nogil=True)
def _guess(cylinders: _Floats, lattice: Lattice, slots: _Integers, places: _Integers, band: float) -> int:
    """Give each block a patch near it, mostly the nearest; how many have one.

    Each patch is given to the block nearest to its center; from there each block hands its patch on to neighbors.
    """
    # Arrays are taken out of the tuples here: in the loops, each time would count as one more owner of the array.
    affine, inverse, away = lattice.affine, lattice.inverse, np.full(len(places), band * band)
    filled, done = 0, 0
    for p in range(len(cylinders)):
        i, j, k = node_at(inverse, cylinders[p, 0], cylinders[p, 1], cylinders[p, 2])
        place = (int(np.floor(i + 0.5)), int(np.floor(j + 0.5)), int(np.floor(k + 0.5)), p)
        filled = _offer(cylinders, affine, slots, places, away, place, filled)
    while done < filled:
        i, j, k, p = places[done, 0], places[done, 1], places[done, 2], places[done, 3]
        for side in range(6):
            step, axis = 1 - 2 * (side % 2), side // 2
            place = (i + step * (axis == 0), j + step * (axis == 1), k + step * (axis == 2), p)  # noqa: PLR2004
            filled = _offer(cylinders, affine, slots, places, away, place, filled)
        done += 1
    return filled


@njit(cache=True, nogil=True, inline="always")
def _offer(
    cylinders: _Floats,
    affine: _Floats,
    slots: _Integers,
    places: _Integers,
    away: _Floats,
    place: tuple[int, int, int, int],
    filled: int,
) -> int:
    """Give a block a patch whose center is nearer than that of the one before, if any; how many blocks have one."""
    i, j, k, p = place
    if not (0 <= i < slots.shape[0] and 0 <= j < slots.shape[1] and 0 <= k < slots.shape[2]):
        return filled
    slot = slots[i, j, k] if slots[i, j, k] != _NOBODY else filled
    x, y, z = node_at(affine, i, j, k)
    squared = (x - cylinders[p, 0]) ** 2 + (y - cylinders[p, 1]) ** 2 + (z - cylinders[p, 2]) ** 2
    if squared < away[slot]:
        slots[i, j, k], away[slot] = slot, squared
        places[slot, 0], places[slot, 1], places[slot, 2], places[slot, 3] = i, j, k, p
        filled = max(filled, slot + 1)
    return filled


@njit(cache=True, nogil=True)
def _place_nodes(lattice: Lattice, blocks: _Blocks, slot: int, shape: tuple[int, int, int], band: float) -> None:
    """Write where a block's nodes are; those outside the grid are as near as can be and ask for nothing."""
    places, nodes, offsets = blocks.places, blocks.nodes, lattice.offsets
    x, y, z = node_at(lattice.affine, places[slot, 0], places[slot, 1], places[slot, 2])
    for n in range(LANES):
        i, j, k = _node(places, slot, n)
        nodes[slot, n], nodes[slot, LANES + n] = x + offsets[n, 0], y + offsets[n, 1]
        nodes[slot, 2 * LANES + n] = z + offsets[n, 2]
        nodes[slot, 3 * LANES + n] = band * band if i < shape[0] and j < shape[1] and k < shape[2] else 0.0


@njit(cache=True, nogil=True)
def _measure(
    frames: _Floats, triangles: tuple[int, int], worst: _Floats, places: _Integers, nodes: _Floats, slot: int
) -> None:
    """Measure triangles from the nodes of a block."""
    lower_distances(frames, np.uint64(triangles[0]), np.uint64(triangles[1]), nodes, np.uint64(slot))
    largest = 0.0
    for n in range(LANES):
        largest = max(largest, nodes[slot, 3 * LANES + n])
    worst[places[slot, 0], places[slot, 1], places[slot, 2]] = np.sqrt(largest)


@njit(cache=True, nogil=True)
def _improve(
    patches: TrianglePatches,
    lattice: Lattice,
    blocks: _Blocks,
    filled: int,
    shape: tuple[int, int, int],
    band: float,
) -> int:
    """Measure each patch from the blocks that it may be nearer to than they are known to be; how many there are."""
    frames, begin, cylinders = patches.frames, patches.begin, patches.cylinders
    slots, worst, places, nodes = blocks.slots, blocks.worst, blocks.places, blocks.nodes
    wanted = np.empty((slots.size, 3), np.int32)
    for p in range(len(cylinders)):
        for n in range(_blocks_near(cylinders, p, lattice, worst, wanted, band)):
            i, j, k = wanted[n, 0], wanted[n, 1], wanted[n, 2]
            slot = slots[i, j, k]
            if slot == _NOBODY:
                slot, slots[i, j, k] = filled, filled
                places[slot, 0], places[slot, 1], places[slot, 2], places[slot, 3] = i, j, k, _NOBODY
                _place_nodes(lattice, blocks, slot, shape, band)
                filled += 1
            if places[slot, 3] != p and _may_gain(cylinders, p, nodes, np.uint64(slot)):
                _measure(frames, (begin[p], begin[p + 1]), worst, places, nodes, slot)
    return filled


@njit(cache=True, nogil=True)
def _blocks_near(cylinders: _Floats, p: int, lattice: Lattice, worst: _Floats, wanted: _Integers, band: float) -> int:
    """How many blocks may have nodes nearer to a patch than they are known to be; they are written down."""
    affine, inverse, margin = lattice.affine, lattice.inverse, lattice.radius
    x, y, z, radius, height = cylinders[p, 0], cylinders[p, 1], cylinders[p, 2], cylinders[p, 6], cylinders[p, 7]
    n0, n1, n2, size = cylinders[p, 3], cylinders[p, 4], cylinders[p, 5], np.sqrt(radius**2 + height**2)
    low_i, high_i = _span(inverse, 0, (x, y, z), band + size + margin, worst.shape[0])
    low_j, high_j = _span(inverse, 1, (x, y, z), band + size + margin, worst.shape[1])
    low_k, high_k = _span(inverse, 2, (x, y, z), band + size + margin, worst.shape[2])
    found = 0
    for column in range(max(0, high_i - low_i) * max(0, high_j - low_j)):
        i, j = low_i + column // (high_j - low_j), low_j + column % (high_j - low_j)
        for k in range(low_k, high_k):
            u, v, w = node_at(affine, i, j, k)
            u, v, w, limit = u - x, v - y, w - z, worst[i, j, k] + margin
            squared = u * u + v * v + w * w
            if squared < (limit + size) ** 2:
                along = u * n0 + v * n1 + w * n2
                beyond = max(0.0, abs(along) - height)
                aside = max(0.0, np.sqrt(max(0.0, squared - along * along)) - radius)
                wanted[found, 0], wanted[found, 1], wanted[found, 2] = i, j, k
                found += beyond * beyond + aside * aside < limit * limit
    return found


@njit(cache=True, nogil=True, inline="always")
def _span(inverse: _Floats, axis: int, middle: tuple[float, float, float], reach: float, count: int) -> tuple[int, int]:
    """First number along an axis, and the one after the last, that a ball can hold, of those below a count."""
    x, y, z = inverse[axis, 0], inverse[axis, 1], inverse[axis, 2]
    place = x * middle[0] + y * middle[1] + z * middle[2] + inverse[axis, 3]
    half = reach * np.sqrt(x * x + y * y + z * z)
    return int(min(max(np.ceil(place - half), 0.0), count)), int(
        min(max(np.floor(place + half), -1.0), count - 1.0)
    ) + 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "ninf", "contract"})
def _may_gain(cylinders: _Floats, p: int, nodes: _Floats, slot: int) -> bool:
    """Whether a patch may be nearer to a node of a block than the nearest triangle so far."""
    x, y, z, radius, height = cylinders[p, 0], cylinders[p, 1], cylinders[p, 2], cylinders[p, 6], cylinders[p, 7]
    n0, n1, n2 = cylinders[p, 3], cylinders[p, 4], cylinders[p, 5]
    gain = 0.0
    for n in range(LANES):
        u, v, w = nodes[slot, n] - x, nodes[slot, LANES + n] - y, nodes[slot, 2 * LANES + n] - z
        along = u * n0 + v * n1 + w * n2
        beyond = max(0.0, abs(along) - height)
        aside = max(0.0, np.sqrt(max(0.0, u * u + v * v + w * w - along * along)) - radius)
        gain = max(gain, nodes[slot, 3 * LANES + n] - beyond * beyond - aside * aside)
    return gain > 0
