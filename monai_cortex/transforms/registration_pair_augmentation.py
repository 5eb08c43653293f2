"""Random changes of pairs of images for the training of registration networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from monai.transforms import (
    Compose,
    MaskIntensityd,
    RandAdjustContrastd,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    ScaleIntensityRanged,
    SelectItemsd,
    Transform,
)

from monai_cortex.transforms.content_cache import ContentCache
from monai_cortex.transforms.rand_crop_heart import RandCropHeartd
from monai_cortex.transforms.rand_flip_plane import RandFlipPlaned
from monai_cortex.transforms.rand_swap_pair import RandSwapPaird

__all__ = ["cardiac_training_items", "registration_pair_augmentation"]

_IMAGES = ("fixed_image", "moving_image")
_KEPT = ("subject", "direction", *_IMAGES, "fixed_label", "moving_label", "valid")
_TRUTH = ("true_displacement", "true_inverse")
_GAMMA, _GAIN, _BIAS, _NOISE = (0.7, 1.5), 0.2, (0.0, 0.15), 0.04
_BLUR, _THROUGH_PLANE = (0.3, 0.9), (0.2, 0.3)  # voxels


def registration_pair_augmentation(
    patch: Sequence[int] | None = (96, 96), flip: float = 0.5, swap: float = 0.5, intensity: float = 0.3
) -> Compose:
    """Cut out a part with the heart, mirror and transpose slices, exchange the images, change intensities of each.

    Args:
        patch: voxels along i, j and optionally k of the part; None keeps all.
        flip: probability of mirroring along i, of mirroring along j, and of exchanging i and j.
        swap: probability of exchanging fixed and moving image.
        intensity: probability, for each image by itself, of a change of gamma, of gain, of a smooth bias, of blurring
            and of noise.

    Returns:
        Transform of items of :func:`~monai_cortex.transforms.cardiac_preprocessing`, which changes images, labels,
        ``valid``, ``true_displacement`` and ``true_inverse`` together. Images stay in [-1, 1], padding stays -1.
    """
    crops = [] if patch is None else [RandCropHeartd(patch=patch)]
    return Compose([*crops, RandFlipPlaned(prob=flip), RandSwapPaird(prob=swap), *_intensities(intensity)])


def cardiac_training_items(
    data: Sequence[Mapping[str, Any]],
    preprocessing: Transform,
    changes: Mapping[str, Any] | None = None,
    truth: bool = False,
    cache_rate: float = 1.0,
    cache_dir: str | os.PathLike[str] | None = None,
) -> ContentCache:
    """Pairs for training; what is not random is computed once and kept in memory.

    Args:
        data: items of :func:`monai_cortex.data.cardiac_subjects`.
        preprocessing: see :func:`monai_cortex.transforms.cardiac_preprocessing`.
        changes: arguments of :func:`registration_pair_augmentation`; None changes nothing, as for validation.
        truth: keep ``true_displacement`` and ``true_inverse`` of simulated pairs, half of all memory.
        cache_rate: share of the pairs that stay in memory, in [0, 1].
        cache_dir: folder that keeps what is not random for later runs, see
            :class:`~monai_cortex.transforms.ContentCache`; None keeps nothing.

    Returns:
        Items with ``fixed_image``, ``moving_image``, ``valid`` ``(1, I, J, K)`` and, where there are any, labels.
        Depths differ between subjects, so that batches of several need a depth that ``preprocessing`` fixes.
    """
    keep = SelectItemsd([*_KEPT, *(_TRUTH if truth else ())], allow_missing_keys=True)
    steps = [preprocessing, keep, *([] if changes is None else [registration_pair_augmentation(**changes)])]
    # Flat, since MONAI takes a Compose within a Compose for a random transform, which it does not cache.
    transform = Compose(steps).flatten()
    return ContentCache(list(data), transform, cache_dir, cache_rate)


def _intensities(prob: float) -> list[Transform]:
    """Changes of intensities in [0, 1], each image with draws of its own."""
    if not prob:
        return []
    changes: list[Transform] = [ScaleIntensityRanged(_IMAGES, -1.0, 1.0, 0.0, 1.0)]
    for key in _IMAGES:
        changes += [
            RandAdjustContrastd(key, prob, gamma=_GAMMA),
            RandScaleIntensityd(key, _GAIN, prob),
            RandBiasFieldd(key, degree=2, coeff_range=_BIAS, prob=prob),
            RandGaussianSmoothd(key, _BLUR, _BLUR, _THROUGH_PLANE, prob=prob),
            RandGaussianNoised(key, prob, std=_NOISE),
        ]
    # 0, which is -1 again at the end, where there is no image.
    return [
        *changes,
        MaskIntensityd(_IMAGES, mask_key="valid"),
        ScaleIntensityRanged(_IMAGES, 0.0, 1.0, -1.0, 1.0, clip=True),
    ]
