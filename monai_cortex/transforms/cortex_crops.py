"""Crops of subjects, for training at random and for validation always the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from monai.data import Dataset
from monai.transforms import (
    Compose,
    FgBgToIndicesd,
    RandCropByPosNegLabeld,
    RandFlipd,
    SelectItemsd,
    ShiftIntensityd,
    SpatialPadd,
    Transform,
)

from monai_cortex.transforms.content_cache import ContentCache

__all__ = ["training_crops", "validation_crops"]

_CHANNELS = ("image", "source", "condition")
_NUMBER = 8
_SEED = 0


def training_crops(
    data: Sequence[Mapping[str, Any]],
    preprocessing: Transform,
    patch: int = 32,
    number: int = 1,
    cache_rate: float = 1.0,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Random crops, three of four centered in the cortical ribbon, flipped at random along each axis.

    Args:
        data: items of :func:`monai_cortex.data.synthesis_subjects`.
        preprocessing: see :func:`monai_cortex.transforms.cortex_preprocessing`.
        patch: voxels along the edges of a crop.
        number: crops of each subject.
        cache_rate: share of the subjects that stay in memory, in [0, 1].
        cache_dir: folder that keeps what is not random for later runs, see
            :class:`~monai_cortex.transforms.ContentCache`; None keeps nothing.

    Returns:
        Lists of ``number`` crops with ``image``, ``source`` ``(1, P, P, P)`` and ``condition`` ``(C, P, P, P)``.
    """
    flips = [RandFlipd(_CHANNELS, 0.5, axis, allow_missing_keys=True) for axis in range(3)]
    # Flat, since MONAI takes a Compose within a Compose for a random transform, which it does not cache.
    transform = Compose([preprocessing, *_crops(patch, number), *flips, _only_channels()]).flatten()
    return ContentCache(list(data), transform, cache_dir, cache_rate)


def validation_crops(
    data: Sequence[Mapping[str, Any]], preprocessing: Transform, patch: int = 32, number: int = _NUMBER
) -> Dataset:
    """Crops as in training, neither flipped nor ever drawn again; parameters as of :func:`training_crops`.

    Returns:
        Single crops, ``number`` of each subject, all in memory.
    """
    transform = Compose([preprocessing, *_crops(patch, number), _only_channels()]).set_random_state(_SEED)
    return Dataset([crop for item in data for crop in transform(dict(item))])


def _crops(patch: int, number: int) -> list[Transform]:
    fields = [*_CHANNELS, "ribbon"]
    return [
        SelectItemsd(fields, allow_missing_keys=True),
        # A brain smaller than the crop gets what lies at the border, which is outside: 0 would be cortex.
        SpatialPadd(fields, [patch] * 3, mode="edge", allow_missing_keys=True),
        # The ribbon is 1 inside and -1 outside; what is not 0 counts as inside here.
        ShiftIntensityd("ribbon", offset=1.0),
        FgBgToIndicesd("ribbon"),
        RandCropByPosNegLabeld(
            _CHANNELS,
            label_key="ribbon",
            spatial_size=[patch] * 3,
            pos=3,
            neg=1,
            num_samples=number,
            fg_indices_key="ribbon_fg_indices",
            bg_indices_key="ribbon_bg_indices",
            allow_missing_keys=True,
        ),
    ]


def _only_channels() -> SelectItemsd:
    return SelectItemsd(_CHANNELS, allow_missing_keys=True)
