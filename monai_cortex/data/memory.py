"""How much memory one image may take."""

from __future__ import annotations

import os
from pathlib import Path

from monai_cortex.errors import ConfigError

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["memory_limit"]

OPTION = "MONAI_CORTEX_MEMORY_GB"
_CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit() -> int:
    """Largest memory that one image may take, in bytes.

    The environment variable ``MONAI_CORTEX_MEMORY_GB`` decides where it is set; otherwise the smallest of the
    machine's memory, the container's limit and the process's address space.

    Raises:
        ConfigError: the variable is not a positive number.
    """
    if text := os.environ.get(OPTION):
        try:
            if (limit := int(float(text) * 1e9)) > 0:
                return limit
        except (ValueError, OverflowError):
            pass
        raise ConfigError("the memory limit cannot be used", found=f"{OPTION}={text}", expected="gigabytes, as in 16")
    return min([*_machine(), *_container(), *_process()], default=1 << 62)


def _machine() -> list[int]:
    try:
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return []


def _container() -> list[int]:
    texts = [Path(name).read_text().strip() for name in _CONTAINER if os.access(name, os.R_OK)]
    return [int(text) for text in texts if text.isdigit()]


def _process() -> list[int]:
    if resource is None:
        return []
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return [] if soft == resource.RLIM_INFINITY else [soft]
