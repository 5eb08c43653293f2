"""Pairs of heart images for comparisons, registered by any method and all measured by one function."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from monai_cortex.data import cardiac_subjects
from monai_cortex.geometry.displacement import invert, warp
from monai_cortex.metrics import (
    STRUCTURES,
    cardiac_function,
    end_point_error,
    folding_by_region,
    inverse_consistency_error,
    myocardial_jacobian,
    structure_overlap,
)
from monai_cortex.simulate.synthetic_heart import write_synthetic_heart
from monai_cortex.transforms import cardiac_preprocessing

__all__ = ["HELD_OUT", "PHASES", "loaded", "plain", "real_pair", "scores", "simulated_pairs"]

HELD_OUT = 5000  # first seed; those of training are 1000 to 1127
PHASES = {"ed2es": ("ed", "es"), "es2ed": ("es", "ed")}  # moving, fixed


def simulated_pairs(folder: Path, seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Folders of simulated hearts, made where they are not there, as subjects of ``cardiac_preprocessing``."""
    wanted = [folder / f"heart-{seed:04d}" for seed in seeds]
    for place in tqdm([place for place in wanted if not place.is_dir()], desc="simulating", disable=None):
        write_synthetic_heart(place, int(place.name.removeprefix("heart-")))
    return [cardiac_subjects(place)[0] for place in wanted]


def real_pair(folder: Path, direction: str) -> dict[str, Any] | None:
    """The development data's pair of ACDC as a subject, by links in a folder; None where there are no such data."""
    if "MONAI_CORTEX_DEV_DATA" not in os.environ:
        return None
    source = Path(os.environ["MONAI_CORTEX_DEV_DATA"]) / "acdc_pair1"
    place = folder / f"acdc_pair1-{direction}"
    place.mkdir(parents=True, exist_ok=True)
    for name, phase in zip(("moving", "fixed"), PHASES[direction], strict=True):
        for end in (".nii.gz", "_seg.nii.gz"):
            link = place / f"{name}{end}"
            link.unlink(missing_ok=True)
            link.symlink_to((source / f"{phase}{end}").resolve())
    return {**cardiac_subjects(place)[0], "direction": direction}


def loaded(subject: Mapping[str, Any]) -> dict[str, Any]:
    """Item of a subject on the registration grid; simulated hearts move from diastole to systole."""
    item: Any = cardiac_preprocessing()(dict(subject))
    return {**item, "direction": subject["direction"] if subject["direction"] in PHASES else "ed2es"}


def plain(item: Mapping[str, Any], key: str) -> Tensor:
    """A tensor of an item without its affine."""
    return torch.as_tensor(item[key]).as_subclass(Tensor)


def scores(item: Mapping[str, Any], ddf: Tensor, inverse: Tensor | None = None) -> dict[str, float]:
    """Everything that is measured of a displacement field, on the registration grid.

    Args:
        item: of :func:`loaded`, with labels.
        ddf: voxels, ``(3, I, J, K)``.
        inverse: voxels, ``(3, I, J, K)``; None inverts the field.

    Returns:
        Dice by structure, ``mean5`` and ``mean3``, in [0, 1]; ``hd95_mm``, the mean of cavities and myocardium; errors
        of ejection fractions, percentage points; percent of voxels that fold and deviations of J, by region;
        ``inverse_voxels``, mean and highest over the moving image's labels; where the motion is known
        ``epe_mm``, and in the slices' plane alone ``epe_in_plane_mm``, means over the fixed image's labels.
    """
    fixed, moving, valid = (plain(item, key) for key in ("fixed_label", "moving_label", "valid"))
    affine = torch.as_tensor(item["fixed_image"].affine).as_subclass(Tensor).double()
    warped = warp(moving[None], ddf[None], "nearest")[0]
    overlap = structure_overlap(warped, fixed, affine)
    found = {f"dice_{name}": float(value) for name, value in zip(STRUCTURES, overlap.dice, strict=True)}
    found |= {"mean5": float(overlap.mean5), "mean3": float(overlap.mean3)}
    found["hd95_mm"] = float(overlap.hd95[[0, 1, 3]].nanmean())
    found |= _ejection_errors(item["direction"], fixed, moving, warped, affine)
    for region, values in folding_by_region(ddf, valid, fixed).items():
        found |= {f"{region}_{name}": float(value) for name, value in values._asdict().items()}
    found["wall_jacobian"] = myocardial_jacobian(ddf, fixed)
    back = invert(ddf[None])[0] if inverse is None else inverse
    consistency = inverse_consistency_error(ddf, back, moving > 0)
    found |= {"inverse_voxels": consistency.mean, "inverse_highest_voxels": consistency.highest}
    if "true_displacement" in item:
        truth, heart = plain(item, "true_displacement").to(ddf), (fixed > 0) & (valid > 0)
        level = ddf.clone()
        level[2] = truth[2]  # the images' third axis is that of the slices
        found["epe_mm"] = end_point_error(ddf, truth, affine, heart).mean
        found["epe_in_plane_mm"] = end_point_error(level, truth, affine, heart).mean
    return found


def _ejection_errors(direction: str, fixed: Tensor, moving: Tensor, warped: Tensor, affine: Tensor) -> dict[str, float]:
    """Distance of ejection fractions with warped labels in the place of the fixed ones."""
    pairs = ((moving, warped), (moving, fixed)) if direction == "ed2es" else ((warped, moving), (fixed, moving))
    ours, truth = (cardiac_function(*pair, affine) for pair in pairs)
    return {
        "lv_ejection_error": abs(ours.lv_ejection - truth.lv_ejection),
        "rv_ejection_error": abs(ours.rv_ejection - truth.rv_ejection),
    }
