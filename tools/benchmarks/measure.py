"""Time and memory of two sides, measured so that they can be compared."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.case import Pair

__all__ = ["MALLOC", "alternate", "difference", "peak_bytes", "summary"]

# Freed memory goes back to the system at once: what is resident before a call is then a fair zero.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
_WARM_UP = 2
_RESAMPLES = 2000


def difference(pair: Pair) -> float | None:
    """Largest difference of the results relative to the largest value; None for methods that differ by design.

    Raises:
        ArithmeticError: it is more than the pair's tolerance.
    """
    if pair.tolerance is None:
        return None
    ours, reference = pair.ours(), pair.reference()
    if not isinstance(ours, Tensor) or not isinstance(reference, Tensor) or ours.shape != reference.shape:
        raise ArithmeticError("the sides give results that cannot be compared.")
    relative = float((ours - reference).abs().max() / reference.abs().max())
    if not relative <= pair.tolerance:
        raise ArithmeticError(f"the sides differ by {relative:.1e} of the largest value, more than {pair.tolerance}.")
    return relative


def alternate(pair: Pair, repeats: int, device: torch.device) -> tuple[list[float], list[float]]:
    """Seconds for each call, both sides in turn, so that what slows the machine down slows down both.

    Args:
        pair: the two sides.
        repeats: calls of each side after two to warm up.
        device: waited for before each look at the clock.

    Returns:
        Seconds of ours and of the reference.
    """
    sides = (pair.ours, pair.reference)
    for side in sides * min(_WARM_UP, repeats):
        side()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for side, spent in zip(sides, seconds, strict=True):
            spent.append(_clock(side, device))
    return seconds


def summary(ours: Sequence[float], reference: Sequence[float], units: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    """Medians, quartiles, and the ratio of medians with its 95 % bootstrap interval over repetitions.

    Args:
        ours: seconds of each repetition.
        reference: seconds of the other side in the same repetitions.
        units: what they are divided by.
    """
    spent = np.array([ours, reference]) / np.array(units)[:, None]
    rows = np.random.default_rng(0).integers(spent.shape[1], size=(_RESAMPLES, spent.shape[1]))
    first, second = np.median(spent[:, rows], axis=-1)
    low, high = np.quantile(first / second, [0.025, 0.975])
    quartiles = np.quantile(spent, [0.25, 0.5, 0.75], axis=1).T.tolist()
    return {
        "ours_s": quartiles[0][1],
        "reference_s": quartiles[1][1],
        "ours_quartiles_s": quartiles[0][::2],
        "reference_quartiles_s": quartiles[1][::2],
        "time_ratio": quartiles[0][1] / quartiles[1][1],
        "time_interval": [float(low), float(high)],
        "repeats": len(ours),
    }


def peak_bytes(run: Callable[[], object], device: torch.device) -> int | None:
    """Memory that one call takes at its peak beyond what was there before, after one call to warm up.

    On a GPU PyTorch's allocator knows it. On a CPU the kernel does: the peak of the resident memory counts the
    buffers of oneDNN and MKL too, which PyTorch's profiler does not see. None where the system does not tell.
    """
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        reset.write_text("5")
    except OSError:
        return None
    before = _kilobytes(status, "VmRSS")
    run()
    return 1024 * (_kilobytes(status, "VmHWM") - before)


def _clock(run: Callable[[], object], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def _kilobytes(status: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", status.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
