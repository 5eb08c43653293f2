"""Deconvolve real diffusion MRI: train on the sample, infer, compare with constrained spherical deconvolution."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monai_cortex.data import bundle_folder
from monai_cortex.demo.session import Step, introduce, readable, run_steps, show_table
from monai_cortex.handlers import ui_line

__all__ = ["demonstrate"]

_SLUG = "shd_deconvolution"


def demonstrate(output_dir: Path, steps: int | None = None) -> None:
    """Train SHD-TV on the sample scan and show it beside dipy's constrained spherical deconvolution.

    Args:
        output_dir: folder of the results.
        steps: training steps; by default the bundle's own number.
    """
    introduce(_SLUG, output_dir)
    configs = readable(Path(bundle_folder(_SLUG)) / "configs")
    train = ["--config_file", f"{configs}/train.json", "--output_dir", str(output_dir)]
    evaluate = [
        "--config_file",
        f"['{configs}/inference.json','{configs}/evaluate.json']",
        *("--output_dir", str(output_dir)),
        *("--weights", f"{output_dir}/model.pt"),
    ]
    if steps is not None:
        train += ["--steps", str(steps), "--epochs", str(min(steps, 10))]
    run_steps([Step("Train on the sample scan", train)])
    seconds = json.loads((output_dir / "report.json").read_text())["time_s"]
    run_steps([Step("Infer, and compare with constrained spherical deconvolution", evaluate)])
    _summarize(output_dir, seconds)


def _summarize(output_dir: Path, training_seconds: float) -> None:
    record = json.loads((output_dir / "report.json").read_text())
    for subject in record["subjects"]:
        click.secho(f"{subject['subject']}: {subject['voxels']} voxels, {subject['volumes']} volumes", bold=True)
        show_table(
            ["method", "mean angle to CSD [degree]", "residual [% of b = 0]", "training [s]", "inference [s]"],
            [
                [
                    "SHD-TV",
                    f"{subject['angle_to_csd_degree']:.1f}",
                    f"{subject['residual_percent']:.1f}",
                    f"{training_seconds:.0f}",
                    f"{subject['inference_time_s']:.2f}",
                ],
                [
                    "CSD (dipy)",
                    "0.0",
                    f"{subject['csd_residual_percent']:.1f}",
                    "-",
                    f"{subject['csd_time_s']:.2f}",
                ],
            ],
        )
    click.echo(
        "angles between first peaks where fractional anisotropy > 0.3; residual: root mean square over volumes\n"
    )
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")
