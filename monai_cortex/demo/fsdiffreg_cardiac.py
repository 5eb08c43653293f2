"""Register two phases of a simulated heart whose true motion is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from monai_cortex.data import bundle_folder, sample_dataset
from monai_cortex.demo.session import Step, introduce, readable, run_steps, show_table, train_for_a_while
from monai_cortex.handlers import ui_line

__all__ = ["demonstrate"]

_SLUG = "fsdiffreg_cardiac"
_STRUCTURES = {"lv": "LV cavity", "myo": "myocardium", "epi": "epicardium", "rv": "RV cavity", "all": "all"}
_KINDS = {"before": "initial_", "network alone": "network_", "after": ""}


def demonstrate(output_dir: Path, steps: int | None = None, weights: Path | None = None) -> None:
    """Register the sample with the shipped weights; where steps are asked for, train on the sample first.

    Args:
        output_dir: folder of the results.
        steps: training steps; by default the shipped weights are used.
        weights: file of others.
    """
    introduce(_SLUG, output_dir)
    configs = readable(Path(bundle_folder(_SLUG)) / "configs")
    dataset = sample_dataset(_SLUG, output_dir)
    register = [
        *("--config_file", f"{configs}/inference.json", "--output_dir", str(output_dir), "--dataset_dir", dataset)
    ]
    if steps is not None:
        weights = train_for_a_while("Train on the sample", configs, output_dir, steps, "--dataset_dir", dataset)
    if weights is not None:
        register += ["--weights", str(weights)]
    run_steps([Step("Register end diastole to end systole, by the network and by refinement", register)])
    _summarize(output_dir)


def _summarize(output_dir: Path) -> None:
    record = json.loads((output_dir / "report.json").read_text())
    for subject in record["subjects"]:
        times = f"network {subject['network_s']:.1f} s, refinement {subject['refine_s']:.1f} s"
        click.secho(f"{subject['subject']}: {times}", bold=True)
        kinds = {name: prefix for name, prefix in _KINDS.items() if f"{prefix}ncc" in subject}
        rows = [[text, *_cells(subject, kinds, f"dice_{name}", 3)] for name, text in _STRUCTURES.items()]
        rows.append(["mean", *_cells(subject, kinds, "dice_mean5", 3)])
        rows.append(["distance from the true motion [mm]", *_cells(subject, kinds, "epe_heart_mean_mm", 2)])
        rows.append(["folded, J <= 0 in the heart [%]", *_cells(subject, kinds, "folding_heart_percent", 3)])
        show_table(["Dice", *kinds], rows)
    click.echo("before: without a registration; J: local volume change\n")
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")


def _cells(subject: Mapping[str, Any], kinds: Mapping[str, str], name: str, decimals: int) -> list[str]:
    """A measure before, of the network and after, as far as it is known."""
    values = [subject.get(f"{prefix}{name}") for prefix in kinds.values()]
    return ["" if value is None else f"{value:.{decimals}f}" for value in values]
