"""Runs of all methods on their sample data in one experiment, and pictures of MLflow's pages about them.

python tools/documentation/tracking_pictures.py RUNS
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import click
from browser import Browser, browser
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
RUNS = {
    "fsdiffreg_cardiac": (),
    "shd_deconvolution": (),
    "spherical_diffusion_registration": (),
    "cor2vox_synthesis": ("--spacing", "2.0", "--num_inference_steps", "5"),
}
_SHOWN = "fsdiffreg_cardiac"
_WIDTHS = {
    "1": 40,
    "attributes.`Run Name`": 440,
    "runDateAndNestInfo": 140,
    "metrics.`run/subjects`": 110,
    "metrics.`run/seconds_per_subject`": 190,
    "metrics.`run/peak_memory_mb`": 180,
    "tags.`bundle_version`": 120,
    "tags.`device`": 80,
}
# What shows up where a mouse is, and the assistant's button.
_HIDDEN = ".modebar, [data-assistant-ui] { display: none !important; }"
_WIDTH = 1680  # pixels
_DRAWING = 15.0  # seconds that a page may take
_STARTING = 120.0


@click.command(help="Run what is not in FOLDER yet, and take the pictures.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "docs" / "pictures",
    show_default=True,
)
@click.option("--program", default="chromium", show_default=True, help="Chromium or Chrome.")
def main(folder: Path, pictures: Path, program: str) -> None:
    """Start a server, then the runs, then a browser."""
    folder, pictures = folder.absolute(), pictures.absolute()
    for place in (folder, pictures):
        place.mkdir(parents=True, exist_ok=True)
    with _server(folder) as address:
        for slug, words in RUNS.items():
            if not (folder / slug / "report.html").is_file():
                _infer(slug, folder / slug, address, words)
        experiment, runs = _latest(address)
        with browser(program) as page:
            _take_all(page, f"{address}/#", experiment, runs, pictures)


def _infer(slug: str, output: Path, address: str, words: tuple[str, ...]) -> None:
    config = ROOT / "bundles" / slug / "configs" / "inference.json"
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), "--output_dir", str(output)]
    subprocess.run([*command, "--tracking_uri", address, *words], check=True)


def _latest(address: str) -> tuple[str, dict[str, Run]]:
    """The experiment, and of each method the latest run."""
    client = MlflowClient(address)
    (experiment,) = (found.experiment_id for found in client.search_experiments(filter_string="name = 'monai_cortex'"))
    found = {run.data.tags["bundle"]: run for run in client.search_runs([experiment])[::-1]}
    return experiment, {slug: found[slug] for slug in RUNS}


def _take_all(page: Browser, home: str, experiment: str, runs: dict[str, Run], folder: Path) -> None:
    page.remember(_settings(experiment))
    place = f"{home}/experiments/{experiment}/runs"
    _take(page, place, folder / "mlflow_runs.png", height=425)
    _take(page, f"{place}?compareRunsMode=CHART", folder / "mlflow_charts.png", height=1010)
    names, experiments = (
        quote(json.dumps(part)) for part in ([run.info.run_id for run in runs.values()], [experiment])
    )
    page.size(_WIDTH, 800)
    page.open(f"{home}/compare-runs?runs={names}&experiments={experiments}", _DRAWING)
    for part in ("Visualizations", "Parameters"):
        page.evaluate(_click(part), 1)
    _save(page, folder / "mlflow_compare.png")
    page.size(_WIDTH, 640)
    page.open(f"{place}/{runs[_SHOWN].info.run_id}/artifacts/figures", _DRAWING)
    page.evaluate(_click("simulated"), 2)
    page.evaluate(_click("qc.png"), 4)
    _save(page, folder / "mlflow_figures.png")


def _settings(experiment: str) -> dict[str, str]:
    """What a person would have clicked: columns and their widths, the pages for training, and no assistant."""
    columns = [name for name in _WIDTHS if name.startswith(("metrics.", "tags."))]
    view = {"selectedColumns": columns, "columnOrder": list(_WIDTHS), "columnWidths": _WIDTHS}
    page = f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment}"]-ReactComponentState'
    return {
        page: json.dumps(view),
        "mlflow.workflowType_v1": '"machine_learning"',
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
        "mlflow.assistant.panelOpen_v1": "false",
    }


def _click(text: str) -> str:
    """Script that clicks the innermost element with a text."""
    found = f"[...document.querySelectorAll('*')].filter(e => e.textContent === {json.dumps(text)}).at(-1)"
    return f"{found}?.click()"


def _take(page: Browser, address: str, file: Path, height: int) -> None:
    page.size(_WIDTH, height)
    page.open(address, _DRAWING)
    _save(page, file)


def _save(page: Browser, file: Path) -> None:
    page.evaluate(f"document.head.append(Object.assign(document.createElement('style'), {{textContent: '{_HIDDEN}'}}))")
    page.picture(file)
    with Image.open(file) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    click.echo(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server whose database and artifacts are in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    command = [sys.executable, "-m", "mlflow", "server", *places, "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.txt").open("wb") as words:
        process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=words, stderr=words)
        try:
            address = f"http://127.0.0.1:{port}"
            _await(f"{address}/health")
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(address: str) -> None:
    end = time.monotonic() + _STARTING
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(address, timeout=1):
            return
        time.sleep(0.5)
    raise click.ClickException("the server does not answer")


if __name__ == "__main__":
    main()
