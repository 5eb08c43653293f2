"""What a run costs, under names that the runs of all methods share."""

from __future__ import annotations

import time

from ignite.engine import Engine

from monai_cortex.handlers.peak_memory import PeakMemory

__all__ = ["RunCost"]


class RunCost:
    """Time and memory from when the object is made on."""

    def __init__(self) -> None:
        self._start, self._memory = time.perf_counter(), PeakMemory()

    def metrics(self, engine: Engine) -> dict[str, float]:
        """``run/seconds``, ``run/peak_memory_mb``, and where they exist the others.

        ``run/peak_gpu_mb`` is there where a GPU was used; ``run/subjects`` and ``run/seconds_per_subject`` where a
        :class:`~monai_cortex.handlers.SubjectWriter` has written subjects. Memory in megabytes of 10^6 bytes.

        Args:
            engine: that has run.
        """
        seconds = time.perf_counter() - self._start
        memory = {name: value for name, value in self._memory.megabytes().items() if value}
        subjects = len(getattr(engine.state, "subjects", ()))
        counted = {"subjects": float(subjects), "seconds_per_subject": seconds / subjects} if subjects else {}
        return {f"run/{name}": round(value, 3) for name, value in {"seconds": seconds, **memory, **counted}.items()}
