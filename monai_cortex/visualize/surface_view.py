"""Shaded pictures of cortical surfaces, from the side and from the middle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from numpy.typing import ArrayLike, NDArray

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.visible_surface import VisibleSurface, visible_surface

__all__ = ["VIEWS", "SurfaceView", "surface_view"]

VIEWS = ("lateral", "medial")
_FINER = 3  # pixels are drawn this many times finer and averaged
_MARGIN = 2  # pixels
_LIGHT = np.array([0.25, -0.45, 1.0]) / np.linalg.norm([0.25, -0.45, 1.0])  # from above, a little from the right
_SHADOW = 0.62  # of the light, on what faces away from it: colors must stay readable
_MISSING = (0.8, 0.8, 0.8, 1.0)


class SurfaceView(NamedTuple):
    """A surface as it is seen from one side, ready to be painted.

    Attributes:
        visible: triangle at each pixel, on a finer grid than the picture's.
        light: brightness at each pixel of it, in [0, 1], ``(H, W)``.
    """

    visible: VisibleSurface
    light: NDArray[np.float64]

    def paint(self, values: ArrayLike, cmap: Colormap, limits: tuple[float, float]) -> NDArray[np.float64]:
        """Picture of a map on the surface.

        Args:
            values: at the vertices, ``(V,)``; what is not finite is gray.
            cmap: color map.
            limits: values of its first and of its last color.

        Returns:
            Red, green, blue and opacity in [0, 1], ``(H, W, 4)``, top row first; transparent beside the surface.
        """
        pixels = self.visible.at(np.asarray(values, np.float64))
        low, high = limits
        colors = np.asarray(cmap(np.clip((pixels - low) / (high - low), 0, 1)))
        colors[~np.isfinite(pixels)] = _MISSING
        colors[..., :3] *= self.light[..., None]
        colors[self.visible.face < 0] = 0
        height, width = (length // _FINER for length in pixels.shape)
        # Sums of colors times opacity, so that the background does not bleed into the outline.
        mean = colors.reshape(height, _FINER, width, _FINER, 4).mean((1, 3))
        mean[..., :3] /= np.maximum(mean[..., 3:], 1e-6)
        return np.asarray(mean.clip(0, 1))


def surface_view(mesh: Mesh, hemisphere: str, view: str, width: int = 320) -> SurfaceView:
    """Look at a hemisphere from one side, superior being up.

    Args:
        mesh: surface in RAS+ axes of any unit, ``(V, 3)`` and ``(F, 3)``; spheres are shown as well.
        hemisphere: "lh", whose lateral side is seen from the left, or "rh".
        view: "lateral" or "medial".
        width: of the picture in pixels, whose height follows from the surface.

    Raises:
        ValueError: for another hemisphere or view.
    """
    if hemisphere not in ("lh", "rh") or view not in VIEWS:
        raise ValueError(f"need lh or rh and one of {VIEWS}, got {hemisphere!r} and {view!r}.")
    from_left = (hemisphere == "lh") == (view == "lateral")
    sign = -1.0 if from_left else 1.0
    vertices, faces = (part.detach().cpu().numpy() for part in mesh)
    right, anterior, superior = vertices.astype(np.float64).T
    # To the right, down, towards the viewer.
    points = np.stack([sign * anterior, -superior, sign * right], 1)
    low, high = points.min(0), points.max(0)
    scale = _FINER * (width - 2 * _MARGIN) / max(high[0] - low[0], np.finfo(np.float64).tiny)
    height = int(np.ceil(scale * (high[1] - low[1]) / _FINER)) + 2 * _MARGIN
    points = scale * (points - low) + _FINER * _MARGIN
    visible = visible_surface(points, faces, (_FINER * height, _FINER * width))
    return SurfaceView(visible, _brightness(visible, points, faces))


def _brightness(visible: VisibleSurface, points: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Light that is reflected at each pixel, from normals that turn smoothly from vertex to vertex."""
    a, b, c = points[faces].transpose(1, 0, 2)
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    pixels = visible.at(normals)
    pixels *= np.where(pixels[..., 2:] < 0, -1, 1)  # what is seen faces the viewer, however the triangles are turned
    length = np.linalg.norm(pixels, axis=-1, keepdims=True)
    cosine = np.divide(pixels, length, out=np.zeros_like(pixels), where=length > 0) @ _LIGHT
    return np.asarray(_SHADOW + (1 - _SHADOW) * np.nan_to_num(cosine).clip(0, 1))
