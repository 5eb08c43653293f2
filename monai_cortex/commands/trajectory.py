"""From one cortex to another: registered, modeled, interpolated, imaged and measured by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["trajectory"]

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("dataset_dir", type=_FOLDER, required=False)
@click.option("--output-dir", default="out/trajectory", type=_FOLDER, show_default=True, help="Gets all results.")
@click.option("--target-dir", type=_FOLDER, help="Subject that spheres are registered to; by default fsaverage5.")
@click.option("--subjects", default="", help="Stations, as a,b or a,b,c; by default the first and the last subject.")
@click.option("--steps", type=click.IntRange(min=2), default=5, show_default=True, help="A leg, both ends included.")
@click.option("--hemispheres", default="lh,rh", show_default=True, help="lh, rh or lh,rh.")
@click.option("--level", type=click.IntRange(0, 8), default=5, show_default=True, help="Of the icosphere: 6 is finer.")
@click.option(
    "--spacing", type=click.FloatRange(0.5, 4), default=2.0, show_default=True, help="Voxel edge of the images in mm."
)
@click.option(
    "--sampling-steps", type=click.IntRange(min=1), default=5, show_default=True, help="Of the bridge; 10 in the paper."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise, equal for all.")
@click.option("--tracking-uri", help="MLflow server or database; by default mlruns.db in the output folder.")
@click.option("--track/--no-track", default=True, show_default=True, help="Write MLflow runs.")
def trajectory(output_dir: Path, subjects: str, hemispheres: str, track: bool, **rest: Any) -> None:
    """Go from one subject of DATASET_DIR to another; without one, from a template to a synthetic person.

    Registers all spheres, fits the shape model, goes from station to station by slerp, draws the image of each cortex
    on the way, and measures the thickness in the meshes and again in the images.
    """
    from monai_cortex.demo.screen import introduce, show_table
    from monai_cortex.handlers import ui_line
    from monai_cortex.trajectory import TrajectoryRequest, run_trajectory
    from monai_cortex.visualize import Table

    introduce(output_dir)
    rest["tracking_uri"] = rest["tracking_uri"] if track else ""
    stations, sides = (tuple(filter(None, text.split(","))) for text in (subjects, hemispheres))
    record = run_trajectory(TrajectoryRequest(output_dir, subjects=stations, hemispheres=sides, **rest))
    names = ("thickness_mm", "found_thickness_mm", "thickness_error_mm")
    rows = [
        ["-".join(dict.fromkeys(step["ends"])), f"{step['share']:.2f}", *(f"{step[name]:.3f}" for name in names)]
        for step in record["steps"]
    ]
    headings = ["from - to", "share", "meshes [mm]", "in the image [mm]", "mean absolute error [mm]"]
    show_table(Table(headings, rows, "mean thickness along the path"))
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    if track:
        click.echo(f"runs    {ui_line(output_dir)}")
