"""Draw brain MRI from real cortical surfaces: fsaverage5, as it is and with a thinner cortex."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monai_cortex.data import bundle_folder, sample_dataset
from monai_cortex.demo.session import Step, introduce, readable, run_steps, show_table, train_for_a_while
from monai_cortex.handlers import ui_line

__all__ = ["demonstrate"]

_SLUG = "cor2vox_synthesis"
_SPACING = 2  # mm
_STEPS = 5  # of the sampler: half of the bundle's own number, for half of the time
_DOSE = 0.5  # mm


def demonstrate(output_dir: Path, steps: int | None = None, weights: Path | None = None) -> None:
    """Draw the sample with the shipped weights; where steps are asked for, train on the MNI152 template first.

    Args:
        output_dir: folder of the results.
        steps: training steps; by default the shipped weights are used.
        weights: file of others.
    """
    introduce(_SLUG, output_dir)
    configs = readable(Path(bundle_folder(_SLUG)) / "configs")
    draw = [
        *("--config_file", f"{configs}/inference.json", "--output_dir", str(output_dir)),
        *("--dataset_dir", sample_dataset(_SLUG, output_dir, "fsaverage5")),
        *("--spacing", str(_SPACING), "--num_inference_steps", str(_STEPS), "--atrophy_mm", f"[{_DOSE}]"),
    ]
    if steps is not None:
        words = ("--spacing", str(_SPACING))
        weights = train_for_a_while("Train on the MNI152 template", configs, output_dir, steps, *words)
    if weights is not None:
        draw += ["--weights", str(weights)]
    run_steps([Step("Draw the image, and the one of a thinner cortex with equal noise", draw)])
    _summarize(output_dir)


def _summarize(output_dir: Path) -> None:
    record = json.loads((output_dir / "report.json").read_text())
    for subject in record["subjects"]:
        click.secho(f"{subject['subject']}: voxels of {_SPACING} mm, {_STEPS} steps", bold=True)
        rows = [
            [name, *(f"{subject[f'{name}_{key}']:.2f}" for key in ("assd_mm", "hd90_mm", "found"))]
            for name in ("white", "pial")
        ]
        show_table(["surface found again", "ASSD [mm]", "HD90 [mm]", "found"], rows)
        dose = f"atrophy_{_DOSE:g}"
        show_table(
            ["atrophy", "true [mm]", "estimated [mm]", "error [mm]"],
            [
                [
                    f"dose {_DOSE:g} mm",
                    *(f"{subject[f'{dose}_{key}']:.2f}" for key in ("true_mm", "estimated_mm", "error_mm")),
                ]
            ],
        )
    click.echo("found: share of vertices at which the image shows a boundary; means over the hemispheres\n")
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")
