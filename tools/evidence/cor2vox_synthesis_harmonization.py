"""People imaged by scanner B, redrawn by weights that know scanner A only.

python tools/evidence/cor2vox_synthesis_harmonization.py

Writes docs/evidence/cor2vox_synthesis_harmonization.{md,json}. Both scanners are simulated, so that the same person's
image by scanner A is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cortex_people import BUNDLE, HELD_OUT, HEMISPHERE, BundleNetwork, held_out_person, scaled, surfaces_of
from evidence_page import write_evidence
from torch import Tensor
from tqdm import tqdm

from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers import jitter_surfaces, reconstruct_surfaces, surface_errors
from monai_cortex.metrics import tissue_histogram
from monai_cortex.simulate import SCANNERS

__all__ = ["main", "matched"]

NAME = "cor2vox_synthesis_harmonization"
COMMAND = f"python tools/evidence/{NAME}.py"
PURE = 0.9  # share of a voxel above which it counts to a tissue


@click.command(help="Redraw people of scanner B in the look of scanner A.")
@click.option("--people", default=2, show_default=True, help="Held out.")
@click.option("--spacing", default=1.4, show_default=True, help="Voxel edges in mm.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), default=BUNDLE / "models" / "model.pt")
def main(people: int, spacing: float, weights: Path) -> None:
    """Image, redraw, compare, write."""
    network, found = BundleNetwork(weights), []
    for number in tqdm(range(people), desc="people", disable=None):
        own, target = (held_out_person(HELD_OUT + number, spacing, SCANNERS[name], HEMISPHERE) for name in "BA")
        truth, image = _intensities(target), _intensities(own)
        low, high = target["intensity_range"]
        again = scaled({**own, **found_surfaces(own), "image": own["image"]})
        redrawn, searched = (network.draw(item).image * (high - low) + low for item in (own, again))
        tissues = own["fractions"] > PURE
        for what, other in (
            ("scanner B", image),
            ("histogram matched to another person of A", matched(image, HELD_OUT + number + 50, spacing)),
            ("redrawn from the true surfaces", redrawn),
            ("redrawn from surfaces found in B's image", searched),
        ):
            distance = tissue_histogram(other, truth, tissues).distance
            errors = surface_errors(other, torch.as_tensor(np.asarray(own["image"].affine)), surfaces_of(own))
            found.append({"what": what, "distance": float(distance.mean()), **errors})
    rows = averaged(found)
    record = {"command": COMMAND, "people": people, "spacing_mm": spacing, "rows": rows}
    write_evidence(NAME, record, page(rows, people, spacing), ("monai", "torch", "numpy"))


def found_surfaces(item: Mapping[str, Any]) -> dict[str, list[Mesh]]:
    """White and pial surfaces that the image itself shows, from a start moved by up to 1 mm."""
    white, pial = (join_meshes(item[kind]) for kind in ("white", "pial"))
    start = jitter_surfaces(white, pial, 1.0, torch.Generator().manual_seed(0))
    found = reconstruct_surfaces(
        torch.as_tensor(np.asarray(item["image"]))[0].double(), np.asarray(item["image"].affine), *start
    )
    counts = [len(mesh.vertices) for mesh in item["white"]]
    return {
        kind: [
            Mesh(vertices, mesh.faces) for vertices, mesh in zip(joined.vertices.split(counts), item[kind], strict=True)
        ]
        for kind, joined in (("white", found.white), ("pial", found.pial))
    }


def matched(image: Tensor, seed: int, spacing: float) -> Tensor:
    """The image with the quantiles of another person's image by scanner A: a method without any model."""
    other = _intensities(held_out_person(seed, spacing, sides=HEMISPHERE))
    own, theirs = image[image > 0].sort(), other[other > 0].sort().values.numpy()
    places = np.linspace(0, len(theirs) - 1, len(own.values))
    result = torch.zeros_like(image)
    values = torch.empty_like(own.values)
    values[own.indices] = torch.from_numpy(np.interp(places, np.arange(len(theirs)), theirs)).to(values)
    result[image > 0] = values
    return result


def averaged(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over people, and how much of scanner B's distance is gone."""
    rows = []
    for what in dict.fromkeys(row["what"] for row in found):
        same = [row for row in found if row["what"] == what]
        rows.append({"what": what, **{key: float(np.mean([r[key] for r in same])) for key in same[0] if key != "what"}})
    return [{**row, "gone_percent": 100 * (1 - row["distance"] / rows[0]["distance"])} for row in rows]


def page(rows: Sequence[Mapping[str, Any]], people: int, spacing: float) -> list[str]:
    """Lines of the page."""
    lines = [
        "# Scanner B's people in the look of scanner A",
        "",
        f"Left hemispheres of {people} people, {spacing:g} mm. Scanner B has another contrast, gamma 1.3, a bias",
        "field and three times the noise. Distance: of order 1 between the intensities of each tissue and those in the",
        "same person's image by scanner A, mean over white matter, gray matter and fluid (voxels at least 90 % of it),",
        "in units of A's white matter. Surfaces are found again in each image; ASSD to the true ones in mm. Both",
        "scanners are simulated: nothing is said here of real ones.",
        "",
        "| image | distance | gone | white ASSD | pial ASSD | thickness error |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['what']} | {row['distance']:.4f} | {row['gone_percent']:.0f} % | {row['white_assd_mm']:.3f} | "
            f"{row['pial_assd_mm']:.3f} | {row['thickness_error_mm']:.3f} |"
        )
    return lines


def _intensities(item: Mapping[str, Any]) -> Tensor:
    """The image in its scanner's unit, as far as the scale has not clipped it."""
    low, high = item["intensity_range"]
    return (torch.as_tensor(np.asarray(item["image"]))[0] + 1) / 2 * (high - low) + low


if __name__ == "__main__":
    main()
