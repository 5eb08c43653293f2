"""Files, metrics and picture of a brain drawn from its surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex import __version__
from monai_cortex.data import on_grid, switched_on, write_volume
from monai_cortex.geometry.cortex import nesting_violations
from monai_cortex.handlers.subject_writer import SubjectWriter
from monai_cortex.inferers import SyntheticBrain, atrophy_response, image_errors, surface_errors
from monai_cortex.visualize import SynthesisPicture, png, synthesis_figure

__all__ = ["CortexSynthesisWriter"]

_SHOWN = {
    "white_assd_mm": "white ASSD [mm]",
    "pial_assd_mm": "pial ASSD [mm]",
    "ssim_brain": "SSIM in the brain",
    "ssim_full": "SSIM of the whole grid",
}


class CortexSynthesisWriter(SubjectWriter):
    """Write the generated image, deviation, distances, atrophy series, metrics and picture of each subject.

    All files are on the grid of the subject's image. Items are those of
    :func:`monai_cortex.transforms.cortex_preprocessing` with ``brain`` and ``synthesis`` of
    :class:`monai_cortex.inferers.CortexSynthesizer`.

    Args:
        output_dir: folder of the run.
        measure: find the surfaces again in the images, which takes most of the time; images are compared anyway.
    """

    columns: ClassVar[Mapping[str, str]] = {"white": "white_", "pial": "pial_"}

    def __init__(self, output_dir: str, measure: bool = True) -> None:
        super().__init__(output_dir)
        self.measure = switched_on(measure, "measure")

    def write(self, item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write ``synth_T1w``, ``synth_std``, ``white_sdf``, ``pial_sdf``, ``atrophy-*`` and ``qc.png``."""
        brain: SyntheticBrain = item["brain"]
        for name, (values, outside, note) in _volumes(item, brain).items():
            volume = on_grid(values, _affine(item), item["full_shape"], np.asarray(item["full_affine"]), outside)
            write_volume(folder / f"{name}.nii.gz", volume, np.asarray(item["full_affine"]), _shared(item) | note)
        metrics = self._measure(item, brain)
        (folder / "qc.png").write_bytes(png(synthesis_figure(_picture(item, brain, metrics))))
        return metrics

    def _measure(self, item: Mapping[str, Any], brain: SyntheticBrain) -> dict[str, Any]:
        affine, distances = torch.as_tensor(_affine(item)), _distances(item)
        metrics: dict[str, Any] = {
            "hemispheres": list(item["sides"]),
            "spacing_mm": [round(float(edge), 4) for edge in affine[:3, :3].norm(dim=0)],
            "white_outside_pial_voxels": nesting_violations(*distances),
            **item["synthesis"],
        }
        real = _real(item)
        if real is not None:
            metrics |= image_errors(brain.image, real, distances[1])
        if brain.deviation is not None:
            ribbon = torch.as_tensor(np.asarray(item["ribbon"]))[0] > 0
            metrics["deviation_in_ribbon"] = float(brain.deviation[ribbon].mean())
        if not self.measure or not _partners(item):
            return metrics
        surfaces = dict(zip(item["sides"], zip(item["white"], item["pial"], strict=True), strict=True))
        metrics |= surface_errors(brain.image, affine, surfaces)
        if real is not None:
            # The same measure on the subject's own image is the floor: no generated image need be better.
            floor = surface_errors(real, affine, surfaces)
            metrics |= {f"real_{name}": value for name, value in floor.items()}
        for dose, (image, pial) in brain.atrophied.items():
            triples = list(zip(item["white"], item["pial"], pial, strict=True))
            found = atrophy_response(brain.image, image, affine, triples, brain.regions)
            metrics |= {f"atrophy_{dose:g}_{name}": value for name, value in found.items()}
        return metrics


def _volumes(item: Mapping[str, Any], brain: SyntheticBrain) -> dict[str, tuple[Tensor, float, dict[str, Any]]]:
    """By name, values on the grid that was drawn on, what lies outside of it, and what the sidecar says."""
    low, high = (float(value) for value in item["intensity_range"])
    image: dict[str, Any] = {
        "units": "1, 0 is the darkest and 1 the brightest of the images that the weights were trained on",
        "convention": "T1-weighted, brain extracted",
        "own_image_range": [low, high],
    }
    distance: dict[str, Any] = {
        "units": "mm",
        "convention": "signed distance, negative inside, clipped beyond the band",
    }
    white, pial = _distances(item)
    result: dict[str, tuple[Tensor, float, dict[str, Any]]] = {
        "synth_T1w": (brain.image, 0.0, image),
        "white_sdf": (white, float(white.max()), distance),
        "pial_sdf": (pial, float(pial.max()), distance),
    }
    if brain.deviation is not None:
        note: dict[str, Any] = {
            "units": "1, share of the intensity range",
            "convention": "standard deviation over draws",
        }
        result["synth_std"] = brain.deviation, 0.0, note | {"draws": item["synthesis"]["draws"]}
    for dose, (values, _) in brain.atrophied.items():
        result[f"atrophy-{dose:.2f}mm_T1w"] = values, 0.0, image | {"dose_mm": dose}
        note = {"units": image["units"], "convention": "image with atrophy less synth_T1w, drawn with equal noise"}
        result[f"atrophy-{dose:.2f}mm_difference"] = values - brain.image, 0.0, note | {"dose_mm": dose}
    return result


def _shared(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sources": list(item["sources"]),
        "synthesis": dict(item["synthesis"]),
        "spatial_reference": "grid and RAS+ affine of the subject's image, or 1 mm around the surfaces without one",
        "software": f"monai_cortex {__version__}",
    }


def _affine(item: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.asarray(item["image"].affine, np.float64)


def _distances(item: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    white, pial = (torch.as_tensor(np.asarray(item[f"{kind}_distance"]))[0] for kind in ("white", "pial"))
    return white, pial


def _real(item: Mapping[str, Any]) -> Tensor | None:
    """The subject's own image in [0, 1], unless it is a mere grid."""
    image = torch.as_tensor(np.asarray(item["image"], np.float32))[0]
    return (image + 1) / 2 if item["imaged"] and float(image.max()) > float(image.min()) else None


def _partners(item: Mapping[str, Any]) -> bool:
    """Whether each vertex of the white surfaces has a partner on the pial ones."""
    pairs = zip(item["white"], item["pial"], strict=True)
    return all(torch.equal(white.faces, pial.faces) for white, pial in pairs)


def _picture(item: Mapping[str, Any], brain: SyntheticBrain, metrics: Mapping[str, Any]) -> SynthesisPicture:
    white, pial = _distances(item)
    return SynthesisPicture(
        subject=str(item["subject"]),
        image=brain.image,
        white_distance=white,
        pial_distance=pial,
        affine=_affine(item),
        real=_real(item),
        deviation=brain.deviation,
        atrophied={dose: image for dose, (image, _) in brain.atrophied.items()},
        metrics={text: metrics[name] for name, text in _SHOWN.items() if name in metrics},
    )
