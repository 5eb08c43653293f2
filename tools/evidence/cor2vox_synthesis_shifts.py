"""How far the shipped weights of Cor2Vox carry: brains that are smaller, smoother or thicker, and coarser grids.

python tools/evidence/cor2vox_synthesis_shifts.py

Writes docs/evidence/cor2vox_synthesis_shifts.{md,json}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cortex_people import BUNDLE, HELD_OUT, HEMISPHERE, BundleNetwork, fields_of, held_out_person, surfaces_of
from evidence_page import write_evidence
from scipy.spatial import ConvexHull
from torch import Tensor
from tqdm import tqdm

from monai_cortex.geometry.distortion import mesh_edges
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.topology import signed_volume
from monai_cortex.inferers import image_errors, surface_errors
from monai_cortex.simulate import CorticalSurfaces, CorticalVariation, template_cortex, vary_cortex

__all__ = ["main"]

NAME = "cor2vox_synthesis_shifts"
COMMAND = f"python tools/evidence/{NAME}.py"
SPACING = 1.4
GRIDS = (1.0, 1.4, 2.0, 2.8, 5.6)
PASSES = {"smoothed a little": 5, "smoothed much": 20}
PLAIN = CorticalVariation()
PEOPLE = {
    "as in training": PLAIN,
    "three quarters of the size": CorticalVariation(scale=(0.75, 0.75)),
    "a tenth larger": CorticalVariation(scale=(1.1, 1.1)),
    "thick cortex": CorticalVariation(thickness=3.6, limits=(2.0, 6.0)),
    "thin cortex": CorticalVariation(thickness=1.7, limits=(0.9, 3.0)),
}


@click.command(help="Draw unusual brains and coarse grids.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), default=BUNDLE / "models" / "model.pt")
@click.option("--brief", is_flag=True, help="The person as in training, and one coarse grid.")
def main(weights: Path, brief: bool) -> None:
    """Draw, measure, write."""
    network, rows, grids = BundleNetwork(weights), [], []
    people = list(unusual().items())[: 1 if brief else None]
    for name, person in tqdm(people, desc="people", disable=None):
        item = fields_of(person, HELD_OUT, SPACING, sides=HEMISPHERE)
        rows.append({"what": name, **folding(person.pial["lh"]), **compared(network, item)})
    for spacing in tqdm((2.8,) if brief else GRIDS, desc="grids", disable=None):
        item = held_out_person(HELD_OUT, spacing, sides=HEMISPHERE)
        grids.append({"spacing": spacing, **compared(network, item)})
    record = {"command": COMMAND, "spacing_mm": SPACING, "people": rows, "grids": grids}
    write_evidence(NAME, record, page(rows, grids), ("monai", "torch", "numpy"))


def unusual() -> dict[str, CorticalSurfaces]:
    """One person, changed."""
    template = template_cortex()
    people = {
        name: vary_cortex(template, torch.Generator().manual_seed(HELD_OUT), variation)
        for name, variation in PEOPLE.items()
    }
    plain = people["as in training"]
    for name, passes in PASSES.items():
        people[name] = CorticalSurfaces(*({side: smoothed(m, passes) for side, m in k.items()} for k in plain))
    return people


def smoothed(mesh: Mesh, passes: int) -> Mesh:
    """Each vertex half way to the mean of its neighbors, so many times."""
    i, j = mesh_edges(mesh.faces).unbind(1)
    start, end = torch.cat([i, j]), torch.cat([j, i])
    count = torch.zeros(len(mesh.vertices), 1, dtype=torch.float64).index_add_(
        0, start, torch.ones(len(start), 1, dtype=torch.float64)
    )
    vertices = mesh.vertices.double()
    for _ in range(passes):
        mean = torch.zeros_like(vertices).index_add_(0, start, vertices[end]) / count
        vertices = (vertices + mean) / 2
    return Mesh(vertices, mesh.faces)


def folding(pial: Mesh) -> dict[str, float]:
    """Area over that of the convex hull, and over volume to the power 2/3."""
    a, b, c = pial.vertices[pial.faces].unbind(1)
    area = float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)
    hull = ConvexHull(pial.vertices.numpy())
    return {"folding": area / hull.area, "compactness": area / signed_volume(pial) ** (2 / 3)}


def compared(network: BundleNetwork, item: Mapping[str, Any]) -> dict[str, float]:
    """Surfaces found in the generated and in the true image."""
    affine, real = torch.as_tensor(np.asarray(item["image"].affine)), _plain(item["image"])
    image = network.draw(item).image
    found, floor = (surface_errors(part, affine, surfaces_of(item)) for part in (image, (real + 1) / 2))
    similarity = image_errors(image, (real + 1) / 2, _plain(item["pial_distance"]))
    return found | {f"floor_{name}": value for name, value in floor.items()} | {"ssim_brain": similarity["ssim_brain"]}


def page(rows: Sequence[Mapping[str, Any]], grids: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of the page."""
    head = " | ".join(
        f"{surface} ASSD, {kind}" for surface in ("white", "pial") for kind in ("generated", "true image")
    )
    beyond = [row["spacing"] for row in grids if row["pial_assd_mm"] > 1.5 * row["floor_pial_assd_mm"]]
    first = f"from {min(beyond):g} mm on" if beyond else "on none of these grids"
    return [
        "# Unusual brains and coarse grids",
        "",
        "Synthetic shift test: one held-out synthetic person, changed. It says nothing of children or patients. Left",
        f"hemisphere, {SPACING:g} mm; surfaces are found again in the generated and in the true image, mm. Folding is",
        "the pial area over that of the convex hull; compactness is area over volume to the power 2/3.",
        "",
        f"| person | folding | compactness | {head} | SSIM, brain |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {row['what']} | {row['folding']:.2f} | {row['compactness']:.1f} | {_numbers(row)} |" for row in rows),
        "",
        "The same person on coarser grids, with distances computed on each. Weights were trained on .95 to 1.55 mm.",
        "",
        f"| voxel mm | {head} | SSIM, brain |",
        "|---|---|---|---|---|---|",
        *(f"| {row['spacing']:g} | {_numbers(row)} |" for row in grids),
        "",
        f"The pial error of the generated image exceeds 1.5 times that of the true one {first}.",
    ]


def _numbers(row: Mapping[str, float]) -> str:
    names = [f"{kind}{surface}_assd_mm" for surface in ("white", "pial") for kind in ("", "floor_")]
    return " | ".join(f"{row[name]:.3f}" for name in (*names, "ssim_brain"))


def _plain(image: Any) -> Tensor:
    return torch.as_tensor(np.asarray(image))[0]


if __name__ == "__main__":
    main()
