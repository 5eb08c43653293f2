"""Where a surface passes through itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["crossing_triangles"]

_SIDES = ((0, 1), (1, 2), (2, 0))
_AT_ONCE = 1 << 20  # pairs of triangles in memory
_Floats = NDArray[np.float64]


def crossing_triangles(mesh: Mesh) -> Tensor:
    """Triangles that cut another one which shares no vertex with them, bool ``(F,)``.

    Triangles that merely touch, or lie in one plane, do not count.

    Args:
        mesh: finite vertices ``(V, 3)``, faces ``(F, 3)``; several surfaces joined are tested against each other, too.
    """
    vertices, faces = (part.detach().cpu().numpy() for part in mesh)
    corners = vertices.astype(np.float64)[faces]
    crossed = np.zeros(len(faces), bool)
    for pairs in _near(corners, faces):
        cut = _cross(corners[pairs[:, 0]], corners[pairs[:, 1]])
        crossed[pairs[cut]] = True
    return torch.from_numpy(crossed)


def _near(corners: _Floats, faces: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Pairs of triangles whose boxes overlap and that share no vertex, in portions."""
    centers = corners.mean(1)
    radii = np.linalg.norm(corners - centers[:, None], axis=2).max(1)
    tree, found = cKDTree(centers), []
    # A few large triangles would make neighbors of all: by size, each asks for those no larger than itself.
    order = np.argsort(radii)
    for part in np.array_split(order, max(1, len(order) // 256)):
        most = radii[part].max(initial=0.0)
        lists = tree.query_ball_point(centers[part], 2 * most)
        pairs = np.stack([np.repeat(part, [len(near) for near in lists]), np.concatenate(lists).astype(np.int64)], 1)
        rank = radii[pairs]
        first = (rank[:, 1] < rank[:, 0]) | ((rank[:, 1] == rank[:, 0]) & (pairs[:, 1] < pairs[:, 0]))
        pairs = pairs[first]
        a, b = corners[pairs[:, 0]], corners[pairs[:, 1]]
        apart = (a.max(1) < b.min(1)) | (b.max(1) < a.min(1))
        shared = (faces[pairs[:, 0]][:, :, None] == faces[pairs[:, 1]][:, None, :]).any((1, 2))
        found.append(pairs[~apart.any(1) & ~shared])
    pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
    return np.array_split(pairs, max(1, -(-len(pairs) // _AT_ONCE)))


def _cross(a: _Floats, b: _Floats) -> NDArray[np.bool_]:
    """Whether a side of one triangle passes through the other, ``(P,)``; corners ``(P, 3, 3)``."""
    found = np.zeros(len(a), bool)
    for one, other in ((a, b), (b, a)):
        for start, end in _SIDES:
            found |= _pierces(one[:, start], one[:, end], other)
    return found


def _pierces(start: _Floats, end: _Floats, triangle: _Floats) -> NDArray[np.bool_]:
    a, b, c = triangle.transpose(1, 0, 2)
    across = _volume(a, b, c, start) * _volume(a, b, c, end) < 0
    around = np.stack([_volume(start, end, p, q) for p, q in ((a, b), (b, c), (c, a))])
    return np.asarray(across & ((around > 0).all(0) | (around < 0).all(0)))


def _volume(a: Any, b: Any, c: Any, d: Any) -> _Floats:
    """Six times the signed volume of tetrahedra."""
    return np.asarray(np.einsum("pc,pc->p", np.cross(b - a, c - a), d - a))
