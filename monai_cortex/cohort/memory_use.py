"""How much memory a piece of work takes, and how much it may take."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import torch

from monai_cortex.errors import ResourceError

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["PeakMemory", "as_resource_error", "limit_memory"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_NEEDS = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+ [GM]iB)|allocate ([\d.]+ [GM]iB) for an array")


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
        return {"peak_memory_mb": round(_status("VmHWM") / 1e6, 1), "peak_gpu_mb": round(gpu / 1e6, 1)}


def limit_memory(gigabytes: float) -> None:
    """Let this process take no more than so much on top of what it has now; allocations beyond that raise errors.

    Args:
        gigabytes: of 10^9 bytes. Without effect where the system knows no such limit, and where GPUs are used: their
            drivers reserve addresses without memory.
    """
    if resource is None or torch.cuda.is_available():
        return
    limit = _status("VmSize") + int(gigabytes * 1e9)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def as_resource_error(error: BaseException, subject: str, gigabytes: float | None) -> ResourceError | None:
    """The error that says what a subject needs, if an allocation has failed; None for every other error.

    Args:
        error: as raised; what caused it is looked at too.
        subject: identifier.
        gigabytes: that were allowed; None is what the machine has.
    """
    link: BaseException | None = error
    while link is not None:
        text = str(link)
        failed = isinstance(link, MemoryError | torch.OutOfMemoryError)
        if failed or (isinstance(link, RuntimeError) and "DefaultCPUAllocator" in text):
            needs = _NEEDS.search(text)
            return ResourceError(
                "the memory does not suffice for this subject",
                subject=subject,
                found=f"one array of {_amount(needs)}" if needs else "an array too many",
                expected=f"at most {gigabytes:g} GB (--memory-limit)" if gigabytes else "what the machine has free",
                remedy="make the window smaller (--override window or roi_size), or allow more memory",
            )
        link = link.__cause__ or link.__context__
    return None


def _amount(match: re.Match[str]) -> str:
    count, *texts = match.groups()
    return f"{int(count) / 1e9:,.2f} GB" if count else next(filter(None, texts))


def _status(name: str) -> int:
    """An entry of the process's status in bytes; 0 where the system has none."""
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    if resource is None or name != "VmHWM":
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
