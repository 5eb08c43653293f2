"""Train the weights that a bundle ships, on simulated scans, through the stock client, and put them into the bundle.

python tools/train_weights.py shd_deconvolution model --output-dir out/weights
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from tqdm import tqdm

from monai_cortex.data import bundle_identity, sha256, write_sidecar
from monai_cortex.simulate import (
    mean_cortex,
    random_protocol,
    random_scene,
    read_population,
    simulate_cortex,
    simulate_diffusion,
    write_simulated_diffusion,
    write_synthetic_brains,
    write_synthetic_cortex,
    write_synthetic_heart,
)

__all__ = ["main"]

FIRST_SEED = 1000  # of the training scans; evidence uses others
BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
SCHEDULE = {"epochs": 20, "val_interval": 10, "seed": 0}


@dataclass(frozen=True)
class Recipe:
    """How a file of weights comes about.

    Attributes:
        bvalues: of the shells in s/mm^2, without b = 0.
        directions: least and largest number of a shell in the training scans.
        overlays: configs over train.json.
        subjects: number of training scans.
        steps: of the optimizer.
        gray: whether all scenes have gray matter, or some.
        snr: range of white matter at b = 0, log-uniform; None is that of the simulation, 18 to 40.
    """

    bvalues: tuple[float, ...]
    directions: tuple[int, int]
    overlays: tuple[str, ...] = ()
    subjects: int = 150
    steps: int = 4000
    gray: bool = False
    snr: tuple[float, float] | None = None

    def stages(self, _: Path) -> list[dict[str, object]]:
        """Words for the client, of each training; a later one starts from the weights of the one before."""
        return [{"supervised": 1.0, "val_subjects": 4, "learning_rate": 0.02}]

    def simulate(self, folder: Path) -> None:
        """Write the training scans."""
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + self.subjects), desc="simulating", disable=None):
            place = folder / f"phantom-{seed:04d}"
            if not place.is_dir():
                generator = torch.Generator().manual_seed(seed)
                protocol = random_protocol(self.bvalues, self.directions, generator)
                scene = random_scene(generator, gray=True) if self.gray else None
                snr = _log_uniform(self.snr, generator) if self.snr else None
                write_simulated_diffusion(place, simulate_diffusion(seed, protocol, snr, scene=scene, vary=True))


def _log_uniform(limits: tuple[float, float], generator: torch.Generator) -> float:
    low, high = map(math.log, limits)
    return math.exp(low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64)))


def _population() -> Path:
    if "MONAI_CORTEX_DEV_DATA" not in os.environ:
        raise click.UsageError("set MONAI_CORTEX_DEV_DATA to the folder that holds cortex_population_904.")
    return Path(os.environ["MONAI_CORTEX_DEV_DATA"]) / "cortex_population_904"


@dataclass(frozen=True)
class CorticalRecipe:
    """How weights for the registration of spheres come about.

    Attributes:
        subjects: number of synthetic people, each with two hemispheres.
        steps: of the optimizer.
    """

    subjects: int = 96
    steps: int = 600
    overlays: tuple[str, ...] = ()

    def simulate(self, folder: Path) -> None:
        """Write people around the mean of 904, and the mean as the fixed subject beside them."""
        populations = {side: read_population(_population(), side) for side in ("lh", "rh")}
        mesh = populations["lh"].mesh
        write_synthetic_cortex(folder.parent / "target", mean_cortex(populations), mesh)
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + self.subjects), desc="simulating", disable=None):
            place = folder / f"synthetic-{seed:04d}"
            if not place.is_dir():
                write_synthetic_cortex(place, simulate_cortex(populations, seed), mesh)

    def stages(self, folder: Path) -> list[dict[str, object]]:
        """Words for the client."""
        return [{"target_dir": folder.parent / "target", "warp": 0.3, "learning_rate": 0.004, "val_subjects": 8}]


@dataclass(frozen=True)
class BrainRecipe:
    """How weights that draw brains from surfaces come about.

    Attributes:
        subjects: number of synthetic people, two of whom are validated on.
        spacing: least and largest voxel edge in mm.
        steps: of the optimizer.
    """

    subjects: int = 42
    spacing: tuple[float, float] = (0.95, 1.55)
    steps: int = 6000
    overlays: tuple[str, ...] = ()

    def simulate(self, folder: Path) -> None:
        """Write people around fsaverage5, imaged by scanner A."""
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + self.subjects), desc="simulating", disable=None):
            if not (folder / f"synthetic-{seed:04d}").is_dir():
                write_synthetic_brains(folder, 1, seed, spacing=self.spacing)

    def stages(self, _: Path) -> list[dict[str, object]]:
        """Words for the client."""
        return [{"learning_rate": 0.004, "ema_momentum": 0.002, "val_subjects": 2, "epochs": 40, "val_interval": 4}]


@dataclass(frozen=True)
class HeartRecipe:
    """How weights for the registration of hearts come about.

    Attributes:
        subjects: number of simulated hearts, four of which are validated on.
        steps: of the optimizer, in the first of two trainings.
        whole: steps of the second, which sees whole slices as inference does, and changes intensities more often.
    """

    subjects: int = 128
    steps: int = 3600
    whole: int = 3200
    overlays: tuple[str, ...] = ("simulated.json",)

    def simulate(self, folder: Path) -> None:
        """Write hearts of all groups."""
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + self.subjects), desc="simulating", disable=None):
            if not (folder / f"heart-{seed:04d}").is_dir():
                write_synthetic_heart(folder / f"heart-{seed:04d}", seed)

    def stages(self, _: Path) -> list[dict[str, object]]:
        """Words for the client."""
        both = {"val_subjects": 4, "network_options": {"half_precision": True}}
        parts = {"epochs": 36, "val_interval": 6, "patch": [80, 80]}
        changes = {"patch": None, "intensity_change": 0.5, "learning_rate": 0.0003}
        return [both | parts, both | changes | {"steps": self.whole, "epochs": 32, "val_interval": 4}]


RECIPES: dict[str, dict[str, Recipe | CorticalRecipe | BrainRecipe | HeartRecipe]] = {
    "cor2vox_synthesis": {"model": BrainRecipe()},
    "fsdiffreg_cardiac": {"model": HeartRecipe()},
    "spherical_diffusion_registration": {"model": CorticalRecipe()},
    "shd_deconvolution": {
        "model": Recipe((1000.0,), (12, 72), snr=(7.0, 40.0)),
        "multishell": Recipe(
            (1000.0, 2000.0, 3000.0), (16, 72), ("multishell.json",), subjects=100, steps=4000, gray=True
        ),
        "hardi": Recipe((3000.0,), (24, 90), ("hardi.json",), subjects=100, steps=3000),
    },
}


@click.command(help="Train weights of a bundle and put them into it.")
@click.argument("slug", type=click.Choice(sorted(RECIPES)))
@click.argument("name", default="model")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--bundle", type=click.Path(file_okay=False, path_type=Path), help="By default that of the checkout.")
@click.argument("overrides", nargs=-1)
def main(slug: str, name: str, output_dir: Path, bundle: Path | None, overrides: Sequence[str]) -> None:
    """Simulate, train, copy the weights; ``overrides`` are words for the client, such as --steps 100."""
    recipe = RECIPES[slug][name]
    bundle = bundle or BUNDLES / slug
    scans = output_dir / "scans" / name
    recipe.simulate(scans)
    configs = [str(bundle / "configs" / file) for file in ("train.json", *recipe.overlays)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(configs)]
    begin: dict[str, object] = {}
    for number, stage in enumerate(recipe.stages(scans), 1):
        run = output_dir / f"{name}-{number}"
        options = {"dataset_dir": scans, "output_dir": run, "steps": recipe.steps, **SCHEDULE, **stage, **begin}
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        subprocess.run([*command, *words, *overrides], check=True)
        begin = {"weights": run / "model.pt"}
    (bundle / "models").mkdir(exist_ok=True)
    weights = Path(shutil.copyfile(run / "model.pt", bundle / "models" / f"{name}.pt"))
    write_sidecar(weights, bundle_identity(bundle))
    metrics = json.loads((run / "report.json").read_text())["metrics"]
    click.echo(f"{weights.name}: sha256 {sha256(weights)}, {metrics}")


if __name__ == "__main__":
    main()
