"""Time and memory of our ways to compute something beside others, case by case.

python tools/benchmark.py shd_deconvolution --threads 1 --evidence
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

sys.path.append(str(Path(__file__).resolve().parent / "evidence"))  # pages end alike

from benchmarks.case import Case
from benchmarks.measure import MALLOC
from benchmarks.report import conditions, met, page, table
from evidence_page import EVIDENCE
from tqdm import tqdm

__all__ = ["main"]

TOOLS = Path(__file__).resolve().parent
METHODS = sorted(path.parent.name for path in TOOLS.glob("benchmarks/*/cases.py"))
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IGL_NUM_THREADS")


@click.command(help="Measure the cases of METHOD, ours and the reference in turn.")
@click.argument("method", type=click.Choice(METHODS))
@click.option("--case", "chosen", multiple=True, help="Name of a case; may be repeated. Default: all.")
@click.option("--repeats", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=os.cpu_count(), help="Of both sides. Default: all.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="JSON file of the results.")
@click.option("--evidence", is_flag=True, help="Write docs/evidence/METHOD_speed.json and .md.")
def main(
    method: str,
    chosen: tuple[str, ...],
    repeats: int,
    threads: int,
    device: str,
    output: Path | None,
    evidence: bool,
) -> None:
    """Measure, print the table, write the files."""
    cases: dict[str, Case] = import_module(f"benchmarks.{method}.cases").CASES
    if unknown := set(chosen) - set(cases):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; choose from {', '.join(cases)}", param_hint="--case")
    records = []
    for name in tqdm(chosen or tuple(cases), desc="cases", disable=None):
        records.append(_record(method, name, cases[name], (repeats, threads, device)))
    result = {"method": method, "conditions": conditions(threads, device), "cases": records}
    click.echo(table(records))
    files = [output] if output else []
    if evidence:
        EVIDENCE.mkdir(parents=True, exist_ok=True)
        files.append(EVIDENCE / f"{method}_speed.json")
        options = f"--repeats {repeats} --threads {threads} --device {device}"
        text = page(method, f"python tools/benchmark.py {method} {options} --evidence", result)
        files[-1].with_suffix(".md").write_text(text)
    for file in files:
        file.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")


def _record(method: str, name: str, case: Case, conditions: tuple[int, int, str]) -> dict[str, Any]:
    """All that is measured of one case."""
    record: dict[str, Any] = {
        "name": name,
        "what": case.what,
        "ours": case.ours,
        "reference": case.reference,
        "time_target": case.time,
        "memory_target": case.memory,
        **_process(method, name, "time", conditions),
    }
    measured = case.measure_memory and "skipped" not in record
    ours, reference = (
        _process(method, name, side, conditions)["bytes"] if measured else None for side in ("ours", "reference")
    )
    record |= {
        "ours_bytes": ours,
        "reference_bytes": reference,
        "memory_ratio": ours / reference if ours and reference else None,
    }
    return {**record, "met": met(record)}


def _process(method: str, name: str, task: str, conditions: tuple[int, int, str]) -> dict[str, Any]:
    """Run one task on its own: threads are counted from the start, and no case inherits the memory of another."""
    repeats, threads, device = map(str, conditions)
    # Other programs are run the same way for time and for evidence.
    path = os.pathsep.join([str(TOOLS), str(TOOLS / "evidence"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **dict.fromkeys(_THREADS, threads), "PYTHONPATH": path}
    if task != "time":
        environment.update(MALLOC)
    command = [sys.executable, "-m", "benchmarks.task", method, name, task, repeats, threads, device]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
