"""Signed distance of surfaces on the grid of an image."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import ensure_tuple_rep
from torch import Tensor

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.cortex import distance_union
from monai_cortex.geometry.grid_columns import open_sides
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance

__all__ = ["MeshToDistance", "MeshToDistanceD", "MeshToDistanceDict", "MeshToDistanced"]

_SPACE = 3


class MeshToDistance(Transform):
    """Signed distance to a surface, or to several taken together, as the hemispheres of a brain.

    A surface may reach beyond the grid, but not lie outside as a whole. One with holes is measured and warned of.

    Args:
        spatial_shape: of the grid, I, J and K; None takes the grid of an image.
        affine: voxel to RAS+ mm, ``(4, 4)``, with the shape.
        band_mm: farther from the surface only the sign is exact; None for everywhere.

    Raises:
        ConfigError: only one of shape and affine is given, or the band is not positive.
    """

    def __init__(
        self, spatial_shape: Sequence[int] | None = None, affine: Any = None, band_mm: float | None = 5.0
    ) -> None:
        if (spatial_shape is None) != (affine is None):
            raise ConfigError(
                "a grid needs a shape and an affine",
                found=f"spatial_shape {spatial_shape}, affine {affine}",
                expected="both, or neither where an image gives the grid",
            )
        if band_mm is not None and not band_mm > 0:
            raise ConfigError("the band is a distance", found=f"band_mm {band_mm}", expected="more than 0, or null")
        self.spatial_shape, self.affine, self.band_mm = spatial_shape, affine, band_mm

    def __call__(self, meshes: Mesh | Sequence[Mesh], image: Tensor | None = None) -> MetaTensor:
        """Return mm, negative inside, ``(1, I, J, K)`` float32 with the grid's affine.

        Args:
            meshes: vertices in RAS+ mm, one surface or several.
            image: whose grid is taken, ``(C, I, J, K)`` with an affine; needed where no shape was given.

        Raises:
            GeometryError: a surface lies outside the grid, is inside out, empty or not finite, or there is no grid.
        """
        shape, affine = self._grid(image)
        meshes = [meshes] if isinstance(meshes, Mesh) else list(meshes)
        if not meshes:
            raise GeometryError("there is no surface to measure from", found="none", expected="one or more")
        try:
            parts = [signed_distance(mesh, shape, affine, self.band_mm) for mesh in meshes]
        except ValueError as error:
            raise GeometryError("no signed distance to this surface", found=error) from error
        for mesh in meshes:
            _require_overlap(mesh, shape, affine)
            _warn_of_holes(mesh)
        return MetaTensor(distance_union(parts)[None].float(), affine=torch.as_tensor(affine, dtype=torch.float64))

    def _grid(self, image: Tensor | None) -> tuple[Sequence[int], Any]:
        if self.spatial_shape is not None:
            return self.spatial_shape, self.affine
        if not isinstance(image, MetaTensor) or image.ndim != _SPACE + 1:
            raise GeometryError(
                "there is no grid for the distances",
                found="no image" if image is None else f"{type(image).__name__} of shape {tuple(image.shape)}",
                expected="an image (C, I, J, K) with an affine, or spatial_shape and affine",
                remedy="load the image before, or give spatial_shape and affine",
            )
        return image.shape[1:], image.affine


class MeshToDistanced(MapTransform):
    """Dictionary version of :class:`MeshToDistance`.

    Args:
        keys: of the surfaces, each one mesh or several.
        output_keys: where the distances go; the surfaces' own keys by default.
        grid_key: of the image whose grid is taken, where no shape is given.
        spatial_shape, affine, band_mm: see :class:`MeshToDistance`.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_keys: KeysCollection | None = None,
        grid_key: Hashable = "image",
        spatial_shape: Sequence[int] | None = None,
        affine: Any = None,
        band_mm: float | None = 5.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = self.keys if output_keys is None else ensure_tuple_rep(output_keys, len(self.keys))
        self.grid_key = grid_key
        self.transform = MeshToDistance(spatial_shape, affine, band_mm)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key, output in self.key_iterator(data, self.output_keys):
            result[output] = self.transform(data[key], data.get(self.grid_key))
        return result


MeshToDistanceD = MeshToDistanceDict = MeshToDistanced


def _require_overlap(mesh: Mesh, shape: Sequence[int], affine: Any) -> None:
    """A surface all of which lies on one side of the grid belongs to another space, or the grid does."""
    matrix = np.asarray(torch.as_tensor(affine).cpu(), np.float64)
    vertices = mesh.vertices.detach().cpu().double().numpy()
    index = np.linalg.solve(matrix[:3, :3], (vertices - matrix[:3, 3]).T).T
    size = np.asarray(shape, np.float64)
    if ((index.min(0) > size - 0.5) | (index.max(0) < -0.5)).any():  # noqa: PLR2004
        away = np.linalg.norm((index - index.clip(-0.5, size - 0.5)) @ matrix[:3, :3].T, axis=1)
        middle = matrix[:3, :3] @ ((size - 1) / 2) + matrix[:3, 3]
        raise GeometryError(
            "the surface lies outside the grid",
            found=f"0 % of {len(away)} vertices inside, the nearest {away.min():.1f} mm away, their middle at "
            f"{vertices.mean(0).round(1).tolist()} mm",
            expected=f"a surface about the grid's middle at {middle.round(1).tolist()} mm",
            remedy="bring surface and image into one space: scanner coordinates in RAS+ mm (tkrRAS needs c_ras added)",
        )


def _warn_of_holes(mesh: Mesh) -> None:
    sides = len(open_sides(mesh.faces.detach().cpu().numpy(), len(mesh.vertices)))
    if sides:
        warnings.warn(
            f"the surface is not closed: {sides} sides have one triangle; its holes are covered to tell inside from "
            "outside",
            stacklevel=3,
        )
