"""From the files of a subject to what the networks of Cor2Vox see."""

from __future__ import annotations

from collections.abc import Sequence

from monai.transforms import Compose, Spacingd

from monai_cortex.transforms.cortex_condition import CHANNELS, CortexConditiond
from monai_cortex.transforms.cortex_fields import CortexFieldsd
from monai_cortex.transforms.crop_to_cortex import CropToCortexd
from monai_cortex.transforms.load_cortex import LoadCortexd
from monai_cortex.transforms.mesh_to_distance import MeshToDistanced
from monai_cortex.transforms.scale_to_brain import ScaleToBraind

__all__ = ["cortex_channels", "cortex_preprocessing"]

_SURFACES, _DISTANCES = ("white", "pial"), ("white_distance", "pial_distance")
_MARGIN = 8.0  # mm: beyond the band of the distances, so that images end in background


def cortex_preprocessing(
    aux: Sequence[str] = tuple(CHANNELS),
    spacing: float | None = None,
    band_mm: float = 5.0,
    edge_mode: str = "surface_crossing",
    open_surfaces: bool = False,
) -> Compose:
    """Read, choose the grid, compute all fields on it from the meshes, scale.

    Args:
        aux: channels of the condition, see :class:`~monai_cortex.transforms.CortexCondition`.
        spacing: of the grid in mm; None takes the image's own. Distances are never resampled, only the image is.
        band_mm: beyond which distances are clipped, and which becomes 1.
        edge_mode: see :class:`~monai_cortex.transforms.CortexFields`.
        open_surfaces: accept cut and patch surfaces; their holes are covered to tell inside from outside.

    Returns:
        Transform of the items of ``monai_cortex.data.synthesis_subjects``: adds ``image``, ``source`` ``(1, I, J, K)``
        and ``condition`` ``(C, I, J, K)`` in [-1, 1], the distances in mm, and what the single transforms say.
    """
    return Compose(
        [
            LoadCortexd(open_surfaces=open_surfaces),
            *([] if spacing is None else [Spacingd("image", pixdim=[spacing] * 3)]),
            CropToCortexd(margin_mm=_MARGIN),
            cortex_channels(aux, band_mm, edge_mode),
            ScaleToBraind(),
        ]
    )


def cortex_channels(
    aux: Sequence[str] = tuple(CHANNELS), band_mm: float = 5.0, edge_mode: str = "surface_crossing"
) -> Compose:
    """Compute fields and channels anew from ``white`` and ``pial`` on the grid of ``image``.

    Parameters as of :func:`cortex_preprocessing`; ``band_mm`` in mm.
    """
    return Compose(
        [
            MeshToDistanced(_SURFACES, _DISTANCES, band_mm=band_mm),
            CortexFieldsd(edge_mode=edge_mode),
            CortexConditiond(aux=aux, scale_mm=band_mm),
        ]
    )
