"""Fields of the cortex from the distances to its two surfaces."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_dst_type, look_up_option
from torch import Tensor

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.cortex import cortex_fields, nesting_violations

__all__ = ["CortexFields", "CortexFieldsD", "CortexFieldsDict", "CortexFieldsd"]

_EDGE_MODES = ("surface_crossing", "per_surface")
_VIOLATIONS = 0.05  # of the ribbon: above, the surfaces are swapped or belong to two people


class CortexFields(Transform):
    """Fuse the distances to white and pial surface, see :func:`monai_cortex.geometry.cortex.cortex_fields`.

    Args:
        edge_mode: ``surface_crossing`` for one channel of edges, ``per_surface`` for those of white and pial surface.

    Raises:
        ValueError: for another mode.
    """

    def __init__(self, edge_mode: str = "surface_crossing") -> None:
        self.edge_mode = look_up_option(edge_mode, _EDGE_MODES)

    def __call__(self, white_distance: MetaTensor, pial_distance: MetaTensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return cortex in mm, ribbon and edges as -1 and 1, each ``(1, I, J, K)``; edges ``(2, I, J, K)`` if apart.

        Args:
            white_distance, pial_distance: mm, negative inside, ``(1, I, J, K)`` with an affine.

        Raises:
            GeometryError: the grids differ or have no affine, or much of the white surface lies outside the pial one.
        """
        _require_one_grid(white_distance, pial_distance)
        white, pial = (torch.as_tensor(field[0]).detach() for field in (white_distance, pial_distance))
        spacing = white_distance.affine[:3, :3].double().norm(dim=0).tolist()
        fields = cortex_fields(white, pial, spacing, per_surface=self.edge_mode == "per_surface")
        _check_nesting(nesting_violations(white, pial), int(fields.ribbon.sum()))
        edges = fields.edges if self.edge_mode == "per_surface" else fields.edges[None]
        whole = (fields.cortex[None], 2 * fields.ribbon[None] - 1, 2 * edges - 1)
        cortex, ribbon, edges = (convert_to_dst_type(field, white_distance)[0] for field in whole)
        return cortex, ribbon, edges


class CortexFieldsd(MapTransform):
    """Dictionary version of :class:`CortexFields`; adds ``cortex``, ``ribbon`` and ``edges``.

    Args:
        white_key, pial_key: of the distances.
        edge_mode: see :class:`CortexFields`.
        allow_missing_keys: leave items without both keys as they are.
    """

    def __init__(
        self,
        white_key: str = "white_distance",
        pial_key: str = "pial_distance",
        edge_mode: str = "surface_crossing",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__((white_key, pial_key), allow_missing_keys)
        self.transform = CortexFields(edge_mode)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        keys = list(self.key_iterator(data))
        if len(keys) == len(self.keys):
            fields = self.transform(data[keys[0]], data[keys[1]])
            result["cortex"], result["ribbon"], result["edges"] = fields
        return result


CortexFieldsD = CortexFieldsDict = CortexFieldsd


def _require_one_grid(white: MetaTensor, pial: MetaTensor) -> None:
    for name, field in (("white", white), ("pial", pial)):
        if not isinstance(field, MetaTensor) or field.ndim != 4 or len(field) != 1:  # noqa: PLR2004
            raise GeometryError(
                f"the distance to the {name} surface cannot be used",
                found=f"{type(field).__name__} of shape {tuple(field.shape)}",
                expected="MetaTensor (1, I, J, K) with an affine",
            )
    if white.shape != pial.shape or not torch.allclose(white.affine.double(), pial.affine.double(), atol=1e-4):
        raise GeometryError(
            "the distances lie on two grids",
            found=f"{tuple(white.shape)} and {tuple(pial.shape)}",
            expected="one shape and one affine",
            remedy="compute both with one grid_key",
        )


def _check_nesting(violations: int, ribbon: int) -> None:
    """White matter outside the pial surface would be taken for cortex."""
    share = violations / max(1, ribbon)
    if share > _VIOLATIONS:
        raise GeometryError(
            "the white surface lies outside the pial surface",
            found=f"{violations} voxels, {share:.0%} of the ribbon",
            expected=f"none, at most {_VIOLATIONS:.0%}",
            remedy="check that white and pial are not swapped and belong to one subject",
        )
    if violations:
        warnings.warn(f"{violations} voxels lie inside the white but outside the pial surface.", stacklevel=3)
