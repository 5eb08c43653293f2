"""The surfaces of a cortex as features at vertices, in the form that a shape model is fitted to, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.vertex_normals import vertex_normals

__all__ = ["CORTEX_FEATURES", "CortexMeshes", "split_cortex", "stack_cortex"]

CORTEX_FEATURES = ("white_pial", "mid_thickness")
"""``white_pial``: coordinates of all white vertices, then of all pial ones. ``mid_thickness``: of the middle between
partners, and their distance."""


class CortexMeshes(NamedTuple):
    """Surfaces of one hemisphere or more, in one order.

    Attributes:
        white: vertices ``(V, 3)`` in mm.
        pial: likewise, with the same faces.
    """

    white: list[Mesh]
    pial: list[Mesh]


def stack_cortex(white: Sequence[Mesh], pial: Sequence[Mesh], features: str = "white_pial") -> Tensor:
    """Features of one person; several hemispheres make one joint shape.

    Args:
        white, pial: of each hemisphere, in vertex correspondence, in mm.
        features: one of :data:`CORTEX_FEATURES`.

    Returns:
        ``(2 V, 3)`` for white_pial, ``(V, 4)`` for mid_thickness, V the vertices of all hemispheres, in mm.

    Raises:
        ValueError: for other features, or where white and pial do not correspond.
    """
    _require_known(features)
    if [len(mesh.vertices) for mesh in white] != [len(mesh.vertices) for mesh in pial] or not white:
        raise ValueError("each white surface needs a pial one with as many vertices.")
    inner, outer = (torch.cat([mesh.vertices for mesh in meshes]) for meshes in (white, pial))
    if features == "white_pial":
        return torch.cat([inner, outer])
    return torch.cat([(inner + outer) / 2, (outer - inner).norm(dim=1, keepdim=True)], 1)


def split_cortex(shape: Tensor, faces: Sequence[Tensor], features: str = "white_pial") -> CortexMeshes:
    """Surfaces of features.

    Those of mid_thickness lie half of the thickness inside and outside of the middle, along its normals: not exactly
    where :func:`stack_cortex` found them, since partners need not lie on a normal.

    Args:
        shape: as :func:`stack_cortex` gives it, in mm.
        faces: of each hemisphere, ``(F, 3)``, in the same order.
        features: one of :data:`CORTEX_FEATURES`.

    Raises:
        ValueError: for other features, or if the shape has not the vertices that the faces name.
    """
    _require_known(features)
    counts = [int(corners.max()) + 1 for corners in faces]
    expected = (2 * sum(counts), 3) if features == "white_pial" else (sum(counts), 4)
    if tuple(shape.shape) != expected:
        raise ValueError(f"{features} of these faces have shape {expected}, got {tuple(shape.shape)}.")
    if features == "white_pial":
        pieces = shape.split_with_sizes(counts * 2)
        meshes = [Mesh(points, corners) for points, corners in zip(pieces, [*faces, *faces], strict=True)]
        return CortexMeshes(meshes[: len(faces)], meshes[len(faces) :])
    middles = [Mesh(part, corners) for part, corners in zip(shape[:, :3].split_with_sizes(counts), faces, strict=True)]
    half = torch.cat([vertex_normals(mesh) for mesh in middles]) * shape[:, 3:] / 2
    shifts = list(zip(middles, half.split_with_sizes(counts), strict=True))
    return CortexMeshes(*([Mesh(m.vertices + sign * shift, m.faces) for m, shift in shifts] for sign in (-1, 1)))


def _require_known(features: str) -> None:
    if features not in CORTEX_FEATURES:
        raise ValueError(f"features are one of {', '.join(CORTEX_FEATURES)}, got {features!r}.")
