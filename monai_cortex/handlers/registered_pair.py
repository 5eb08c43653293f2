"""A pair of images that a displacement field has brought together: on the subject's own grid, and how well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.geometry.displacement import jacobian_determinant, warp
from monai_cortex.geometry.displacement_space import resample_displacement, to_world
from monai_cortex.metrics import (
    STRUCTURES,
    cardiac_function,
    end_point_error,
    folding_by_region,
    heart_mask,
    label_overlap,
    myocardial_jacobian,
    structure_overlap,
)

__all__ = ["RegisteredPair", "correlation", "own_affine", "plain"]

_REGIONS = {"grid": "", "valid": "_valid", "heart": "_heart"}


class RegisteredPair:
    """One item and one field of it.

    Overlap and volumes are measured on the subject's own grid, where labels were drawn; what the field does to space,
    its error and the likeness of the images on the registration grid, where the field was found.

    Args:
        item: of :func:`monai_cortex.transforms.cardiac_preprocessing`.
        ddf: on the registration grid, voxels, pull-back, ``(3, I, J, K)``.
        heart: whether labels are 1 right cavity, 2 myocardium, 3 left cavity; False for other anatomy.
    """

    def __init__(self, item: Mapping[str, Any], ddf: Tensor, heart: bool = True) -> None:
        self.item, self.ddf, self.heart = item, ddf.detach().cpu().float(), heart
        self.affine, self.grid_affine = own_affine(item), np.asarray(item["fixed_image"].affine, np.float64)

    @cached_property
    def own_ddf(self) -> Tensor:
        """The field on the subject's own grid, voxels of it, ``(3, I, J, K)``."""
        return self.on_own_grid(self.ddf)

    @cached_property
    def warped(self) -> Tensor:
        """The moving image on the fixed one, linear, units of its file, ``(I, J, K)``."""
        return warp(plain(self.item["moving_full"]).float()[None], self.own_ddf[None])[0, 0]

    @cached_property
    def warped_label(self) -> Tensor | None:
        """The labels of the moving image on the fixed one, by nearest voxel, ``(I, J, K)``; None without labels."""
        if "moving_full_label" not in self.item:
            return None
        return warp(plain(self.item["moving_full_label"]).float()[None], self.own_ddf[None], "nearest")[0, 0]

    @cached_property
    def jacobian(self) -> Tensor:
        """Local volume change of the field on the subject's own grid, ``(I, J, K)``."""
        return jacobian_determinant(self.own_ddf[None])[0, 0]

    def on_own_grid(self, ddf: Tensor) -> Tensor:
        """A field of the registration grid on the subject's own one, voxels of it."""
        return resample_displacement(ddf, self.grid_affine, self.item["fixed_full"].shape[1:], self.affine)

    def before(self) -> dict[str, float]:
        """Measures of the images and labels as they were, named ``initial_``, and what the labels say of the heart."""
        numbers = {"ncc": self._likeness(torch.zeros_like(self.ddf)), **self._error(torch.zeros_like(self.ddf))}
        fixed, moving = (self._label(name) for name in ("fixed_full_label", "moving_full_label"))
        if fixed is None or moving is None:
            return _finite({f"initial_{name}": value for name, value in numbers.items()})
        numbers |= self._overlap(moving, fixed)
        function = self._function(fixed, moving) if self.heart else {}
        return _finite({f"initial_{name}": value for name, value in numbers.items()} | function)

    def after(self) -> dict[str, float]:
        """Measures of the field, of the warped image and of the warped labels."""
        labels = plain(self.item["fixed_label"]) if self.heart and "fixed_label" in self.item else None
        numbers = {"ncc": self._likeness(self.ddf), **self._error(self.ddf)}
        valid = plain(self.item["valid"])
        for region, measured in folding_by_region(self.ddf, valid, labels).items():
            suffix = _REGIONS[region]
            numbers[f"folding{suffix}_percent"] = float(measured.percent)
            numbers[f"jacobian_sd{suffix}"] = float(measured.deviation)
            numbers[f"log_jacobian_sd{suffix}"] = float(measured.log_deviation)
        lengths = to_world(self.ddf, self.grid_affine).norm(dim=-1)
        numbers["largest_displacement_mm"] = float((lengths * valid[0]).max())
        if labels is not None:
            numbers["jacobian_median_myo"] = myocardial_jacobian(self.ddf, labels)
        fixed, moving = (self._label(name) for name in ("fixed_full_label", "moving_full_label"))
        if self.warped_label is None or fixed is None or moving is None:
            return _finite(numbers)
        numbers |= self._overlap(self.warped_label, fixed)
        if self.heart:
            names = ("lv_ef_percent", "rv_ef_percent", "myo_change_percent")
            carried = self._function(self.warped_label, moving, fixed)
            numbers |= {f"warped_{name}": carried[name] for name in names}
        return _finite(numbers)

    def _label(self, name: str) -> Tensor | None:
        return plain(self.item[name])[0] if name in self.item else None

    def _likeness(self, ddf: Tensor) -> float:
        fixed, moving, valid = (plain(self.item[name]) for name in ("fixed_image", "moving_image", "valid"))
        inside = valid > 0
        return correlation(fixed[inside], warp(moving[None].float(), ddf[None])[0][inside])

    def _error(self, ddf: Tensor) -> dict[str, float]:
        """Distance from the true field, where it is known: in the heart if that is labeled, else where valid."""
        if "true_displacement" not in self.item:
            return {}
        mask, name = plain(self.item["valid"]) > 0, "valid"
        if self.heart and "fixed_label" in self.item:
            mask, name = mask & heart_mask(plain(self.item["fixed_label"])), "heart"
        found = end_point_error(ddf, plain(self.item["true_displacement"]), self.grid_affine, mask)
        return {f"epe_{name}_mean_mm": found.mean, f"epe_{name}_p95_mm": found.percentile95}

    def _overlap(self, labels: Tensor, truth: Tensor) -> dict[str, float]:
        if not self.heart:
            dice = _dice_of_all(labels, truth)
            return {"dice_mean": float(dice.nanmean()), "dice_lowest": float(dice.nan_to_num(torch.inf).min())}
        found = structure_overlap(labels, truth, self.affine)
        numbers = {f"dice_{name}": float(value) for name, value in zip(STRUCTURES, found.dice, strict=True)}
        numbers |= {"dice_mean5": float(found.mean5), "dice_mean3": float(found.mean3)}
        return numbers | {f"hd95_{name}_mm": float(value) for name, value in zip(STRUCTURES, found.hd95, strict=True)}

    def _function(self, fixed: Tensor, moving: Tensor, judge: Tensor | None = None) -> dict[str, float]:
        """Volumes and fractions; without a direction, diastole is where the left cavity is larger in ``judge``."""
        left = int(((fixed if judge is None else judge) == STRUCTURES["lv"][0]).sum())
        larger = left <= int((moving == STRUCTURES["lv"][0]).sum())
        moving_first = {"ed2es": True, "es2ed": False}.get(str(self.item.get("direction")), larger)
        found = cardiac_function(*((moving, fixed) if moving_first else (fixed, moving)), self.affine)
        return {
            "lv_edv_ml": found.lv_diastole,
            "lv_esv_ml": found.lv_systole,
            "rv_edv_ml": found.rv_diastole,
            "rv_esv_ml": found.rv_systole,
            "lv_ef_percent": found.lv_ejection,
            "rv_ef_percent": found.rv_ejection,
            "myo_change_percent": found.wall_change,
        }


def plain(values: Any) -> Tensor:
    """A tensor on the CPU without its metadata."""
    return torch.as_tensor(values).detach().as_subclass(Tensor).cpu()


def own_affine(item: Mapping[str, Any]) -> NDArray[np.float64]:
    """Affine of the subject's own grid, voxel indices to RAS+ mm, ``(4, 4)``."""
    return np.asarray(item["fixed_full"].affine, np.float64)


def correlation(first: Tensor, second: Tensor) -> float:
    """Correlation coefficient of two lists of numbers, NaN where one of them does not vary."""
    one, two = (values.double() - values.double().mean() for values in (first, second))
    product = float(one.norm() * two.norm())
    return float((one * two).sum()) / product if product else math.nan


def _dice_of_all(labels: Tensor, truth: Tensor) -> Tensor:
    """Dice's coefficient of each number above 0, whatever it stands for."""
    numbers = torch.cat([labels.flatten(), truth.flatten()]).unique()
    first, second = (torch.searchsorted(numbers, part.flatten().contiguous()) for part in (labels, truth))
    first[labels.flatten() == 0], second[truth.flatten() == 0] = -1, -1
    return label_overlap(first, second, [f"{number:g}" for number in numbers.tolist()]).dice


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Without structures that neither heart has: means over subjects leave them out."""
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
