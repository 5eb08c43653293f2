"""Atrophy of a known dose, asked of the surfaces and measured in the images that Cor2Vox draws from them.

python tools/evidence/cor2vox_synthesis_atrophy.py

Writes docs/evidence/cor2vox_synthesis_atrophy.{md,json}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cortex_people import BUNDLE, HELD_OUT, HEMISPHERE, BundleNetwork, held_out_person
from evidence_page import write_evidence
from torch import Tensor
from tqdm import tqdm

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers import SyntheticBrain, atrophy_response
from monai_cortex.simulate import SCANNERS, simulate_t1

__all__ = ["main"]

NAME = "cor2vox_synthesis_atrophy"
COMMAND = f"python tools/evidence/{NAME}.py"
DOSES = (0.1, 0.25, 0.5, 1.0)
AGAIN = (0.5,)  # drawn with other noise too
SPACING = 1.42  # mm, the voxel size of the paper's grid along its shorter axes
RADIUS = 40.0  # mm around the outermost vertex of each hemisphere


@click.command(help="Thin the cortex of held-out people by known doses, and measure it in the images.")
@click.option("--people", default=2, show_default=True, help="Held out.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), default=BUNDLE / "models" / "model.pt")
def main(people: int, weights: Path) -> None:
    """Draw, measure, write."""
    names: dict[str, Any] = {"atrophy_mm": list(DOSES), "atrophy_labels": ["lateral"]}
    network = BundleNetwork(weights, **names)
    other = BundleNetwork(weights, **names | {"atrophy_mm": list(AGAIN)}, seed=100)
    found: list[dict[str, Any]] = []
    for number in tqdm(range(people), desc="people", disable=None):
        item = held_out_person(HELD_OUT + number, SPACING, sides=HEMISPHERE)
        item |= {"labels": {s: lateral(m) for s, m in zip(item["sides"], item["white"], strict=True)}}
        item["label_names"] = ("lateral",)
        brain, redrawn = network.draw(item), other.draw(item)
        control = true_image(item, item["pial"])
        true = {dose: true_image(item, brain.atrophied[dose][1]) for dose in DOSES}
        drawn = {dose: image for dose, (image, _) in brain.atrophied.items()}
        noise = {dose: image for dose, (image, _) in redrawn.atrophied.items()}
        found += responses("true image (floor)", item, brain, control, true)
        found += responses("generated, equal noise", item, brain, brain.image, drawn)
        found += responses("generated, other noise than its control", item, brain, brain.image, noise)
    rows = averaged(found)
    record = {"command": COMMAND, "people": people, "spacing_mm": SPACING, "rows": rows}
    write_evidence(NAME, record, page(rows, people), ("monai", "torch", "numpy"))


def lateral(mesh: Mesh) -> Tensor:
    """0 for vertices near the outermost one, -1 for all others, ``(V,)``."""
    outermost = mesh.vertices[mesh.vertices[:, 0].abs().argmax()]
    return torch.where((mesh.vertices - outermost).norm(dim=1) < RADIUS, 0, -1)


def true_image(item: Mapping[str, Any], pial: Sequence[Mesh]) -> Tensor:
    """What the scanner would see, with the noise of the control."""
    image, generator = item["image"], torch.Generator().manual_seed(0)
    affine = torch.as_tensor(np.asarray(image.affine))
    return simulate_t1(item["white"], pial, image.shape[1:], affine, SCANNERS["A"], generator).image


def responses(
    what: str, item: Mapping[str, Any], brain: SyntheticBrain, control: Tensor, images: Mapping[float, Tensor]
) -> list[dict[str, Any]]:
    """Thinning by dose in one kind of image."""
    affine = torch.as_tensor(np.asarray(item["image"].affine))
    rows = []
    for dose, image in images.items():
        triples = list(zip(item["white"], item["pial"], brain.atrophied[dose][1], strict=True))
        rows.append({"what": what, "dose": dose, **atrophy_response(control, image, affine, triples, brain.regions)})
    return rows


def averaged(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over people."""
    keys = list(dict.fromkeys((row["what"], row["dose"]) for row in found))
    rows = []
    for what, dose in keys:
        same = [row for row in found if (row["what"], row["dose"]) == (what, dose)]
        numbers = {name: float(np.mean([row[name] for row in same])) for name in same[0] if name.endswith("_mm")}
        rows.append({"what": what, "dose": dose, **numbers})
    return rows


def page(rows: Sequence[Mapping[str, Any]], people: int) -> list[str]:
    """Lines of the page."""
    lines = [
        "# Atrophy of a known dose",
        "",
        f"Left hemispheres of {people} held-out people, {SPACING} mm. The pial surface moves towards the white",
        f"one, about the outermost vertex, within {RADIUS:g} mm, tapered over 10 mm, by at most .8 of the thickness.",
        "Thickness is estimated along the known rays by half contrast; change against the control, in mm. The error is",
        "the mean absolute one over the vertices of the region; drift is the mean change outside of it.",
        "",
        "| image | dose | true mean | estimated mean | error | drift |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        numbers = " | ".join(f"{row[f'{name}_mm']:.3f}" for name in ("true", "estimated", "error", "drift"))
        lines.append(f"| {row['what']} | {row['dose']:g} | {numbers} |")
    return lines


if __name__ == "__main__":
    main()
