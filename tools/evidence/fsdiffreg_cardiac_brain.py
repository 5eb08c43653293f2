"""Other anatomy than the heart: the MNI152 brain, deformed by a known map and in another contrast, is registered back.

python tools/evidence/fsdiffreg_cardiac_brain.py --output-dir out/brain

Writes docs/evidence/fsdiffreg_cardiac_brain.{md,json,png}. The template ships in nilearn. What is measured is kept in
the output folder, and not repeated.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from evidence_page import EVIDENCE, write_evidence
from monai.bundle import ConfigParser
from nilearn import datasets
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.data import (
    read_displacement,
    read_volume,
    sha256,
    write_displacement,
    write_json,
    write_volume,
)
from monai_cortex.geometry.displacement import exponential, jacobian_determinant, voxel_grid, warp
from monai_cortex.geometry.displacement_space import point_into
from monai_cortex.handlers import ImageRegistrationWriter
from monai_cortex.metrics import end_point_error, folding, label_overlap
from monai_cortex.simulate import SmoothNoise

__all__ = ["BrainPair", "brain_pair", "main"]

NAME = "fsdiffreg_cardiac_brain"
COMMAND = f"python tools/evidence/{NAME}.py --output-dir out/brain"
BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "fsdiffreg_cardiac"
SPACING, LARGEST, SCALE = 2, 6.0, 12.0  # mm: voxels, longest displacement in the brain, smoothness of the velocity
GAIN, GAMMA, BIAS, NOISE = 850.0, 0.7, 0.12, 0.03  # of the moving image; bias and noise as shares of the brightest
KEPT = "measured.json"
_BIAS_SCALE = 50.0  # mm
_TISSUE = 0.5  # probability from which a voxel is tissue
_TRIALS = 4  # the displacement is nearly proportional to the velocity
LEVELS = [[[4, 4, 4], 5, 60], [[2, 2, 2], 7, 60]]  # pooling, window and iterations for voxels that are cubes
CLASSICAL: dict[str, dict[str, Any]] = {
    "optimization alone": {"weights": None},
    "optimization alone, pooled along all axes": {"weights": None, "refine_options": {"levels": LEVELS}},
}
LEARNED: dict[str, dict[str, Any]] = {
    "cardiac weights alone": {"refine": False},
    "cardiac weights and refinement": {"refine_options": {"levels": LEVELS[1:]}},
}


class BrainPair(NamedTuple):
    """The template and its deformed image; arrays ``(I, J, K)`` on one grid.

    Attributes:
        fixed, moving: the template, 0 to 1, and the deformed one in a unit of its own.
        fixed_label, moving_label: 1 gray matter, 2 white matter.
        truth: displacement that undoes the deformation, voxels, pull-back, ``(3, I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
    """

    fixed: Tensor
    moving: Tensor
    fixed_label: Tensor
    moving_label: Tensor
    truth: Tensor
    affine: NDArray[np.float64]


class _Template(NamedTuple):
    """T1-weighted image, gray and white matter, 0 to 1, ``(3, I, J, K)`` of 1 mm, with their affine."""

    maps: Tensor
    affine: NDArray[np.float64]


@click.command(help="Deform the MNI152 brain, register it back, compare with the known map.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(path_type=Path), default=BUNDLE / "models" / "model.pt")
@click.option("--seed", default=0, show_default=True, help="Of deformation, bias and noise.")
def main(output_dir: Path, weights: Path, seed: int) -> None:
    """Make the pair, register, measure, write."""
    torch.set_num_threads(1)
    pair = brain_pair(seed)
    place = output_dir / "pairs" / "mni152"
    write_pair(place, pair)
    ways, known = dict(CLASSICAL), {"weights_sha256": sha256(weights)} if weights.is_file() else {}
    if known:
        ways |= {name: {"weights": str(weights), **changes} for name, changes in LEARNED.items()}
    rows = []
    for name, changes in ways.items():
        folder = output_dir / name.translate({ord(" "): "_", ord(","): None}) / "mni152"
        settings = {"seed": seed, **changes, **(known if changes["weights"] else {})}
        row = _kept(folder, settings) or measured(pair, place.parent, folder, settings)
        rows.append({"method": name, **row})
    shutil.copyfile(folder / "qc.png", EVIDENCE / f"{NAME}.png")
    record = {"command": COMMAND, "seed": seed, "shape": list(pair.fixed.shape), **known}
    record |= {"before": before(pair), "rows": rows}
    write_evidence(NAME, record, page(record), ("monai", "torch", "nilearn", "numpy"))


def brain_pair(seed: int) -> BrainPair:
    """The template and what a random flow, another contrast, bias and noise make of it."""
    template, generator = _template(), torch.Generator().manual_seed(seed)
    affine = template.affine @ np.diag([SPACING, SPACING, SPACING, 1.0])
    shape = tuple(-(-size // SPACING) for size in template.maps.shape[1:])
    zero = torch.zeros(3, *shape)
    still = _read(template, zero, affine)
    velocity = _velocity(still[0] > 0, generator)
    moved = _read(template, exponential(-velocity)[0], affine)
    return BrainPair(
        still[0],
        _other_scanner(moved[0], generator),
        _tissue(still),
        _tissue(moved),
        exponential(velocity)[0],
        affine,
    )


def write_pair(folder: Path, pair: BrainPair) -> None:
    """Files as a user would have them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("fixed", "moving"):
        write_volume(folder / f"{name}.nii.gz", getattr(pair, name), pair.affine)
        write_volume(folder / f"{name}_seg.nii.gz", getattr(pair, f"{name}_label"), pair.affine, dtype=np.uint8)
    write_displacement(folder / "true_warp.nii.gz", pair.truth, pair.affine)


def measured(pair: BrainPair, dataset_dir: Path, folder: Path, settings: Mapping[str, Any]) -> dict[str, float]:
    """Register as the bundle does for other anatomy; the written field against the truth, over the brain."""
    parser = ConfigParser()
    parser.read_config([str(BUNDLE / "configs" / f"{name}.json") for name in ("inference", "anatomy")])
    changes = {name: value for name, value in settings.items() if name != "weights_sha256"}
    parser.update({"bundle_root": str(BUNDLE), "dataset_dir": str(dataset_dir), "device": "cpu", **changes})
    item = parser.get_parsed_content("dataset")[0]
    network = parser.get_parsed_content("network").eval() if changes["weights"] else None
    start = time.process_time()
    found = parser.get_parsed_content("inferer").register(item, network)
    seconds = time.process_time() - start
    folder.mkdir(parents=True, exist_ok=True)
    ImageRegistrationWriter(str(folder.parent), None).write(item | {"registration": found}, folder)
    written = read_displacement(folder / "warp.nii.gz").ddf
    warped = torch.from_numpy(read_volume(folder / "warped_seg.nii.gz").values)
    row = {**_error(written, pair), "dice": _dice(warped, pair), **_folds(written, pair), "seconds": seconds}
    write_json(folder / KEPT, {"settings": dict(settings), "row": row})
    return row


def before(pair: BrainPair) -> dict[str, float]:
    """What there is to find, and what the true field itself does."""
    return {
        **_error(torch.zeros_like(pair.truth), pair),
        "dice": _dice(pair.moving_label, pair),
        "least_jacobian": float(jacobian_determinant(pair.truth[None])[0, 0][pair.fixed > 0].min()),
        "true_jacobian_sd": _folds(pair.truth, pair)["jacobian_sd"],
    }


def page(record: Mapping[str, Any]) -> list[str]:
    """Lines of the page."""
    first, voxels = record["before"], " x ".join(map(str, record["shape"]))
    levels = json.dumps(LEVELS, separators=(",", ":"))
    return [
        "# A brain: other anatomy than the heart",
        "",
        f"Fixed: the MNI152 template of nilearn, T1-weighted, {voxels} voxels of {SPACING} mm. Moving: the",
        f"same brain after a random flow (Gaussian velocity, {SCALE:g} mm smooth, at most {LARGEST:g} mm long), with",
        f"another gain and gamma ({GAMMA:g}), a bias field of {100 * BIAS:g} % and noise of {100 * NOISE:g} % of the",
        f"brightest. One pair, seed {record['seed']}, registered as by inference.json with anatomy.json. Errors are",
        "distances from the true map over the brain; Dice is the mean of gray and white matter, which no registration",
        f"sees. The true map has J of at least {first['least_jacobian']:.2f} and an SD of J of",
        f"{first['true_jacobian_sd']:.3f} there.",
        "",
        "| method | error, mean mm | error, P95 mm | Dice | J <= 0 % | SD J | seconds |",
        "|---|---|---|---|---|---|---|",
        f"| not registered | {first['mean_mm']:.2f} | {first['p95_mm']:.2f} | {first['dice']:.3f} | | | |",
        *(_row(row) for row in record["rows"]),
        "",
        f"![Registered brain]({NAME}.png)",
        "",
        "The picture is of the last row. The optimization's usual levels never average slices, which are thick in",
        f"hearts; pooled along all axes means `--refine_options \"{{'levels':{levels}}}\"`.",
        "Seconds are of one processor, with the inverse field. Two images of one brain are easier than two",
        "people, whose sulci differ: this shows that nothing is bound to the heart, not how accurate a registration of",
        "people is.",
        *(["The weights have seen simulated hearts only."] if len(record["rows"]) > len(CLASSICAL) else []),
    ]


def _row(row: Mapping[str, Any]) -> str:
    digits = {"mean_mm": 2, "p95_mm": 2, "dice": 3, "folding_percent": 3, "jacobian_sd": 3, "seconds": 0}
    return f"| {row['method']} | {' | '.join(f'{row[key]:.{places}f}' for key, places in digits.items())} |"


def _template() -> _Template:
    kinds = (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    images = [load(resolution=1) for load in kinds]
    maps = np.stack([np.asarray(image.dataobj, np.float32) for image in images])
    return _Template(torch.from_numpy(maps), np.asarray(images[0].affine, np.float64))


def _read(template: _Template, ddf: Tensor, affine: NDArray[np.float64]) -> Tensor:
    return warp(template.maps[None], point_into(ddf, affine, template.affine)[None], padding="zeros")[0]


def _noise(channels: int, scale: float, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Smooth fields of deviation 1, ``(C, I, J, K)``."""
    points = SPACING * voxel_grid(torch.Size(shape), torch.zeros(1)).flatten(1).T
    return SmoothNoise(channels, scale, generator).at(points).reshape(channels, *shape)


def _velocity(brain: Tensor, generator: torch.Generator) -> Tensor:
    """Whose flow moves the brain by at most the longest displacement."""
    velocity = _noise(3, SCALE, brain.shape, generator)[None]
    for _ in range(_TRIALS):
        longest = SPACING * exponential(velocity)[0].norm(dim=0)[brain].max()
        velocity = velocity * (LARGEST / longest)
    return velocity


def _other_scanner(image: Tensor, generator: torch.Generator) -> Tensor:
    bias = 1 + BIAS * _noise(1, _BIAS_SCALE, image.shape, generator)[0]
    noise = NOISE * torch.randn(2, *image.shape, generator=generator)
    return GAIN * torch.hypot(image.clamp(min=0) ** GAMMA * bias + noise[0], noise[1])


def _tissue(maps: Tensor) -> Tensor:
    gray, white = maps[1:]
    return torch.where(white >= _TISSUE, 2, torch.where(gray >= _TISSUE, 1, 0))


def _kept(folder: Path, settings: Mapping[str, Any]) -> dict[str, float] | None:
    """What was measured before with the same settings."""
    found = json.loads((folder / KEPT).read_text()) if (folder / KEPT).is_file() else {}
    return found["row"] if found.get("settings") == settings else None


def _dice(labels: Tensor, pair: BrainPair) -> float:
    found = label_overlap(labels.flatten().long() - 1, pair.fixed_label.flatten() - 1, ("gray", "white"))
    return float(found.dice.mean())


def _error(ddf: Tensor, pair: BrainPair) -> dict[str, float]:
    found = end_point_error(ddf, pair.truth, pair.affine, pair.fixed > 0)
    return {"mean_mm": found.mean, "p95_mm": found.percentile95}


def _folds(ddf: Tensor, pair: BrainPair) -> dict[str, float]:
    found = folding(ddf, pair.fixed > 0)
    return {"folding_percent": float(found.percent), "jacobian_sd": float(found.deviation)}


if __name__ == "__main__":
    main()
