"""Files, metrics and picture of a registered pair of images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from monai_cortex import __version__
from monai_cortex.data import CARDIAC_LABELS, on_grid, write_displacement, write_transform, write_volume
from monai_cortex.handlers.registered_pair import RegisteredPair, correlation, plain
from monai_cortex.handlers.subject_writer import SubjectWriter
from monai_cortex.inferers import ImageRegistration
from monai_cortex.metrics import STRUCTURES, inverse_consistency_error
from monai_cortex.visualize import ImageRegistrationPicture, image_registration_figure, png

__all__ = ["ImageRegistrationWriter"]

_NAMES = {
    "lv": "LV cavity",
    "myo": "myocardium",
    "epi": "epicardium",
    "rv": "RV cavity",
    "all": "all",
    "mean5": "mean of the 5",
    "mean": "mean of labels",
}
_ARROW, _AT_MOST = "\N{RIGHTWARDS ARROW}", "\N{LESS-THAN OR EQUAL TO}"


class ImageRegistrationWriter(SubjectWriter):
    """Write the warped image and labels, the field, its inverse, Jacobian, score, metrics and picture of each subject.

    All files are on the grid of the subject's fixed image. Items are those of
    :func:`monai_cortex.transforms.cardiac_preprocessing` with ``registration``, an
    :class:`monai_cortex.inferers.ImageRegistration`. Measures of a network's field before its refinement are named
    ``network_``, those without a registration ``initial_``.

    Args:
        output_dir: folder of the run.
        labels: numbers of "rv", "myo" and "lv" as they were given to the reader; None for other anatomy, where only
            the mean overlap of all labels is measured.
    """

    columns: ClassVar[Mapping[str, str]] = {"before": "initial_", "network alone": "network_", "after": ""}

    def __init__(self, output_dir: str, labels: Mapping[str, int] | None = CARDIAC_LABELS) -> None:
        super().__init__(output_dir)
        self.heart = labels is not None

    def write(self, item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write the volumes, the fields, ``transform.h5`` and ``qc.png``."""
        found: ImageRegistration = item["registration"]
        pair = RegisteredPair(item, found.ddf, self.heart)
        score = _score(item, found, pair)
        self._write_fields(item, pair, folder)
        _write_volumes(item, pair, score, folder)
        metrics = self._measure(item, pair)
        picture = _picture(item, pair, score, metrics)
        (folder / "qc.png").write_bytes(png(image_registration_figure(picture)))
        return metrics

    def _write_fields(self, item: Mapping[str, Any], pair: RegisteredPair, folder: Path) -> None:
        record = _shared(item)
        inverse = record | {"inverse_of": "warp.nii.gz"}
        write_displacement(folder / "warp.nii.gz", pair.own_ddf, pair.affine, record)
        write_displacement(
            folder / "inverse_warp.nii.gz", pair.on_own_grid(item["registration"].inverse), pair.affine, inverse
        )
        write_transform(folder / "transform.h5", pair.own_ddf, pair.affine, record)

    def _measure(self, item: Mapping[str, Any], pair: RegisteredPair) -> dict[str, Any]:
        found: ImageRegistration = item["registration"]
        inverse = inverse_consistency_error(found.ddf, found.inverse, plain(item["valid"]))
        metrics: dict[str, Any] = {
            "direction": str(item.get("direction", "")),
            "spacing_mm": [round(float(edge), 4) for edge in np.linalg.norm(pair.grid_affine[:3, :3], axis=0)],
            **pair.before(),
            **pair.after(),
            "inverse_consistency_mean_voxels": inverse.mean,
            "inverse_consistency_p95_voxels": inverse.percentile95,
            "network_s": float(found.network_s),
            "refine_s": float(found.refine_s),
        }
        if found.network_ddf is not None:
            alone = RegisteredPair(item, found.network_ddf, self.heart).after()
            metrics |= {f"network_{name}": value for name, value in alone.items()}
        if found.score is not None:
            fixed, moving, valid = (plain(item[name]) for name in ("fixed_image", "moving_image", "valid"))
            inside, size = valid > 0, plain(found.score).abs()
            likeness = correlation(size[inside], (fixed - moving).abs()[inside])
            metrics |= {"score_difference_correlation": likeness} if math.isfinite(likeness) else {}
        return metrics


def _score(item: Mapping[str, Any], found: ImageRegistration, pair: RegisteredPair) -> np.ndarray | None:
    if found.score is None:
        return None
    return on_grid(plain(found.score)[0], pair.grid_affine, item["fixed_full"].shape[1:], pair.affine)


def _write_volumes(item: Mapping[str, Any], pair: RegisteredPair, score: np.ndarray | None, folder: Path) -> None:
    notes: dict[str, tuple[Tensor | np.ndarray | None, type, dict[str, str]]] = {
        "warped": (
            pair.warped,
            np.float32,
            {"units": "those of the moving image", "convention": "moving image at x + u(x), linear"},
        ),
        "warped_seg": (
            pair.warped_label,
            np.int16,
            {"units": "labels", "convention": "moving labels at x + u(x), nearest voxel"},
        ),
        "jacobian": (
            pair.jacobian,
            np.float32,
            {"units": "1", "convention": "det(I + du/dx) of warp.nii.gz, central differences; 0 or less is folded"},
        ),
        "score": (
            score,
            np.float32,
            {"units": "standard deviations of the noise", "convention": "predicted noise of the fixed image"},
        ),
    }
    for name, (values, dtype, note) in notes.items():
        if values is not None:
            write_volume(folder / f"{name}.nii.gz", values, pair.affine, _shared(item) | note, dtype=dtype)


def _shared(item: Mapping[str, Any]) -> dict[str, Any]:
    """What every sidecar says."""
    found: ImageRegistration = item["registration"]
    used = [name for name, seconds in (("network", found.network_s), ("refinement", found.refine_s)) if seconds]
    return {
        "sources": list(item["sources"]),
        "direction": str(item.get("direction", "")),
        "registered_by": used,
        "spatial_reference": "grid and RAS+ affine of the subject's fixed image",
        "software": f"monai_cortex {__version__}",
    }


def _picture(
    item: Mapping[str, Any], pair: RegisteredPair, score: np.ndarray | None, metrics: Mapping[str, Any]
) -> ImageRegistrationPicture:
    labels: dict[str, Any] = {
        name: plain(item[f"{name}_full_label"])[0] for name in ("fixed", "moving") if f"{name}_full_label" in item
    }
    if pair.warped_label is not None:
        labels["warped"] = pair.warped_label
    names = [
        name for name in (*STRUCTURES, "mean5", "mean") if {f"dice_{name}", f"initial_dice_{name}"} <= metrics.keys()
    ]
    return ImageRegistrationPicture(
        subject=str(item["subject"]),
        fixed=plain(item["fixed_full"])[0],
        moving=plain(item["moving_full"])[0],
        warped=pair.warped,
        displacement=pair.own_ddf,
        jacobian=pair.jacobian,
        affine=pair.affine,
        direction=str(item.get("direction", "")),
        labels=labels,
        heart=pair.heart,
        score=score,
        overlap={
            _NAMES[name]: [metrics.get(f"{kind}dice_{name}", math.nan) for kind in ("initial_", "", "network_")]
            for name in names
        },
        caption=_caption(metrics),
    )


def _caption(metrics: Mapping[str, Any]) -> str:
    region = next(name for name in ("_heart", "_valid", "") if f"folding{name}_percent" in metrics)
    where = {"_heart": "the heart", "_valid": "the valid voxels", "": "the grid"}[region]
    parts = [
        f"NCC {metrics.get('initial_ncc', math.nan):.3f} {_ARROW} {metrics.get('ncc', math.nan):.3f}",
        f"largest displacement {metrics['largest_displacement_mm']:.1f} mm",
        f"J {_AT_MOST} 0 in {metrics[f'folding{region}_percent']:.3f} % of {where}, "
        f"SD of J {metrics[f'jacobian_sd{region}']:.3f} there, on the registration grid",
        f"inverse consistency {metrics['inverse_consistency_mean_voxels']:.3f} voxels",
    ]
    if "epe_heart_mean_mm" in metrics:
        error, initial = metrics["epe_heart_mean_mm"], metrics["initial_epe_heart_mean_mm"]
        parts.insert(1, f"distance from the true motion in the heart {initial:.2f} {_ARROW} {error:.2f} mm")
    if "lv_ef_percent" in metrics and "warped_lv_ef_percent" in metrics:
        fraction, warped = metrics["lv_ef_percent"], metrics["warped_lv_ef_percent"]
        parts.append(f"ejection fraction {fraction:.0f} % by the labels, {warped:.0f} % with the warped ones")
    return "; ".join(parts)
