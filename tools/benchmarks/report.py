"""Measured cases as lines on a terminal and as a page of evidence."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from page_facts import facts

__all__ = ["conditions", "met", "page", "table"]

_PACKAGES = ("monai_cortex", "torch", "monai", "numpy", "dipy")
_HEAD = ["what", "ours", "reference", "time ratio [95 %]", "memory ratio", "target: time, memory", "met"]


def met(record: Mapping[str, Any]) -> bool | None:
    """Whether the ratios keep to their targets; None without targets or measurements."""
    pairs = [(record.get(f"{name}_ratio"), record[f"{name}_target"]) for name in ("time", "memory")]
    wanted = [(ratio, target) for ratio, target in pairs if target is not None]
    if not wanted or any(ratio is None for ratio, _ in wanted):
        return None
    return all(ratio <= target for ratio, target in wanted)


def conditions(threads: int, device: str) -> dict[str, Any]:
    """What the numbers depend on."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "date": date.today().isoformat(),
        "device": _named(device),
        "threads": threads,
        "processors": os.cpu_count(),
        "versions": versions,
    }


def _named(device: str) -> str:
    """A GPU by its maker's name: numbers of one say nothing about another."""
    return f"cuda: {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Markdown table, one row for each case."""
    rows = [_HEAD, ["---"] * len(_HEAD), *map(_row, records)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(method: str, command: str, result: Mapping[str, Any]) -> str:
    """Evidence page."""
    about = result["conditions"]
    compared = [r["difference"] for r in result["cases"] if r.get("difference") is not None]
    return "\n".join(
        [
            f"# {method}: time and memory side by side",
            "",
            table(result["cases"]),
            "",
            "Times are medians, ours and the reference in turn in one process, and their ratio has a bootstrap",
            "interval over the repetitions. Memory is what one call adds to the resident memory at its peak (on a GPU,",
            "to what PyTorch has allocated), each side in a process of its own, after one call to warm up.",
            *_agreement(compared),
            "",
            *facts(f"{method}_speed", {**result, **about, "command": command}),
            "",
        ]
    )


def _agreement(compared: Sequence[float]) -> list[str]:
    if not compared:
        return ["The two sides do not compute the same, so their results are not compared."]
    found = f"{max(compared):.1e}"
    return [
        f"Where both sides compute the same, results agree: the largest difference is {found} of the largest value."
    ]


def _row(record: Mapping[str, Any]) -> list[str]:
    if "skipped" in record:
        return [record["what"], record["ours"], record["reference"], record["skipped"], "-", "-", "-"]
    low, high = record["time_interval"]
    ratio = f"{record['time_ratio']:.3g} [{low:.3g}, {high:.3g}]"
    memory = record["memory_ratio"]
    targets = [record["time_target"], record["memory_target"]]
    return [
        record["what"],
        f"{record['ours']}: {_cost(record, 'ours')}",
        f"{record['reference']}: {_cost(record, 'reference')}",
        ratio,
        "-" if memory is None else f"{memory:.2f}",
        ", ".join("-" if target is None else f"{target:g}" for target in targets),
        {True: "yes", False: "no", None: "-"}[met(record)],
    ]


def _cost(record: Mapping[str, Any], side: str) -> str:
    size = record[f"{side}_bytes"]
    return _seconds(record[f"{side}_s"]) + ("" if size is None else f", {size / 2**20:.0f} MiB")


def _seconds(value: float) -> str:
    """Three digits and the unit that fits."""
    exponent = min(0, max(-2, math.floor(math.log10(value) / 3)))
    return f"{value / 1000.0**exponent:.3g} {['s', 'ms', 'us'][-exponent]}"
