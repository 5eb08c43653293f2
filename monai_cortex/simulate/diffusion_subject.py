"""Simulated subjects for deconvolution: scans with their truth, in memory and as the files that bundles read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import GradientTable, atomic_folder, write_fsl_gradients, write_json, write_volume
from monai_cortex.geometry.harmonics import even_count
from monai_cortex.simulate.diffusion import DiffusionTissue, random_tissue, simulate_scan
from monai_cortex.simulate.fiber_phantom import FiberPhantom, fiber_phantom
from monai_cortex.simulate.fiber_scene import FiberScene, random_scene
from monai_cortex.simulate.gradient_protocols import gradient_protocol

__all__ = ["SimulatedDiffusion", "simulate_diffusion", "write_simulated_diffusion"]

_SNR = (18.0, 40.0)
_GRAY_SHARE = 0.3  # of the random scenes have gray matter beside the fluid


@dataclass(frozen=True)
class SimulatedDiffusion:
    """A scan and its truth.

    Attributes:
        signal: ``(N, I, J, K)`` in the scanner's unit.
        table: gradients.
        phantom: the truth.
        tissue: diffusivities and signals at b = 0.
        snr: of white matter at b = 0.
    """

    signal: Tensor
    table: GradientTable
    phantom: FiberPhantom
    tissue: DiffusionTissue
    snr: float


def simulate_diffusion(  # noqa: PLR0913
    seed: int,
    protocol: str | tuple[int, Sequence[tuple[float, int]]] = "clinical_30",
    snr: float | None = 30.0,
    *,
    scene: FiberScene | None = None,
    tissue: DiffusionTissue | None = None,
    vary: bool = False,
    shape: Sequence[int] = (20, 20, 8),
) -> SimulatedDiffusion:
    """Simulate one subject.

    Args:
        seed: of all that is left to chance; equal seeds give equal bits.
        protocol: see :func:`gradient_protocol`.
        snr: signal of white matter at b = 0 over the standard deviation of the noise; None draws from 18 to 40.
        scene: what to image; by default a random one.
        tissue: diffusivities and signals.
        vary: draw the tissue, and in some scenes gray matter, at random where they are not given.
        shape: voxels of 2 mm along the axes.
    """
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    scene = scene or random_scene(generator, gray=vary and chance[0] < _GRAY_SHARE)
    tissue = tissue or (random_tissue(generator) if vary else DiffusionTissue())
    snr = _SNR[0] + (_SNR[1] - _SNR[0]) * chance[1] if snr is None else snr
    phantom = fiber_phantom(scene, shape)
    table = gradient_protocol(protocol, generator)
    return SimulatedDiffusion(simulate_scan(phantom, table, generator, tissue, snr), table, phantom, tissue, snr)


def write_simulated_diffusion(folder: str | os.PathLike[str], subject: SimulatedDiffusion, degree: int = 8) -> None:
    """Write a subject as a folder that appears when it is complete.

    Besides ``dwi.nii.gz``, ``dwi.bval``, ``dwi.bvec`` and ``mask.nii.gz`` it holds the truth: ``truth_wmfod.nii.gz``
    (coefficients in MRtrix's basis), ``target_wmfod.nii.gz`` (what a network is taught, see
    :meth:`FiberPhantom.distinct_fod`), ``truth_fibers.nii.gz`` (direction times volume fraction of each bundle, world
    axes), ``truth_tissues.nii.gz`` (fractions of white matter, gray matter, fluid), ``truth_bundles.nii.gz`` (fraction
    of each bundle), ``truth_endpoints.nii.gz`` (start and end of each bundle) and ``SIMULATION.json``.

    Args:
        folder: of the subject; replaced if it exists.
        subject: what to write.
        degree: largest even degree of ``truth_wmfod.nii.gz``, at most that of the phantom.
    """
    phantom, affine = subject.phantom, subject.phantom.affine.numpy()
    maps = {
        "dwi": subject.signal,
        "truth_wmfod": phantom.fod[: even_count(degree)],
        "target_wmfod": phantom.distinct_fod()[: even_count(degree)],
        "truth_fibers": phantom.fibers,
        "truth_tissues": phantom.tissues,
        "truth_bundles": phantom.bundles,
    }
    masks = {"mask": phantom.tissues.sum(0) > 0, "truth_endpoints": phantom.endpoints.flatten(0, 1).movedim(0, -1)}
    with atomic_folder(Path(folder), replace=True) as staging:
        for name, values in maps.items():
            write_volume(staging / f"{name}.nii.gz", values.movedim(0, -1).numpy(), affine, dtype=np.float32)
        for name, mask in masks.items():
            write_volume(staging / f"{name}.nii.gz", mask.numpy(), affine, dtype=np.uint8)
        write_fsl_gradients(staging / "dwi.bval", staging / "dwi.bvec", subject.table, affine)
        write_json(staging / "SIMULATION.json", {"tissue": asdict(subject.tissue), "snr": subject.snr})
