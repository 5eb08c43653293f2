"""The bridge, its peers and its channels, trained alike on few people with few steps, and what they draw.

python tools/evidence/cor2vox_synthesis_peers.py --output-dir out/peers

Writes docs/evidence/cor2vox_synthesis_peers.{md,json}. Weights in the output folder are not trained again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from cortex_people import BUNDLE, HELD_OUT, HEMISPHERE, BundleNetwork, held_out_person, surfaces_of
from evidence_page import write_evidence
from tqdm import tqdm

from monai_cortex.inferers import image_errors, surface_errors
from monai_cortex.simulate import write_synthetic_brains

__all__ = ["ARMS", "main"]

NAME = "cor2vox_synthesis_peers"
COMMAND = f"python tools/evidence/{NAME}.py --output-dir out/peers"
PEOPLE = 13  # the last one is validated on
FIRST = 1000
SPACINGS = (0.95, 1.55)
SPACING = 1.4


class Arm(NamedTuple):
    """A way of training.

    Attributes:
        title: for the page.
        config: over ``train.json`` and, where it says how to draw, over ``inference.json``.
        aux: channels beside the source.
    """

    title: str
    config: str = ""
    aux: tuple[str, ...] = ("pial", "white", "edges", "ribbon")


ARMS = {
    "bridge": Arm("bridge (Cor2Vox)"),
    "pix2pix": Arm("Pix2Pix", "pix2pix"),
    "ddpm": Arm("diffusion from noise (Med-DDPM's manner)", "ddpm"),
    "bbdm": Arm("bridge, fused distance alone (BBDM)", "", ()),
    "regression": Arm("plain L1 regression", "regression"),
    **{f"only-{name}": Arm(f"bridge, {name} alone", "", (name,)) for name in ("pial", "white", "edges", "ribbon")},
    **{
        f"without-{left}": Arm(
            f"bridge, without {left}", "", tuple(n for n in ("pial", "white", "edges", "ribbon") if n != left)
        )
        for left in ("pial", "white", "edges", "ribbon")
    },
}


@click.command(help="Train arms alike, draw one hemisphere of held-out people, measure.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--arms", default="bridge,pix2pix,ddpm,bbdm,regression", show_default=True, help="Names, by commas.")
@click.option("--seeds", default=3, show_default=True, help="Trainings of each arm.")
@click.option("--once", default="bbdm,regression", show_default=True, help="Arms trained with the first seed only.")
@click.option("--steps", default=600, show_default=True, help="Of each training.")
@click.option("--people", default=1, show_default=True, help="Held out.")
def main(output_dir: Path, arms: str, seeds: int, once: str, steps: int, people: int) -> None:  # noqa: PLR0913, PLR0917
    """Train, draw, measure, write."""
    data = output_dir / "people"
    if not data.is_dir():
        write_synthetic_brains(data, PEOPLE, FIRST, spacing=SPACINGS)
    jobs = [(arm, seed) for seed in range(seeds) for arm in arms.split(",") if not seed or arm not in once.split(",")]
    rows = []
    for arm, seed in tqdm(jobs, desc="arms", disable=None):
        weights = trained(output_dir, data, arm, seed, steps)
        rows += measured(arm, seed, weights, people)
    record = {"command": COMMAND, "steps": steps, "rows": rows, "summary": summary(rows)}
    write_evidence(NAME, record, page(record, people), ("monai", "torch", "numpy"))


def trained(output_dir: Path, data: Path, arm: str, seed: int, steps: int) -> Path:
    """Weights of an arm, trained by the stock client unless they are there."""
    place, way = output_dir / f"{arm}-{seed}", ARMS[arm]
    if not (place / "model.pt").is_file():
        configs = [str(BUNDLE / "configs" / f"{name}.json") for name in ("train", way.config) if name]
        options = {
            "dataset_dir": data,
            "output_dir": place,
            "seed": seed,
            "steps": steps,
            "aux": list(way.aux),
            **{"epochs": 4, "val_interval": 4, "val_subjects": 1, "patch": 24, "batch_size": 2},
            **{"learning_rate": 0.005, "ema_momentum": 0.01, "track": False},
        }
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(configs), *words]
        subprocess.run(command, check=True)
    return place / "model.pt"


def measured(arm: str, seed: int, weights: Path, people: int) -> list[dict[str, Any]]:
    """Numbers of what an arm draws of each person's left hemisphere."""
    way = ARMS[arm]
    overlays = [name for name in (way.config,) if name]
    network = BundleNetwork(weights, [name.replace("pix2pix", "regression") for name in overlays], aux=list(way.aux))
    rows = []
    for number in range(people):
        item = held_out_person(HELD_OUT + number, SPACING, sides=HEMISPHERE, aux=way.aux)
        brain = network.draw(item)
        real = (torch.as_tensor(np.asarray(item["image"]))[0] + 1) / 2
        found = surface_errors(brain.image, torch.as_tensor(np.asarray(item["image"].affine)), surfaces_of(item))
        found |= image_errors(brain.image, real, torch.as_tensor(np.asarray(item["pial_distance"]))[0])
        rows.append({"arm": arm, "seed": seed, "person": number, "seconds": brain.seconds, **found})
    return rows


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean of each arm, and the spread of its seeds' means."""
    result = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        names = [name for name in own[0] if name not in ("arm", "seed", "person")]
        seeds = sorted({row["seed"] for row in own})
        means = {name: [np.mean([r[name] for r in own if r["seed"] == seed]) for seed in seeds] for name in names}
        spread = {f"{name}_sd": float(np.std(values, ddof=1)) for name, values in means.items() if len(seeds) > 1}
        whole = {name: float(np.mean(values)) for name, values in means.items()}
        result.append({"arm": arm, "seeds": len(seeds), **whole, **spread})
    return result


def page(record: Mapping[str, Any], people: int) -> list[str]:
    """Lines of the page."""
    shown = {
        "white_assd_mm": "white ASSD mm",
        "pial_assd_mm": "pial ASSD mm",
        "pial_hd90_mm": "pial HD90 mm",
        "ssim_full": "SSIM, whole grid",
        "ssim_brain": "SSIM, brain",
        "psnr_db": "PSNR dB",
        "mae_brain": "MAE, brain",
        "seconds": "seconds",
    }
    lines = [
        "# The bridge beside its peers",
        "",
        f"All see {PEOPLE - 1} synthetic people for {record['steps']} steps of two crops of 24 voxels, one network",
        "of 0.45 million parameters, one optimizer and one schedule; samplers take 10 steps, Pix2Pix and regression",
        f"one. Left hemispheres of {people} people that none has seen, voxels of {SPACING} mm; surfaces are found",
        "again from a start moved by up to 1 mm. Mean and standard deviation over trainings.",
        "",
        "| arm | trainings | " + " | ".join(shown.values()) + " |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for row in record["summary"]:
        cells = [f"{row[name]:.3f}" + (f" ± {row[f'{name}_sd']:.3f}" if f"{name}_sd" in row else "") for name in shown]
        lines.append(f"| {ARMS[row['arm']].title} | {row['seeds']} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        "The images are simulated and all but determined by the surfaces: regression should win PSNR here, and what a",
        "diffusion adds, diversity, has nothing to show. The trainings are short; no number of the paper is repeated.",
    ]


if __name__ == "__main__":
    main()
