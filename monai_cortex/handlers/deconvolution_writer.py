"""Files, metrics and picture of a deconvolved subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from monai_cortex import __version__
from monai_cortex.data import read_known_fibers, write_volume
from monai_cortex.geometry.harmonics import even_degree
from monai_cortex.handlers.subject_writer import SubjectWriter
from monai_cortex.metrics import fiber_detection, orientation_difference, reconstruction_residual
from monai_cortex.visualize import DeconvolutionResult, deconvolution_figure, png

__all__ = ["DeconvolutionWriter"]

_ANISOTROPIC = 0.3  # fractional anisotropy above which first peaks are compared


class DeconvolutionWriter(SubjectWriter):
    """Write orientation distribution, isotropic tissues, peaks, residual and picture of each subject.

    Where the item holds the maps of a constrained deconvolution under ``csd_``, both are compared in the metrics; where
    it names the known fibers of a simulated scan, the peaks are held against them.

    Args:
        output_dir: folder of the run.
        tissues: names of the tissues, white matter first.
    """

    columns: ClassVar[Mapping[str, str]] = {"network": "", "constrained deconvolution (CSD)": "csd_"}

    def __init__(self, output_dir: str, tissues: Sequence[str] = ("wm", "csf")) -> None:
        super().__init__(output_dir)
        self.tissues = tuple(tissues)

    def write(self, item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write ``wmfod``, the isotropic tissues, ``peaks``, ``residual`` and ``qc.png``; see the bundle's README."""
        affine = np.asarray(item["affine"], dtype=np.float64)
        notes = _notes(item)
        for name in ("wmfod", *self.tissues[1:], "peaks", "residual"):
            volume = np.moveaxis(np.asarray(item[name], dtype=np.float32), 0, -1)
            write_volume(folder / f"{name}.nii.gz", volume, affine, notes["shared"] | notes[name])
        metrics = self._measure(item)
        (folder / "qc.png").write_bytes(png(deconvolution_figure(self._picture(item, affine, metrics))))
        return metrics

    def _measure(self, item: Mapping[str, Any]) -> dict[str, Any]:
        target = [torch.as_tensor(item[name]).cpu() for name in ("dwi", "design", "mask")]
        metrics = {
            "voxels": int(target[2].sum()),
            "volumes": len(target[0]),
            "shells_s_per_mm2": [round(float(b)) for b in item["shells"]],
            "responses": dict(item["response_source"]),
            "nonfinite_voxels": int(item["nonfinite"]),
            "gradient_notes": str(item["gradient_notes"]),
            "residual_percent": _residual(item["pred"], target),
            **_accuracy(item, target[2]),
        }
        if "csd" not in item:
            return metrics
        where = (target[2][0] > 0) & (torch.as_tensor(item["anisotropy"])[0] > _ANISOTROPIC)
        angle = orientation_difference(torch.as_tensor(item["peaks"]), torch.as_tensor(item["csd_peaks"]), where)
        return metrics | {
            "csd_residual_percent": _residual(item["csd"], target),
            "csd_time_s": round(float(item["csd_time"]), 3),
            "angle_to_csd_degree": round(angle.mean().item(), 3),
            "median_angle_to_csd_degree": round(angle.median().item(), 3),
        }

    def _picture(self, item: Mapping[str, Any], affine: np.ndarray, metrics: Mapping[str, Any]) -> DeconvolutionResult:
        isotropic = item["csf"] if "csf" in self.tissues else None
        return DeconvolutionResult(
            subject=str(item["subject"]),
            b0=np.asarray(item["b0"])[0],
            wmfod=np.asarray(item["wmfod"]),
            residual=np.asarray(item["residual"])[0] / 100,
            mask=np.asarray(item["mask"])[0] > 0,
            affine=affine,
            csf=None if isotropic is None else np.asarray(isotropic)[0],
            metrics={"residual [% of b = 0 in white matter]": metrics["residual_percent"]},
        )


def _accuracy(item: Mapping[str, Any], mask: Tensor) -> dict[str, float]:
    """Agreement of peaks with known fibers, of simulated scans."""
    if "truth_fibers" not in item:
        return {}
    fibers = read_known_fibers(item["truth_fibers"], mask.shape[1:], str(item["subject"]))
    try:
        found = fiber_detection(item["peaks"], fibers, mask)
    except ValueError:  # no fiber in the mask
        return {}
    names = {"pr_auc": "pr_auc", "f1": "f1", "angular_error": "angular_error_degree", "fnr": "fnr", "fpr": "fpr"}
    return {f"fiber_{name}": round(getattr(found, number), 4) for number, name in names.items()}


def _residual(prediction: Tensor, target: Sequence[Tensor]) -> float:
    return round(reconstruction_residual(torch.as_tensor(prediction).cpu().float(), *target).item(), 3)


def _notes(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sidecars: what every file says, and what each says of itself."""
    tissue = {"units": "1, fraction of the response's signal", "convention": "coefficient of degree 0, orthonormal"}
    return {
        "shared": {
            "sources": sorted(item["sources"].values()),
            "spatial_reference": "the scan's grid and RAS+ affine in mm",
            "software": f"monai_cortex {__version__}",
            "shells_s_per_mm2": [round(float(b)) for b in item["shells"]],
            "responses": dict(item["response_source"]),
        },
        "wmfod": {
            "units": "1/sr",
            "convention": "real spherical harmonics, even degrees, MRtrix3 order and sign (dipy: tournier07, "
            "legacy=False), world axes",
            "lmax": even_degree(len(item["wmfod"])),
        },
        "csf": tissue,
        "gm": tissue,
        "peaks": {"units": "1/sr", "convention": "x, y, z of each peak times its amplitude, world axes, NaN for none"},
        "residual": {"units": "percent of the signal at b = 0", "convention": "root mean square over the volumes"},
    }
