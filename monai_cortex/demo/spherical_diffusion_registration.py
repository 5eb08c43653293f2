"""Register real cortical surfaces: fsaverage5's mirrored hemispheres onto the others."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monai_cortex.data import bundle_folder
from monai_cortex.demo.session import Step, introduce, readable, run_steps, show_table, train_for_a_while
from monai_cortex.handlers import ui_line

__all__ = ["demonstrate"]

_SLUG = "spherical_diffusion_registration"
_ROWS = {"networks and optimization": "", "optimization alone": "unguided_"}


def demonstrate(output_dir: Path, steps: int | None = None) -> None:
    """Register the sample with the shipped weights and without; where steps are asked for, train first.

    Args:
        output_dir: folder of the results.
        steps: training steps; by default the shipped weights are used.
    """
    introduce(_SLUG, output_dir)
    configs = readable(Path(bundle_folder(_SLUG)) / "configs")
    evaluate = [
        "--config_file",
        f"['{configs}/inference.json','{configs}/evaluate.json']",
        *("--output_dir", str(output_dir)),
    ]
    if steps is not None:
        evaluate += ["--weights", str(train_for_a_while("Train on the sample", configs, output_dir, steps))]
    run_steps([Step("Register, with the networks and without", evaluate)])
    _summarize(output_dir)


def _summarize(output_dir: Path) -> None:
    record = json.loads((output_dir / "report.json").read_text())
    for subject in record["subjects"]:
        for side in ("lh", "rh"):
            click.secho(f"{subject['subject']}, {side}: NCC {subject[f'{side}_ncc_rigid']:.3f} rotated", bold=True)
            names = ("ncc", "areal_mean", "edge_mean", "new_folds", "seconds")
            rows = [
                [name, *(f"{subject[f'{side}_{prefix}{key}']:g}" for key in names)] for name, prefix in _ROWS.items()
            ]
            show_table(["method", "NCC", "areal distortion", "edge distortion", "new folds", "time [s]"], rows)
    click.echo("distortion: means of |log2 area ratio| and |length ratio - 1| from the native sphere\n")
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")
