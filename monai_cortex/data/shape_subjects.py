"""Surfaces of a shape model as subject folders, which are read like people's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from monai_cortex.geometry.cortex_features import CortexMeshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.pial_checks import nesting_voxels, turned_triangles, unfolded_pial

from .atomic import atomic_folder, write_json
from .cortex_shapes import CortexShapes
from .freesurfer import write_surface_geometry
from .volume_geometry import centered_volume

__all__ = ["write_shape_subject"]


def write_shape_subject(
    folder: str | os.PathLike[str],
    shapes: CortexShapes,
    code: Tensor,
    record: Mapping[str, Any] | None = None,
    *,
    mend: bool = True,
) -> dict[str, Any]:
    """Write the surfaces of a code as ``surf/{lh,rh}.{white,pial}`` with ``SHAPE.json``; the folder appears whole.

    Args:
        folder: of the subject; replaced if it exists.
        shapes: the model.
        code: ``(K,)``, dimensionless.
        record: what SHAPE.json says besides.
        mend: move pial vertices towards their white partners where triangles are turned over.

    Returns:
        The content of SHAPE.json: ``code_norm``, the Mahalanobis distance from the mean shape; and, by side,
        triangles of the pial surface turned over ``turned_triangles``, before mending ``turned_before``, vertices moved
        ``mended_vertices``, by at most ``mended_mm``, and ``white_outside_pial_voxels`` of 1 mm.
    """
    cortex = shapes.decode(code)
    sides: dict[str, dict[str, float]] = {}
    with atomic_folder(Path(folder)) as staging:
        for number, side in enumerate(shapes.correspondence.sides):
            white, pial, sides[side] = _checked(cortex, number, mend)
            for kind, mesh in (("white", white), ("pial", pial)):
                path = staging / "surf" / f"{side}.{kind}"
                write_surface_geometry(path, mesh.vertices.numpy(), mesh.faces.numpy(), centered_volume())
        found = {
            "synthetic": True,
            "code_norm": float(code.norm()),
            "components": len(code),
            "typical_norm": len(code) ** 0.5,
            "people": shapes.people,
            "features": shapes.model.features,
            "alignment": shapes.alignment,
            "mended": mend,
            "hemispheres": sides,
            **(record or {}),
        }
        write_json(staging / "SHAPE.json", found)
    return found


def _checked(cortex: CortexMeshes, number: int, mend: bool) -> tuple[Mesh, Mesh, dict[str, float]]:
    """White and pial surface of one side as they are written, and what is to be said of them."""
    white, decoded = cortex.white[number], cortex.pial[number]
    before = int(turned_triangles(white, decoded).sum())
    pial = unfolded_pial(white, decoded.vertices - white.vertices) if mend and before else decoded
    moved = (pial.vertices - decoded.vertices).norm(dim=1)
    moved = moved.where(moved > 1e-9, moved.new_zeros(()))  # noqa: PLR2004
    return (
        white,
        pial,
        {
            "turned_before": before,
            "turned_triangles": int(turned_triangles(white, pial).sum()),
            "mended_vertices": int((moved > 0).sum()),
            "mended_mm": float(moved.max()),
            "white_outside_pial_voxels": nesting_voxels(white, pial),
        },
    )
