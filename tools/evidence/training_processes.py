"""Training by two processes beside training by one, of one thread each: seconds an epoch, and the same losses.

python tools/evidence/training_processes.py --rounds 5
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from evidence_page import EVIDENCE, write_evidence
from mlflow.tracking import MlflowClient
from tqdm import tqdm

from monai_cortex.data import write_samples
from monai_cortex.simulate import (
    crossing_scene,
    simulate_diffusion,
    write_simulated_diffusion,
    write_synthetic_brains,
    write_synthetic_hearts,
)

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
# Items of a step in all; the network of spheres is small, and the step's own time shows where there are few.
BATCHES: Mapping[str, tuple[int, ...]] = {"spherical_diffusion_registration": (4, 8)}
BATCH = 4
TARGET = 0.75
# Steps are many enough for an epoch to take seconds; sizes of networks and crops are the bundles' own.
SCHEDULE = {"steps": 16, "epochs": 4, "val_interval": 9, "seed": 0}
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "shd_deconvolution": {},
    "cor2vox_synthesis": {},
    "fsdiffreg_cardiac": {"roi": [128, 128, 8]},
    "spherical_diffusion_registration": {},
}
_LINE = re.compile(r"SupervisedTrainer: Epoch\[(\d+)\] Complete\. Time taken: (\d+):(\d+):([\d.]+)")


@click.command(help="Train each method with one and with two processes in turn.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Trainings of each kind.")
@click.option("--method", "methods", type=click.Choice(list(OPTIONS)), multiple=True, help="Default: all.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=EVIDENCE, help="Of the page.")
def main(rounds: int, methods: tuple[str, ...], folder: Path) -> None:
    """Measure and write the page."""
    chosen = methods or tuple(OPTIONS)
    with tempfile.TemporaryDirectory() as place:
        cases = [(slug, items) for slug in chosen for items in BATCHES.get(slug, (BATCH,))]
        rows = [
            _measured(slug, items, rounds, Path(place) / f"{slug}-{items}")
            for slug, items in tqdm(cases, desc="methods", disable=None)
        ]
    words = "".join(f" --method {slug}" for slug in methods)
    command = f"python tools/evidence/training_processes.py --rounds {rounds}{words}"
    record = {"command": command, "rows": rows, "target": TARGET, "load": _load()}
    click.echo(write_evidence("training_processes", record, _lines(rows), ("monai", "torch"), folder))


def _measured(slug: str, items: int, rounds: int, place: Path) -> dict[str, Any]:
    dataset = _dataset(slug, place)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    losses: dict[int, list[float]] = {}
    for turn in tqdm(range(rounds), desc=slug, disable=None, leave=False):
        for number in (1, 2):
            output = place / f"{number}-{turn}"
            seconds[number] += _epochs(
                _train(slug, number, {**dataset, "output_dir": output, "batch_size": items // number})
            )
            losses[number] = _losses(output)
    one, two = (statistics.median(seconds[number]) for number in (1, 2))
    gap = max(abs(a - b) for a, b in zip(losses[1], losses[2], strict=True))
    times = {"one_s": one, "two_s": two, "ratio": two / one, "seconds": seconds}
    return {"method": slug, "items": items, **times, "loss_gap": gap}


def _train(slug: str, number: int, options: Mapping[str, object]) -> str:
    """Train with a number of processes, and give what they print."""
    configs = [str(BUNDLES / slug / "configs" / f"{name}.json") for name in ("train", "multi_gpu_train")[:number]]
    given = {**SCHEDULE, **OPTIONS[slug], **options}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    words = ["-m", "monai.bundle", "run", "--config_file", str(configs), *words]
    if number > 1:
        words = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _epochs(text: str) -> list[float]:
    """Seconds of each epoch but the first one, which warms up, in the slower process."""
    found: dict[int, float] = {}
    for epoch, hours, minutes, rest in _LINE.findall(text):
        spent = 3600 * int(hours) + 60 * int(minutes) + float(rest)
        found[int(epoch)] = max(spent, found.get(int(epoch), 0.0))
    return [found[epoch] for epoch in sorted(found)][1:]


def _losses(output: Path) -> list[float]:
    client = MlflowClient(f"sqlite:///{output}/mlruns.db")
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return [metric.value for metric in client.get_metric_history(run.info.run_id, "train/loss")]


def _dataset(slug: str, place: Path) -> dict[str, object]:
    folder = place / "dataset"
    if slug == "shd_deconvolution":
        for seed in range(BATCH):
            scan = simulate_diffusion(seed, "clinical_30", scene=crossing_scene(0, 90), shape=(12, 12, 8))
            write_simulated_diffusion(folder / f"s{seed}", scan)
    elif slug == "cor2vox_synthesis":
        write_synthetic_brains(folder, 2, seed=5, spacing=2.0)
    elif slug == "fsdiffreg_cardiac":
        write_synthetic_hearts(folder, 2, seed=3)
    else:
        write_samples(slug, folder)
    return {"dataset_dir": folder}


def _load() -> float:
    """Programs that wanted a processor in the last quarter of an hour, on average, those measured among them."""
    return round(os.getloadavg()[2], 1)


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    table = [
        "| {method} | {items} | {one_s:.2f} | {two_s:.2f} | {ratio:.2f} | {met} | {loss_gap:.0e} |".format(
            **row, met="yes" if row["ratio"] <= TARGET else "no"
        )
        for row in rows
    ]
    return [
        "# Training by two processes",
        "",
        f"Seconds an epoch of {SCHEDULE['steps'] // SCHEDULE['epochs']} steps, with one thread each: one process, and",
        "two under torchrun, which have half of the items each. Medians over the epochs, but",
        f"the first, of trainings in turn. The target is {TARGET}.",
        "",
        "| method | items of a step | one process [s] | two [s] | ratio | met | largest difference of a loss |",
        "|---|---|---|---|---|---|---|",
        *table,
        "",
        f"The machine had {os.cpu_count()} processors and a load of {_load()} in the last quarter of an hour. Up to 2",
        "it worked on this alone; far above, processes waited for other programs, and times say little.",
    ]


if __name__ == "__main__":
    main()
