"""From one cortex to another by one command, and how well images along the way show its thickness.

python tools/evidence/cortex_trajectory.py

Writes docs/evidence/cortex_trajectory.{md,json,png}. People are the template fsaverage5, its mirror image, and a
synthetic person made of that, whose cortex has lost 0.5 mm.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
from evidence_page import EVIDENCE, write_evidence

from monai_cortex.data import check_sphere, read_surface_geometry
from monai_cortex.geometry.sphere import arc_angle

__all__ = ["main"]

NAME = "cortex_trajectory"
COMMAND = f"python tools/evidence/{NAME}.py"
SIDES = ("lh", "rh")


@click.command(help="Run the command, and hold the registration against known places.")
@click.option("--output-dir", type=click.Path(path_type=Path), help="Keep the results; those that are there are taken.")
def main(output_dir: Path | None) -> None:
    """Run, gather, write."""
    with TemporaryDirectory() as place:
        out = output_dir or Path(place)
        subprocess.run([sys.executable, "-m", "monai_cortex", "trajectory", "--output-dir", str(out)], check=True)
        click.echo(_gather(out))


def _gather(out: Path) -> str:
    """Write the evidence of a finished trajectory."""
    shutil.copy(out / "figures" / "trajectory.png", EVIDENCE / f"{NAME}.png")
    record = json.loads((out / "trajectory.json").read_text())
    record |= {"correspondence_degree": _correspondence(out), "command": COMMAND}
    return write_evidence(NAME, record, _page(record), packages=("monai", "torch", "numpy", "nilearn"))


def _correspondence(out: Path) -> dict[str, float]:
    """Degrees between where a vertex of the synthetic person and the same one of whom it was made of were put."""
    pairs = [_places(out, f"{side}.sphere.mcx.reg", "registration") for side in SIDES]
    before = [_places(out, f"{side}.sphere", "people") for side in SIDES]
    return {
        name: float(torch.rad2deg(torch.cat([arc_angle(*pair) for pair in each])).mean())
        for name, each in (("before", before), ("after", pairs))
    }


def _places(out: Path, name: str, folder: str) -> list[torch.Tensor]:
    spheres = [out / folder / person / "surf" / name for person in ("fsaverage5_mirrored", "synthetic_thin")]
    return [check_sphere(read_surface_geometry(path))[0].vertices for path in spheres]


def _page(record: Mapping[str, Any]) -> list[str]:
    degrees, settings, steps = record["correspondence_degree"], record["settings"], record["steps"]
    true, found = ([step[key] for step in steps] for key in ("thickness_mm", "found_thickness_mm"))
    turned, cutting, outside = (max(column) for column in zip(*map(_flaws, steps), strict=True))
    # A closed surface of V vertices has 2 V - 4 triangles.
    faces = 2 * record["model"]["vertices"] - 4 * len(steps[0]["hemispheres"])
    return [
        "# From one cortex to another, and what its images show",
        "",
        f"One command registers {len(record['subjects'])} people on the sphere, fits the shape model, goes from one to",
        f"another by slerp, draws MRI of {len(steps)} cortices with equal noise and looks for both surfaces in each,",
        f"from a cortex of {record['start_mm']} mm everywhere: the slope of its curve comes from the images.",
        f"Voxels of {settings['spacing_mm']:g} mm, {settings['sampling_steps']} steps of the bridge, shipped weights.",
        "From the template fsaverage5 to a synthetic person, who folds like its mirror image and has lost 0.5 mm of",
        "cortex.",
        "",
        "| share | thickness, meshes [mm] | found in the MRI [mm] | error [mm] | pial area [cm²] | cortex [cm³] |",
        "|---|---|---|---|---|---|",
        *map(_row, steps),
        "",
        f"![Images, surfaces and thickness along the path]({NAME}.png)",
        "",
        f"From end to end {true[-1] - true[0]:+.3f} mm in the meshes, {found[-1] - found[0]:+.3f} mm in the MRI. The",
        "change is found in part: levels lie below the true ones by an error that depends on the thickness. Thickness:",
        "mean distance of partners, both hemispheres, vertices with 0.5 mm of cortex or more. Error: mean absolute",
        "difference of single vertices.",
        "",
        f"Flaws, most of all places: {turned} of {faces:,} pial triangles turned over, {cutting} that cut others, and",
        f"{outside} voxels of 1 mm that are white matter outside of the pial surface.",
        "",
        f"The synthetic person's vertices have known partners on the mirrored template: {degrees['before']:.1f}",
        f"degrees apart on the spheres as they are, {degrees['after']:.2f} after both were registered to the template.",
        "",
        "Templates are averages and smooth, and sulcal depth of the synthetic person is that of whom it was made of:",
        "no path leads through a population here. With three people, the middle of a slerp path is 2/3 of both ends",
        "less 1/3 of the third person. The ends are met exactly, by algebra, but for mended vertices: all components",
        "are kept.",
    ]


def _row(step: Mapping[str, Any]) -> str:
    values = [f"{step[key]:.3f}" for key in ("thickness_mm", "found_thickness_mm", "thickness_error_mm")]
    values += [f"{step['pial_area_mm2'] / 100:.0f}", f"{step['cortex_volume_mm3'] / 1000:.1f}"]
    return f"| {step['share']:.2f} | {' | '.join(values)} |"


def _flaws(step: Mapping[str, Any]) -> list[int]:
    names = ("turned_triangles", "pial_crossing_triangles", "white_outside_pial_voxels")
    return [int(sum(side[name] for side in step["hemispheres"].values())) for name in names]


if __name__ == "__main__":
    main()
