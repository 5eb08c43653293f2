"""Synthetic hearts as files: cine images at end diastole and end systole, labels, and the exact motion between them."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from monai_cortex.data import atomic_folder, write_displacement, write_json, write_sample_record, write_volume
from monai_cortex.simulate.cardiac_image import RenderedPhase, render_phase
from monai_cortex.simulate.cardiac_look import draw_look
from monai_cortex.simulate.cardiac_stack import SliceStack, draw_stack
from monai_cortex.simulate.cardiac_tissue import CardiacScene, draw_muscle
from monai_cortex.simulate.chest import draw_chest
from monai_cortex.simulate.heart_variation import HeartDraw, draw_heart

__all__ = ["CARDIAC_SAMPLES", "write_synthetic_heart", "write_synthetic_hearts"]

_LOST_RIGHT, _LOST_LEFT = 0.25, 0.1  # chances that a reader leaves out a ventricle in the last basal slice
_SAMPLE = 900010  # seed, far from those that networks are trained on
_RECORD = {
    "name": "simulated",
    "source": f"monai_cortex.simulate.write_synthetic_heart, seed {_SAMPLE}",
    "license": "Apache-2.0",
    "citation": "monai_cortex",
    "content": "simulated cine MRI, not of a person: a heart at end diastole (moving) and at end systole (fixed), "
    "labels of both, and the exact motion between them",
    "orientation": "oblique short-axis slices; the affine says where they lie in RAS+ mm",
}


def write_synthetic_hearts(folder: str | os.PathLike[str], subjects: int, seed: int = 0) -> None:
    """Write synthetic hearts, ``heart-0000`` and so on.

    Args:
        folder: dataset folder.
        subjects: how many.
        seed: of the first one; the others have the next numbers.
    """
    for number in range(seed, seed + subjects):
        write_synthetic_heart(Path(folder) / f"heart-{number:04d}", number)


def write_synthetic_heart(folder: str | os.PathLike[str], seed: int, *, largest_shift: float = 3.0) -> None:
    """Draw a heart, image it at end diastole (moving) and end systole (fixed), and write both with the truth.

    Holds ``fixed.nii.gz``, ``moving.nii.gz``, ``fixed_seg.nii.gz``, ``moving_seg.nii.gz`` (0 background, 1 right
    cavity, 2 wall, 3 left cavity), ``true_warp.nii.gz`` and ``true_inverse_warp.nii.gz`` (NIfTI intent 1007, mm, LPS,
    pull-back; each on the images' grid), all on a stack of thick slices as scanned, and ``SIMULATION.json``.

    Args:
        folder: of the subject; replaced if it exists.
        seed: of all that is left to chance; equal seeds give equal bytes.
        largest_shift: of a slice by the breath held anew, in mm.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = draw_heart(generator)
    chest, muscle, look = draw_chest(generator), draw_muscle(generator), draw_look(generator)
    stack = draw_stack(draw.heart.shape, generator, largest_shift)
    scene = CardiacScene(draw, chest, muscle, generator)
    moving = render_phase(scene, stack, look, False, generator)
    fixed, lost = _lost_base(render_phase(scene, stack, look, True, generator), stack, generator)
    affine = stack.affine.numpy()
    parts = {"chest": asdict(chest), "muscle": asdict(muscle), "look": asdict(look), "lost_base": lost}
    with atomic_folder(Path(folder), replace=True) as staging:
        for name, phase in (("fixed", fixed), ("moving", moving)):
            write_volume(staging / f"{name}.nii.gz", phase.image.numpy(), affine, dtype=np.int16)
            write_volume(staging / f"{name}_seg.nii.gz", phase.labels.numpy(), affine, dtype=np.uint8)
        write_displacement(staging / "true_warp.nii.gz", stack.displacement(draw.heart), affine)
        write_displacement(staging / "true_inverse_warp.nii.gz", stack.inverse_displacement(draw.heart), affine)
        write_json(staging / "SIMULATION.json", {"seed": seed, **_record(draw, stack), **parts})


def _lost_base(
    phase: RenderedPhase, stack: SliceStack, generator: torch.Generator
) -> tuple[RenderedPhase, dict[str, bool]]:
    """Readers leave out ventricles in the last basal slice, each by a chance of its own; tells which were."""
    labels = phase.labels.clone()
    order = list(range(stack.shape[2]))[:: -1 if stack.from_apex else 1]
    right, left = torch.rand(2, generator=generator).tolist()
    lost = {"right": right < _LOST_RIGHT, "left": left < _LOST_LEFT}
    for values, name in (((1,), "right"), ((2, 3), "left")):
        inside = torch.isin(labels, torch.tensor(values))
        first = next((k for k in order if inside[:, :, k].any()), 0)
        if lost[name]:
            labels[:, :, first][inside[:, :, first]] = 0
    return phase._replace(labels=labels), lost


def _record(draw: HeartDraw, stack: SliceStack) -> dict[str, Any]:
    return {
        "synthetic": True,
        "ejection_fraction": draw.ejection,
        "group": draw.group,
        "merging": draw.merging,
        "heart": asdict(draw.heart.shape),
        "stack": vars(stack),
    }


def _write_sample(folder: Path) -> None:
    write_synthetic_heart(folder, _SAMPLE)
    write_sample_record(folder, _RECORD)


CARDIAC_SAMPLES = MappingProxyType({"simulated": _write_sample})
"""Sample data of fsdiffreg_cardiac: writers into a folder by name of the subject."""
