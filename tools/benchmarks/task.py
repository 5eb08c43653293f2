"""One measurement in a process of its own: ``python -m benchmarks.task METHOD CASE TASK REPEATS THREADS DEVICE``.

TASK is "time" for both sides, "ours" or "reference" for the memory of one. Prints JSON on the last line.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import torch

from benchmarks.case import Case, MissingToolError
from benchmarks.measure import alternate, difference, peak_bytes, summary

__all__ = ["measure"]


def measure(case: Case, task: str, repeats: int, device: torch.device) -> dict[str, Any]:
    """Either the times of both sides, their results compared first, or the memory of one; or why it is skipped."""
    try:
        pair = case.build(device)
    except MissingToolError as error:
        return {"skipped": str(error)}
    if task != "time":
        return {"bytes": peak_bytes(getattr(pair, task), device)}
    found = difference(pair)
    ours, reference = alternate(pair, min(repeats, case.repeats), device)
    return {"difference": found, "units": pair.units, **summary(ours, reference, pair.units)}


def _main(method: str, name: str, task: str, repeats: str, threads: str, device: str) -> None:
    torch.set_num_threads(int(threads))
    cases = import_module(f"benchmarks.{method}.cases").CASES
    answer = measure(cases[name], task, int(repeats), torch.device(device))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
