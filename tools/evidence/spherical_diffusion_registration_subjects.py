"""Registration as users run it, on real and synthetic subjects: agreement, overlap, distortion, folds, time.

MONAI_CORTEX_DEV_DATA=... python tools/evidence/spherical_diffusion_registration_subjects.py

Writes docs/evidence/spherical_diffusion_registration_subjects.{md,json}. The real pair is fsaverage5, each hemisphere
mirrored onto the other one. Synthetic people are drawn around the mean of 904 with seeds that training has not seen.
Takes cortex_population_904 and fsaverage5_labels of the development data.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch
from development_data import fsaverage5_labels, population_904
from evidence_page import write_evidence
from monai.bundle import ConfigParser

from monai_cortex.data import bundle_folder, check_sphere, read_surface_geometry, sample_target, sha256, write_samples
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.inferers import registration_pairs
from monai_cortex.simulate import mean_cortex, read_population, write_synthetic_cortex, write_synthetic_cortices

__all__ = ["main"]

NAME = "spherical_diffusion_registration_subjects"
COMMAND = f"python tools/evidence/{NAME}.py"
SLUG = "spherical_diffusion_registration"
SEED = 90000  # of the first synthetic person
METHODS = {"networks and optimization": "", "optimization alone": "unguided_"}
COLUMNS = ("ncc", "dice", "areal_mean", "areal_median", "areal_p95", "edge_mean", "edge_median", "edge_p95")
HEADINGS = (
    "| subjects | method | NCC | Dice | areal mean / med / P95 | edge mean / med / P95 "
    "| error [degree] | folds | time [s] |"
)


@click.command(help="Register fsaverage5 mirrored and synthetic people through the stock client.")
@click.option("--people", default=6, show_default=True, help="Synthetic ones, two hemispheres each.")
def main(people: int) -> None:
    """Write subjects, run the bundle, gather."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        real = _mirrored(folder / "real")
        synthetic = _synthetic(folder / "synthetic", people)
        rows = {"fsaverage5, mirrored": _run(*real, folder / "a"), "synthetic people": _run(*synthetic, folder / "b")}
        record: dict[str, Any] = {"subjects": rows, "rotation": _equivariance(synthetic), "command": COMMAND}
    record["weights_sha256"] = sha256(Path(bundle_folder(SLUG)) / "models" / "model.pt")
    click.echo(write_evidence(NAME, record, _page(record), packages=("torch", "numpy", "nilearn")))


def _mirrored(folder: Path) -> tuple[Path, Path]:
    """fsaverage5 with its labels, and its mirrored twin with the other side's."""
    write_samples(SLUG, folder / "subjects")
    target = Path(sample_target(folder))
    for side, other in (("lh", "rh"), ("rh", "lh")):
        for place, source in ((target, side), (folder / "subjects" / "fsaverage5_mirrored", other)):
            (place / "label").mkdir(exist_ok=True)
            shutil.copy(fsaverage5_labels() / f"{source}.aparc.annot", place / "label" / f"{side}.aparc.annot")
    return folder / "subjects", target


def _synthetic(folder: Path, people: int) -> tuple[Path, Path]:
    write_synthetic_cortices(folder / "subjects", people, SEED, population_904())
    populations = {side: read_population(population_904(), side) for side in ("lh", "rh")}
    write_synthetic_cortex(folder / "mean", mean_cortex(populations), populations["lh"].mesh)
    return folder / "subjects", folder / "mean"


def _run(subjects: Path, target: Path, out: Path) -> list[dict[str, Any]]:
    """One row a hemisphere and method, from the run's own metrics."""
    configs = Path(bundle_folder(SLUG)) / "configs"
    words = ["--config_file", f"['{configs}/inference.json','{configs}/evaluate.json']", "--track", "False"]
    places = ["--dataset_dir", str(subjects), "--target_dir", str(target), "--output_dir", str(out)]
    subprocess.run([sys.executable, "-m", "monai.bundle", "run", *words, *places], check=True)
    rows = []
    for metrics in json.loads((out / "report.json").read_text())["subjects"]:
        for side in ("lh", "rh"):
            error = _error(subjects / metrics["subject"], out / metrics["subject"], side)
            for method, prefix in METHODS.items():
                found = {name: metrics.get(f"{side}_{prefix}{name}") for name in (*COLUMNS, "new_folds", "seconds")}
                found |= {
                    "rotated_ncc": metrics[f"{side}_ncc_rigid"],
                    "rotated_dice": metrics.get(f"{side}_dice_rigid"),
                }
                found["error_degree"] = None if prefix else error
                rows.append({"subject": metrics["subject"], "side": side, "method": method, **found})
    return rows


def _error(native: Path, result: Path, side: str) -> float | None:
    """Mean distance from the true places in degree, where these are known."""
    truth = native / "surf" / f"{side}.sphere.true.reg"
    if not truth.is_file():
        return None
    places, _ = check_sphere(read_surface_geometry(result / "surf" / f"{side}.sphere.mcx.reg"))
    true = read_surface_geometry(truth).mesh.vertices
    return float(torch.rad2deg(arc_angle(places.vertices, true / true.norm(dim=1, keepdim=True))).mean())


@torch.no_grad()
def _equivariance(subjects: tuple[Path, Path], rotations: int = 5) -> float:
    """How far the networks' field for turned maps is from the turned field, as a fraction, mean over rotations."""
    parser = ConfigParser()
    parser.read_config(f"{bundle_folder(SLUG)}/configs/inference.json")
    parser["bundle_root"] = bundle_folder(SLUG)
    parser["dataset_dir"], parser["target_dir"] = map(str, subjects)
    network = parser.get_parsed_content("network").cpu().eval()
    pair = registration_pairs(*subjects, hemispheres=("lh",), level=network.level, degree=network.degree)[0][0]
    maps = [network.fine_transform(pair[name][None]) for name in ("fixed", "moving")]

    def field(coefficients: Sequence[torch.Tensor]) -> torch.Tensor:
        values = map(network.fine_transform.inverse, coefficients)
        return network(*values, generator=torch.Generator().manual_seed(1)).steps[-1].field[0]

    errors, before = [], field(maps)
    for seed in range(rotations):
        rotation = random_rotation(torch.Generator().manual_seed(seed))
        turn, part = (
            harmonic_rotation(rotation, degree, even=False).float()
            for degree in (network.degree, network.warp_net.field_degree)
        )
        expected = rotation.float() @ before @ part.T
        errors.append(float((field([c @ turn.T for c in maps]) - expected).norm() / expected.norm()))
    return sum(errors) / len(errors)


def _page(record: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, rows in record["subjects"].items():
        first = [row for row in rows if row["method"] == "networks and optimization"]
        rotated = f"{_mean(first, 'rotated_ncc')} | {_mean(first, 'rotated_dice')}"
        lines.append(f"| {name} | rotation alone | {rotated} | 0 | 0 | | | |")
        lines += [_line(name, method, [row for row in rows if row["method"] == method]) for method in METHODS]
    return [
        "# Registration of subjects",
        "",
        "Through the stock client with the shipped weights and default settings, files in and files out. Means",
        "over hemispheres. The time is that of one hemisphere without reading and writing. Dice: 34 regions of aparc",
        "of fsaverage5, which FreeSurfer made by its own registration. Synthetic people have known true places.",
        "",
        HEADINGS,
        "|---|---|---|---|---|---|---|---|---|",
        *lines,
        "",
        "Turning both maps of a pair turns the networks' field, but for "
        f"{100 * record['rotation']:.1f} % of it (one synthetic person; the diffusion's noise is not turned too).",
    ]


def _line(name: str, method: str, rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [_mean(rows, "ncc"), _mean(rows, "dice")]
    cells += [
        " / ".join(_mean(rows, f"{kind}_{part}") for part in ("mean", "median", "p95")) for kind in ("areal", "edge")
    ]
    cells += [_mean(rows, "error_degree"), str(sum(row["new_folds"] for row in rows)), _mean(rows, "seconds")]
    return f"| {name} | {method} | {' | '.join(cells)} |"


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{np.mean(values):.3f}" if values else ""


if __name__ == "__main__":
    main()
