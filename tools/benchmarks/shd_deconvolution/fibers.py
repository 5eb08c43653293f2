"""Orientation distributions by the shipped network, by dipy and by MRtrix3, for each voxel of the sample scan."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose
from torch import Tensor

from benchmarks.case import MissingToolError, Pair
from monai_cortex.data import bundle_folder, diffusion_subjects, sample_dataset, write_volume
from monai_cortex.transforms import ConstrainedDeconvolution, TissueResponsesd

__all__ = ["dipy_pair", "mrtrix_pair"]

_TILES = 2  # along each axis, so that starting a program weighs little


def dipy_pair(device: torch.device) -> Pair:
    """SHD-TV and dipy's constrained deconvolution with the same response, model building included."""
    scan, ours, units = _prepared(device)
    table = [torch.as_tensor(scan[name]) for name in ("dwi", "bvalues", "directions", "responses", "mask")]
    return Pair(ours, lambda: ConstrainedDeconvolution()(*table), None, units)


def mrtrix_pair(device: torch.device) -> Pair:
    """SHD-TV and ``dwi2fod csd`` with the same response and as many threads, its reading and writing included."""
    if not shutil.which("dwi2fod"):
        raise MissingToolError("MRtrix3 is not installed")
    scan, ours, units = _prepared(device)
    folder = tempfile.TemporaryDirectory()
    place = Path(folder.name)
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    write_volume(place / "dwi.nii", scan["dwi"].movedim(0, -1).numpy(), affine)
    write_volume(place / "mask.nii", scan["mask"][0].numpy(), affine, dtype=np.uint8)
    np.savetxt(place / "grad.txt", np.column_stack([scan["directions"], scan["bvalues"]]))
    np.savetxt(place / "response.txt", np.atleast_2d(scan["responses"][0, -1]))
    options = ["-mask", "mask.nii", "-grad", "grad.txt", "-lmax", "8", "-force", "-quiet"]
    command = ["dwi2fod", "csd", "dwi.nii", "response.txt", "fod.nii", *options]
    command += ["-nthreads", str(torch.get_num_threads())]

    def reference() -> None:
        subprocess.run(command, cwd=folder.name, check=True)

    return Pair(ours, reference, None, units)


def _prepared(device: torch.device) -> tuple[dict[str, Any], Callable[[], Tensor], tuple[int, int]]:
    """Scan with its responses, our way on from there, and the voxels that each side computes."""
    if not find_spec("dipy"):
        raise MissingToolError("dipy, which brings the sample scan, is not installed")
    parser = ConfigParser()
    parser.read_config(f"{bundle_folder('shd_deconvolution')}/configs/inference.json")
    parser.update({"device": str(device), "track": False})
    steps = parser.get_parsed_content("preprocessing").transforms
    last = next(n for n, step in enumerate(steps) if isinstance(step, TissueResponsesd))
    with tempfile.TemporaryDirectory() as folder:
        (subject,) = diffusion_subjects(sample_dataset("shd_deconvolution", folder))
        scan = Compose(steps[: last + 1])(subject)
    for name in ("dwi", "mask"):
        scan[name] = torch.as_tensor(scan[name]).tile(1, _TILES, _TILES, _TILES)
    network, inferer = (parser.get_parsed_content(name) for name in ("network", "inferer"))
    prepare = Compose(steps[last + 1 :])

    @torch.no_grad()
    def ours() -> Tensor:
        features = prepare(dict(scan))["features"][None].to(device)
        result: Tensor = inferer(features, network.eval())
        return result

    inside = int(scan["mask"].sum())
    return scan, ours, (scan["mask"].numel(), inside)
