"""Pairs of maps on which registration networks train and from which they infer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from monai.data import CacheDataset
from monai.transforms import Transform
from torch import Tensor

from monai_cortex.data import (
    CorticalHemisphere,
    read_cortical_subject,
    readable_subjects,
    registration_subjects,
    registration_target,
)
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, standardize
from monai_cortex.inferers.rigid_sphere import align_rotation
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform
from monai_cortex.transforms import LoadHemispheresd

__all__ = ["RegistrationPairs", "registration_pairs", "smooth_features"]

_SAMPLED = 6  # level of the icosphere where features are read: fine enough not to fold detail onto low degrees


def smooth_features(sphere: SphereMap, level: int = 4, degree: int = 20) -> Tensor:
    """Standardized features without harmonics above a degree, on an icosphere ``(C, V)``, float32."""
    mesh, analysis, synthesis = _transforms(level, degree)
    values = standardize(sphere.at(mesh.vertices), vertex_areas(mesh)).float()
    smooth: Tensor = synthesis.inverse(analysis(values[None]))[0]
    return smooth


class RegistrationPairs(Transform):
    """Turn a subject's hemispheres onto the fixed ones, and pair their smooth features.

    Args:
        targets: hemispheres of the fixed subject, by side.
        level: of the icosphere.
        degree: largest of the features.
    """

    def __init__(self, targets: Mapping[str, CorticalHemisphere], level: int = 4, degree: int = 20) -> None:
        self.targets = {side: SphereMap(target.sphere, target.values) for side, target in targets.items()}
        self.level, self.degree = level, degree
        self.fixed = {side: smooth_features(target, level, degree) for side, target in self.targets.items()}

    def __call__(self, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return one pair for each hemisphere: ``subject``, ``fixed`` and ``moving`` ``(C, V)``.

        Args:
            item: with ``subject`` and ``hemispheres``, as ``LoadHemispheresd`` leaves it.
        """
        pairs = []
        for side, hemisphere in item["hemispheres"].items():
            moving = SphereMap(hemisphere.sphere, hemisphere.values)
            turned = moving.rotated(align_rotation(self.targets[side], moving))
            smooth = smooth_features(turned, self.level, self.degree)
            pairs.append({"subject": item["subject"], "fixed": self.fixed[side], "moving": smooth})
        return pairs


def registration_pairs(  # noqa: PLR0913, PLR0917
    dataset_dir: str | os.PathLike[str],
    target_dir: str | os.PathLike[str],
    hemispheres: Sequence[str] = ("lh", "rh"),
    features: Sequence[str] = ("sulc",),
    level: int = 4,
    degree: int = 20,
    strict: bool | str = True,
) -> CacheDataset:
    """Pairs of all subjects of a dataset, one list of :class:`RegistrationPairs` a subject, made once.

    Args:
        dataset_dir: folder of subjects.
        target_dir: folder of the fixed subject.
        hemispheres: "lh", "rh" or both.
        features: names of the C features; all must have them.
        level: of the icosphere.
        degree: largest of the features.
        strict: False leaves out subjects that cannot be read, see :func:`monai_cortex.data.readable_subjects`.

    Raises:
        InputFileError: a folder is missing, a file of the fixed subject is missing or damaged, or subjects cannot be
            read.
        GeometryError: a surface of the fixed subject is not what it should be.
    """
    targets = registration_target(target_dir, hemispheres, features)
    subjects = readable_subjects(
        registration_subjects(dataset_dir, hemispheres, features, strict=False), _read_halves, strict
    )
    # MONAI caches what its own transforms make, and calls plain functions each time.
    return CacheDataset(subjects, [LoadHemispheresd(), RegistrationPairs(targets, level, degree)], progress=False)


def _read_halves(item: Mapping[str, Any]) -> None:
    for half in item["hemispheres"].values():
        read_cortical_subject(half)


@cache
def _transforms(level: int, degree: int) -> tuple[Any, SphericalHarmonicTransform, SphericalHarmonicTransform]:
    fine = icosphere(_SAMPLED)
    with torch.no_grad():
        return fine, SphericalHarmonicTransform(fine, degree), SphericalHarmonicTransform(icosphere(level), degree)
