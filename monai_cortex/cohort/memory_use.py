"""How much memory a piece of work may take."""

from __future__ import annotations

import re

import torch

from monai_cortex.errors import ResourceError
from monai_cortex.handlers.peak_memory import process_bytes

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["as_resource_error", "limit_memory"]

_NEEDS = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+ [GM]iB)|allocate ([\d.]+ [GM]iB) for an array")


def limit_memory(gigabytes: float) -> None:
    """Let this process take no more than so much on top of what it has now; allocations beyond that raise errors.

    Args:
        gigabytes: of 10^9 bytes. Without effect where the system knows no such limit, and where GPUs are used: their
            drivers reserve addresses without memory.
    """
    if resource is None or torch.cuda.is_available():
        return
    limit = process_bytes("VmSize") + int(gigabytes * 1e9)
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
