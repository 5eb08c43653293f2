"""Streamlines through the orientations of the shipped weights and of CSD, held against simulated bundles.

python tools/evidence/shd_deconvolution_tracking.py --output-dir out/evidence

Writes docs/evidence/shd_deconvolution_tracking.{md,json}. Uses the scans and results that shd_deconvolution_phantom.py
leaves in the same folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from deconvolution_peers import FODS, read_map
from evidence_page import write_evidence
from subject_statistics import mean_interval
from tqdm import tqdm

from monai_cortex.data import read_volume
from monai_cortex.inferers import TrackingOptions, track_fibers
from monai_cortex.metrics import streamline_scores

__all__ = ["main"]

NAME = "shd_deconvolution_tracking"
COMMAND = f"python tools/evidence/{NAME}.py --output-dir out/evidence"
OURS, TRUTH = "SHD, shipped weights", "simulated orientations"
METHODS = (OURS, "dipy CSD", "MRtrix3 csd", TRUTH)
NUMBERS = ("valid", "invalid", "unconnected", "overlap", "overreach")
# Amplitude where streamlines end, of a distribution of unit mass; methods differ in the mass of theirs.
CUTOFF = 0.1


@click.command(help="Track through orientations, and count streamlines that connect what bundles connect.")
@click.option("--output-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--condition", default="clinical_30", show_default=True)
@click.option("--seeds", default=5000, show_default=True, help="Points to start at, in white matter.")
@click.option("--write/--no-write", default=True, help="Whether to write docs/evidence.")
def main(output_dir: Path, condition: str, seeds: int, write: bool) -> None:
    """Track, compare, write."""
    folder = output_dir / condition
    rows: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    subjects = sorted(path.name for path in (folder / "scans").glob("*-seed0"))  # one of each scene
    for subject in tqdm(subjects, desc=condition, disable=None):
        place = folder / "scans" / subject
        for method in METHODS:
            rows[method].append(_row(_fod(method, place, folder / "out" / subject), place, seeds))
    record = {"condition": condition, "seeds": seeds, "subjects": subjects, "rows": rows, "command": COMMAND}
    click.echo("\n".join(_table(rows)))
    if write:
        write_evidence(NAME, record, _page(record))


def _fod(method: str, scan: Path, result: Path) -> torch.Tensor:
    if method == OURS:
        return read_map(result / "wmfod.nii.gz")
    return read_map(scan / "truth_wmfod.nii.gz") if method == TRUTH else FODS[method](scan)


def _row(fod: torch.Tensor, place: Path, seeds: int) -> dict[str, float]:
    """Scores of the streamlines through one scan's orientations; they run in its true white matter."""
    affine = read_volume(place / "truth_tissues.nii.gz", ndim=4).affine
    mask = read_map(place / "truth_tissues.nii.gz")[0] > 0
    mass = math.sqrt(4 * math.pi) * float(fod[0, mask].median())
    lines = track_fibers(fod, affine, mask, seeds, TrackingOptions(minimum_amplitude=CUTOFF * mass))
    bundles = read_map(place / "truth_bundles.nii.gz")
    endpoints = read_map(place / "truth_endpoints.nii.gz").unflatten(0, (-1, 2))
    found = streamline_scores(lines, bundles, endpoints, affine)
    return {number: getattr(found, number) for number in NUMBERS}


def _table(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    lines = ["| orientations of | valid | invalid | not connecting | overlap | overreach |", "|---" * 6 + "|"]
    for method, found in rows.items():
        cells = ("{:.3f} ± {:.3f}".format(*mean_interval(found, number)) for number in NUMBERS)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def _page(record: Mapping[str, Any]) -> list[str]:
    return [
        "# Streamlines through simulated bundles",
        "",
        f"Probabilistic tracking by dipy from {record['seeds']} seeds in white matter of each of",
        f"{len(record['subjects'])} simulated scenes ({record['condition']}, see shd_deconvolution_phantom.md).",
        "Valid streamlines connect the two ends of a bundle inside its mask, dilated by a voxel; invalid ones",
        "connect other regions. Overlap and overreach are relative to the voxels of a bundle. Means over scenes",
        "with 95 % confidence intervals (t distribution). The last row is what tracking itself makes of true",
        "orientations of degree 8.",
        "",
        *_table(record["rows"]),
    ]


if __name__ == "__main__":
    main()
