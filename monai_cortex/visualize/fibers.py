r"""Glyphs of fiber orientation distributions.

The glyph of a distribution :math:`f` is the surface :math:`\{\max(f(u), 0)\,u : u \in S^2\}`. It is star-shaped, so
the triangles that face the viewer, drawn from the farthest to the nearest, show it exactly; all glyphs of a slice
make one collection.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import ArrayLike, NDArray

from monai_cortex.geometry.harmonics import even_degree, real_harmonics
from monai_cortex.geometry.icosphere import icosphere

__all__ = ["Crop", "direction_color", "fiber_glyphs"]

_FACETS = 600_000  # of all glyphs together: about a second to draw
_AMBIENT = 0.5  # light that reaches a facet seen edge-on; the hue keeps telling the direction


class Crop(NamedTuple):
    """The part of a slice that carries glyphs.

    Attributes:
        left, bottom: first voxel along the horizontal and vertical axis.
        width, height: number of voxels.
        amplitude: value of the distribution that is drawn with a radius of half a voxel, per sr.
    """

    left: int
    bottom: int
    width: int
    height: int
    amplitude: float


def direction_color(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Red for left-right, green for anterior-posterior, blue for superior-inferior.

    Args:
        directions: RAS+ unit vectors, ``(..., 3)``; antipodes have the same color.

    Returns:
        Red, green and blue, ``(..., 3)`` in 0 to 1.

    Reference:
        Pajevic and Pierpaoli, Magn. Reson. Med. 42:526-540, 1999.
    """
    return np.abs(directions)


def fiber_glyphs(
    axes: Axes,
    coefficients: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    view: ArrayLike | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    amplitude: float | None = None,
    limit: int = 14,
) -> Crop:
    """Draw the distributions of a slice, at most ``limit`` by ``limit`` of them around the center of the mask.

    Args:
        axes: where to draw, in mm; voxel (w, h) has its center at (w, h) times the spacing.
        coefficients: even real harmonics of the slice in RAS+ axes, ``(n, W, H)``.
        mask: voxels to draw, ``(W, H)``; all by default.
        view: rows are the RAS+ unit vectors that point right, up and to the viewer, ``(3, 3)``; by default right,
            anterior and superior: an axial slice from above, left on the left.
        spacing: voxel size along the two axes of the slice, mm.
        amplitude: value to be drawn with a radius of half a voxel, per sr, above 0; by default the 85th percentile
            of the highest values of the glyphs drawn.
        limit: largest number of glyphs along each axis.

    Returns:
        The voxels drawn and the scale.

    Raises:
        ValueError: if n is not the count of even harmonics of any degree, or the mask has another shape.
    """
    field = np.nan_to_num(np.asarray(coefficients, dtype=np.float64))
    inside = np.ones(field.shape[1:], bool) if mask is None else np.asarray(mask) > 0
    if inside.shape != field.shape[1:]:
        raise ValueError(f"need a mask of shape {field.shape[1:]} like the slice, got {inside.shape}.")
    left, width = _window(inside.any(1), limit)
    bottom, height = _window(inside.any(0), limit)
    window = np.zeros_like(inside)
    window[left : left + width, bottom : bottom + height] = True
    place = np.argwhere(inside & window)
    # 4 degrees between the vertices of level 4, 8 of level 3, enough for the lobes of degree 8 where glyphs are small.
    mesh = icosphere(4 if len(place) * 20 * 4**4 <= _FACETS else 3)
    basis = real_harmonics(mesh.vertices, even_degree(len(field)), even=True).numpy()
    radius = (basis @ field[:, place[:, 0], place[:, 1]]).clip(0).T
    if amplitude is None:
        amplitude = float(np.percentile(radius.max(1)[radius.any(1)], 85)) if radius.any() else 1.0
    radius *= 0.5 * min(spacing) / amplitude
    directions, faces = mesh.vertices.numpy(), mesh.faces.numpy()
    frame = np.eye(3) if view is None else np.asarray(view, dtype=np.float64)
    points = radius[..., None] * (directions @ frame.T)
    points[..., :2] += (place * spacing)[:, None]
    middle = directions[faces].sum(1)
    color = direction_color(middle / np.linalg.norm(middle, axis=1, keepdims=True))
    axes.add_collection(_surface(points, faces, color), autolim=False)
    return Crop(left, bottom, width, height, amplitude)


def _surface(points: NDArray[np.float64], faces: NDArray[np.int64], color: NDArray[np.float64]) -> PolyCollection:
    """Facets towards the viewer, far ones first; points ``(P, V, 3)``, the third axis towards the viewer."""
    corners = points[:, faces].reshape(-1, 3, 3)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    front = np.flatnonzero(normal[:, 2] > 0)
    front = front[np.argsort(corners[front, :, 2].mean(1), kind="stable")]
    facing = normal[front, 2] / np.linalg.norm(normal[front], axis=1)
    shaded = color[front % len(faces)] * (_AMBIENT + (1 - _AMBIENT) * facing)[:, None]
    triangles: Any = corners[front, :, :2]  # an array is drawn several times faster than the list that is declared
    # Without smoothing: it would let the background shine through between neighboring facets.
    return PolyCollection(triangles, facecolors=shaded, edgecolors="none", antialiased=False, zorder=2)


def _window(occupied: ArrayLike, limit: int) -> tuple[int, int]:
    """Start and length of at most ``limit`` voxels around the middle of the occupied ones."""
    found = np.flatnonzero(occupied)
    first, last = (int(found[0]), int(found[-1]) + 1) if found.size else (0, np.size(occupied))
    length = min(limit, last - first)
    return first + (last - first - length) // 2, length
