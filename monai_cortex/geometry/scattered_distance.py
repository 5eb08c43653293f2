"""Signed distance in plain tensor operations, for devices that run no compiled loops."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["scattered_distance"]

_PAIRS = 1 << 20  # of triangles and nodes at a time, about 0.3 GB
_ASIDE = (1e-7 * 2**0.5, 1e-7 * 3**0.5)  # columns pass by vertices and edges, see grid_columns
_FLAT = 1e-30


def scattered_distance(mesh: Mesh, closed: Mesh, shape: tuple[int, int, int], affine: Tensor, band: float) -> Tensor:
    """Signed distance in a band: each triangle is measured from all nodes of its widened box, the least one counts.

    Args:
        mesh: vertices ``(V, 3)`` float64 in mm and faces ``(F, 3)``.
        closed: the same without holes, vertices as indices of the grid, turning counter-clockwise there.
        shape: of the grid.
        affine: voxel to mm, ``(4, 4)`` float64, on the mesh's device.
        band: mm.

    Returns:
        Distance in mm, at most the band, negative inside, ``(I, J, K)``.
    """
    corners, inverse = mesh.vertices[mesh.faces], torch.linalg.inv(affine)
    places, margin = corners @ inverse[:3, :3].T + inverse[:3, 3], band * inverse[:3, :3].norm(dim=1)
    squared = torch.full((shape[0] * shape[1] * shape[2],), band * band, dtype=corners.dtype, device=corners.device)
    for face, node in _pairs(places.amin(1) - margin, places.amax(1) + margin, shape):
        points = node.to(corners) @ affine[:3, :3].T + affine[:3, 3]
        at = (node[:, 0] * shape[1] + node[:, 1]) * shape[2] + node[:, 2]
        squared.scatter_reduce_(0, at, _squared(points, corners[face]), "amin")
    return squared.sqrt().view(shape) * _signs(closed.vertices[closed.faces], closed.faces, shape)


def _pairs(low: Tensor, high: Tensor, shape: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    """Triangles ``(P,)`` with the nodes ``(P, D)`` in their boxes ``(F, D)``, some at a time."""
    size = torch.tensor(shape, device=low.device)
    first = low.ceil().clamp(min=0).minimum(size).long()
    count = (high.floor().minimum(size - 1).long() - first + 1).clamp(min=0)
    ends = count.prod(1).cumsum(0)
    for begin in range(0, int(ends[-1]), _PAIRS):
        number = torch.arange(begin, min(begin + _PAIRS, int(ends[-1])), device=low.device)
        face = torch.searchsorted(ends, number, right=True)
        rest = number - (ends - count.prod(1))[face]
        index = []
        for axis in reversed(range(len(shape))):
            index.append(first[face, axis] + rest % count[face, axis])
            rest = rest // count[face, axis]
        yield face, torch.stack(index[::-1], 1)


def _squared(points: Tensor, corners: Tensor) -> Tensor:
    """Squared distances of points ``(P, 3)`` to triangles ``(P, 3, 3)``: to their planes or their sides."""
    a, b, c = (points - corner for corner in corners.unbind(1))
    ab, ac = a - b, a - c
    bb, bc, cc = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    bp, cp, area = (ab * a).sum(1), (ac * a).sum(1), bb * cc - bc * bc
    v, w = cc * bp - bc * cp, bb * cp - bc * bp
    inside = (area > _FLAT * bb * cc) & (v >= 0) & (w >= 0) & (v + w <= area)
    sides = torch.stack([_to_side(a, ab), _to_side(b, b - c), _to_side(c, c - a)]).amin(0)
    safe = torch.where(inside, area, 1)
    foot = a - (v / safe)[:, None] * ab - (w / safe)[:, None] * ac
    return torch.where(inside, (foot * foot).sum(1), sides)


def _to_side(start: Tensor, side: Tensor) -> Tensor:
    """Squared distance of the origin to segments that begin at minus start and run along side."""
    length = (side * side).sum(1)
    share = ((start * side).sum(1) / torch.where(length > 0, length, 1)).clamp(0, 1)
    foot = start - share[:, None] * side
    return (foot * foot).sum(1)


def _signs(corners: Tensor, faces: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """-1 at the nodes inside, 1 elsewhere, by the crossings below each node of its column."""
    flat = corners[..., :2] + torch.tensor(_ASIDE, dtype=corners.dtype, device=corners.device)
    turns = torch.zeros(shape[0] * shape[1] * (shape[2] + 1), dtype=torch.int32, device=corners.device)
    for face, column in _pairs(flat.amin(1), flat.amax(1), shape[:2]):
        place, turn = _cross(flat[face], corners[face, :, 2], faces[face], column.to(corners))
        above = place.ceil().clamp(0, shape[2]).long()
        turns.index_add_(0, (column[:, 0] * shape[1] + column[:, 1]) * (shape[2] + 1) + above, turn)
    inside = turns.view(shape[0], shape[1], shape[2] + 1).cumsum(2)[..., :-1] > 0
    return torch.where(inside, -1.0, 1.0).to(corners)


def _cross(flat: Tensor, height: Tensor, face: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Where columns cross triangles, and 1 where they enter, -1 where they leave, 0 where they pass by."""
    weights, left = [], []
    for start, end in ((1, 2), (2, 0), (0, 1)):
        ordered = face[:, start] < face[:, end]
        low = torch.where(ordered[:, None], flat[:, start], flat[:, end])
        high = torch.where(ordered[:, None], flat[:, end], flat[:, start])
        along, beside = high - low, column - low
        value = along[:, 0] * beside[:, 1] - along[:, 1] * beside[:, 0]
        weights.append(torch.where(ordered, value, -value))
        left.append((value > 0) == ordered)
    weight, sides = torch.stack(weights, 1), torch.stack(left, 1).sum(1)
    total = weight.sum(1)
    place = (weight * height).sum(1) / torch.where(total != 0, total, 1)
    place = torch.where(total != 0, place, height.amin(1)).clamp(height.amin(1), height.amax(1))
    return place, (sides == 0).int() - (sides == face.shape[1]).int()
