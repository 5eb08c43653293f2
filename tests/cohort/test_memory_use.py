import os

import numpy as np
import pytest
import torch

from monai_cortex.cohort.memory_use import as_resource_error, limit_memory

MB = 10**6


@pytest.mark.parametrize("allocate", [lambda n: np.ones(n, np.uint8), lambda n: torch.ones(n, dtype=torch.uint8)])
def test_limit_turns_large_arrays_into_errors(allocate):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            limit_memory(0.2)
            allocate(50 * MB)
            try:
                allocate(500 * MB)
            except (MemoryError, RuntimeError) as error:
                told = as_resource_error(error, "sub-1", 0.2)
                code = 0 if "one array of" in str(told) and "at most 0.2 GB" in str(told) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("error", "amount"),
    [
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 5000000000 bytes."),
            "5.00 GB",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB."), "2.50 GiB"),
        (MemoryError("Unable to allocate 7.45 GiB for an array with shape (1,)"), "7.45 GiB"),
        (MemoryError(), "an array too many"),
    ],
)
def test_failed_allocations_are_known(error, amount):
    told = str(as_resource_error(error, "sub-1", None))
    assert amount in told
    assert "sub-1" in told
    assert "roi_size" in told
    wrapped = RuntimeError("in a transform")
    wrapped.__cause__ = error
    assert amount in str(as_resource_error(wrapped, "sub-1", None))


def test_other_errors_are_not_about_memory():
    assert as_resource_error(RuntimeError("shape mismatch"), "sub-1", 1) is None
