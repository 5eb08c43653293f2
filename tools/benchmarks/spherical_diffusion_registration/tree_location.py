"""Point location by the usual means: a tree of triangle centers and ever longer lists of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["locate_by_tree"]

_INSIDE = -1e-9


def locate_by_tree(
    points: NDArray[np.float64], vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Triangles and barycentric weights of unit vectors ``(Q, 3)``: 2, 6, 18, ... nearest centers, until all are found.

    Args:
        points: ``(Q, 3)``.
        vertices: of a unit sphere ``(V, 3)``.
        faces: ``(F, 3)``.

    Returns:
        Numbers ``(Q,)`` and weights ``(Q, 3)``.
    """
    centers = vertices[faces].mean(1)
    tree = cKDTree(centers / np.linalg.norm(centers, axis=1, keepdims=True))
    face = np.full(len(points), -1)
    weights = np.zeros((len(points), 3))
    left, candidates = np.arange(len(points)), 2
    while len(left):
        near = tree.query(points[left], k=candidates)[1]
        corners = np.swapaxes(vertices[faces[near]], -1, -2)
        target = np.broadcast_to(points[left][:, None, :, None], (*near.shape, 3, 1))
        solved = np.linalg.solve(corners, target)[..., 0]
        rows, best = np.arange(len(left)), solved.min(-1).argmax(1)
        found = solved[rows, best]
        inside = found.min(-1) >= _INSIDE
        face[left[inside]] = near[rows, best][inside]
        weights[left[inside]] = found[inside] / found[inside].sum(-1, keepdims=True)
        left, candidates = left[~inside], 3 * candidates
    return face, weights
