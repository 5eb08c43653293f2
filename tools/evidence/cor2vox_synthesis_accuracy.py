"""What the shipped weights of Cor2Vox draw: people they have not seen, a wrong person, another grid, a real image.

python tools/evidence/cor2vox_synthesis_accuracy.py

Writes docs/evidence/cor2vox_synthesis_accuracy.{md,json,png}. The real image, with its surfaces, is looked for where
MONAI_CORTEX_DEV_DATA says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cortex_people import BUNDLE, HELD_OUT, HEMISPHERE, BundleNetwork, held_out_person, scaled, surfaces_of
from evidence_page import EVIDENCE, write_evidence
from monai.data import MetaTensor
from monai.transforms import Compose
from scipy.ndimage import distance_transform_edt

from monai_cortex.data import read_gifti_surface, read_volume, sha256
from monai_cortex.inferers import image_errors, surface_errors
from monai_cortex.metrics import tissue_overlap
from monai_cortex.transforms import CortexConditiond, CortexFieldsd, CropToCortexd
from monai_cortex.visualize import SynthesisPicture, png, synthesis_figure

__all__ = ["main"]

NAME = "cor2vox_synthesis_accuracy"
COMMAND = f"python tools/evidence/{NAME}.py"
BAND = 5.0  # mm
COARSE, SPACING, FINE = 1.7, 1.4, 1.0  # mm
SHOWN = {
    "white_assd_mm": "white ASSD",
    "white_hd90_mm": "white HD90",
    "pial_assd_mm": "pial ASSD",
    "pial_hd90_mm": "pial HD90",
    "thickness_error_mm": "thickness",
    "ssim_full": "SSIM, whole grid",
    "ssim_brain": "SSIM, brain",
    "psnr_db": "PSNR dB",
    "mae_brain": "MAE, brain",
    "dice": "tissue Dice",
    "seconds": "seconds",
}


@click.command(help="Measure the shipped weights on held-out synthetic people and on a real image.")
@click.option("--people", default=2, show_default=True, help="Held out.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), default=BUNDLE / "models" / "model.pt")
@click.option("--brief", is_flag=True, help="Whole brains with voxels of 1.4 mm alone.")
def main(people: int, weights: Path, brief: bool) -> None:
    """Draw, measure, write."""
    network = BundleNetwork(weights)
    rows: list[dict[str, Any]] = []
    for number in range(people):
        item = held_out_person(HELD_OUT + number, SPACING)
        found, image = measured(network, item)
        rows += both({"what": "generated", "spacing": SPACING, **found}, item)
        if not number:
            figure = synthesis_figure(_picture(item, image, found))
            (EVIDENCE / f"{NAME}.png").write_bytes(png(figure))
            rows.append(wrong_person(image, item))
    if not brief:
        rows += elsewhere(network)
    spread = [] if brief else [deviation(weights, eta) for eta in (1.0, 0.0)]
    record = {"command": COMMAND, "rows": rows, "spread": spread, "weights": sha256(weights)}
    write_evidence(NAME, record, page(rows, spread), ("monai", "torch", "numpy"))


def elsewhere(network: BundleNetwork) -> list[dict[str, Any]]:
    """Rows of a finer grid, of voxel masks and of a real image."""
    fine = held_out_person(HELD_OUT, FINE, sides=HEMISPHERE)
    rows = both({"what": "generated, one hemisphere", "spacing": FINE, **measured(network, fine)[0]}, fine)
    rows.append(from_masks(network))
    real = real_pair()
    if real is not None:
        found, image = measured(network, real)
        rows += both({"what": "MNI152, generated", "spacing": 1.0, **found}, real)
        (EVIDENCE / "cor2vox_synthesis_mni152.png").write_bytes(png(synthesis_figure(_picture(real, image, found))))
    return rows


def both(row: dict[str, Any], item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row, and that of the true image below it."""
    what = row["what"].replace("generated", "true image (floor)")
    return [row, {"what": what, "spacing": row["spacing"], **_of_image(_real(item), item)}]


def measured(network: BundleNetwork, item: Mapping[str, Any]) -> tuple[dict[str, float], torch.Tensor]:
    """Numbers of the image drawn for an item, and the image."""
    brain = network.draw(item)
    found = _of_image(brain.image, item) | image_errors(brain.image, _real(item), _distance(item))
    if "fractions" in item:
        truth = torch.cat([1 - item["fractions"].sum(0, keepdim=True), item["fractions"]]).argmax(0)
        low, high = item["intensity_range"]
        means = [(mean - low) / (high - low) for mean in (0.0, 1.0, 0.6, 0.15)]
        found["dice"] = float(tissue_overlap(brain.image, truth, means).dice[1:].mean())
    return found | {"seconds": brain.seconds}, brain.image


def wrong_person(image: torch.Tensor, item: Mapping[str, Any]) -> dict[str, Any]:
    """Another person's surfaces looked for in an image: the control that must fail."""
    other = held_out_person(HELD_OUT + 1, SPACING)
    found = surface_errors(image, torch.as_tensor(np.asarray(item["image"].affine)), surfaces_of(other))
    return {"what": "wrong person's surfaces (must fail)", "spacing": SPACING, **found}


def from_masks(network: BundleNetwork) -> dict[str, Any]:
    """Distances from voxel masks in the place of those from meshes: what a Euclidean distance transform would give."""
    item = held_out_person(HELD_OUT, SPACING, sides=HEMISPHERE)
    for kind in ("white", "pial"):
        inside = np.asarray(item[f"{kind}_distance"])[0] < 0
        values = distance_transform_edt(~inside, SPACING) - distance_transform_edt(inside, SPACING)
        item[f"{kind}_distance"] = MetaTensor(
            torch.from_numpy(values).float()[None].clamp(-BAND, BAND), affine=item["image"].affine
        )
    fields: Any = Compose([CortexFieldsd(), CortexConditiond()])(item)
    return {"what": "generated from distances to voxel masks", "spacing": SPACING, **measured(network, fields)[0]}


def deviation(weights: Path, eta: float) -> dict[str, float]:
    """Standard deviation of three draws of one hemisphere."""
    item = held_out_person(HELD_OUT, COARSE, sides=HEMISPHERE)
    brain = BundleNetwork(weights, eta=eta, draws=3).draw(item)
    ribbon = torch.as_tensor(np.asarray(item["ribbon"]))[0] > 0
    brain_mask = _distance(item) < 0
    assert brain.deviation is not None
    inside, rest = (float(brain.deviation[where].mean()) for where in (ribbon, brain_mask & ~ribbon))
    return {"eta": eta, "ribbon": inside, "white_matter": rest}


def real_pair() -> dict[str, Any] | None:
    """The MNI152 image with its surfaces."""
    if "MONAI_CORTEX_DEV_DATA" not in os.environ:
        return None
    folder = Path(os.environ["MONAI_CORTEX_DEV_DATA"]) / "mni152_surfaces_t1"
    volume = read_volume(folder / "MNI152_T1_1mm_brain.nii.gz")
    item: dict[Any, Any] = {"subject": "MNI152", "sides": ("lh", "rh")}
    item["image"] = MetaTensor(torch.from_numpy(volume.values)[None], affine=torch.from_numpy(volume.affine))
    for kind in ("white", "pial"):
        files = [folder / f"{side}.MNI152.{kind}.surf.gii" for side in item["sides"]]
        item[kind] = [read_gifti_surface(file, scanner=True).mesh for file in files]
    return scaled(CropToCortexd()(item))


def page(rows: Sequence[Mapping[str, Any]], spread: Sequence[Mapping[str, float]]) -> list[str]:
    """Lines of the page."""
    lines = [
        "# What Cor2Vox draws",
        "",
        "Surfaces are found again in each image from a start moved by up to 1 mm; distances in mm, exact, both",
        "directions, without the medial wall. The row of the true image is the floor of that search. SSIM has",
        "Gaussian windows of 11 voxels and zeros around the grid; images are scaled to [0, 1]; the brain reaches",
        "3 mm beyond the pial surface. 10 steps, eta 1.",
        "",
        "| image | voxel mm | " + " | ".join(SHOWN.values()) + " |",
        "|---" * (len(SHOWN) + 2) + "|",
    ]
    for row in rows:
        cells = [f"{row[name]:.3f}" if name in row else "" for name in SHOWN]
        lines.append(f"| {row['what']} | {row['spacing']:g} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        f"![A held-out person]({NAME}.png)",
        "",
        "Standard deviation of three draws in 10 steps, share of the intensity range; the noise of simulated images,",
        "which are otherwise determined by the surfaces, is .010:",
        "",
        "| eta | cortex | white matter |",
        "|---|---|---|",
        *(f"| {row['eta']:g} | {row['ribbon']:.4f} | {row['white_matter']:.4f} |" for row in spread),
        "",
        "The MNI152 template is an average of 152 people: its image is blurred, and shows cerebellum, ventricles and",
        "deep gray matter, of which the surfaces tell nothing and the weights have seen nothing.",
        "",
        "![MNI152](cor2vox_synthesis_mni152.png)",
    ]


def _of_image(image: torch.Tensor, item: Mapping[str, Any]) -> dict[str, float]:
    return surface_errors(image, torch.as_tensor(np.asarray(item["image"].affine)), surfaces_of(item))


def _real(item: Mapping[str, Any]) -> torch.Tensor:
    return (torch.as_tensor(np.asarray(item["image"]))[0] + 1) / 2


def _distance(item: Mapping[str, Any], kind: str = "pial") -> torch.Tensor:
    return torch.as_tensor(np.asarray(item[f"{kind}_distance"]))[0]


def _picture(item: Mapping[str, Any], image: torch.Tensor, found: Mapping[str, float]) -> SynthesisPicture:
    return SynthesisPicture(
        subject=str(item["subject"]),
        image=image,
        white_distance=_distance(item, "white"),
        pial_distance=_distance(item),
        affine=np.asarray(item["image"].affine),
        real=_real(item),
        metrics={text: found[name] for name, text in SHOWN.items() if name in found},
    )


if __name__ == "__main__":
    main()
