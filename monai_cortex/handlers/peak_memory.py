"""How much memory a piece of work takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["PeakMemory", "process_bytes"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The largest memory of this process since the object was made; where the system cannot tell, since its start."""

    def __init__(self) -> None:
        with suppress(OSError):
            _RESET.write_text("5", encoding="ascii")
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def megabytes(self) -> dict[str, float]:
        """Resident memory, and that of the GPU where there is one, in megabytes of 10^6 bytes."""
        gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        return {"peak_memory_mb": round(process_bytes("VmHWM") / 1e6, 1), "peak_gpu_mb": round(gpu / 1e6, 1)}


def process_bytes(name: str) -> int:
    """An entry of this process's status in bytes; 0 where the system has none.

    Args:
        name: as the kernel calls it, such as VmHWM for the largest resident memory, VmSize for all addresses.
    """
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    if resource is None or name != "VmHWM":
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
