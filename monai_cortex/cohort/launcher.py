"""Shards of a cohort as jobs of submitit: on a Slurm cluster, or as processes of this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.cohort.shard import Shard
from monai_cortex.errors import ConfigError, CortexError

__all__ = ["ShardJob", "launch"]

_POLL = 2.0
_DAY = 24 * 60  # minutes of a job; submitit's own default is a few, after which jobs are stopped
_RETURNS = 100  # how often a job may run out of time and be submitted again
_PROGRAM = ("-m", "monai_cortex", "cohort")
_KNOWN = (0, 2, 3, 4, 130, 143)


class ShardJob:
    """One shard, as a function that a scheduler may interrupt and call again.

    Args:
        words: of the command line ``python -m monai_cortex cohort``, without a shard.
        shard: to do.
    """

    def __init__(self, words: Sequence[str], shard: Shard) -> None:
        self.words, self.shard = list(words), shard

    def __call__(self) -> int:
        """Run the shard in a process of its own; gives its exit code."""
        command = [sys.executable, *_PROGRAM, *self.words, "--shard", str(self.shard)]
        process = subprocess.Popen(command)
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def checkpoint(self) -> Any:
        """What to submit in place of an interrupted job: the same, since a rerun goes on where it was stopped."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 (optional)

        return DelayedSubmission(self)


def launch(
    words: Sequence[str],
    jobs: int,
    logs: Path,
    parameters: Mapping[str, Any],
    *,
    cluster: str | None = None,
    progress: Callable[[str], object] = print,
) -> list[int]:
    """Submit a cohort as jobs, one a shard, and wait for them.

    Args:
        words: of the command line, without a shard.
        jobs: how many shards.
        logs: folder of the jobs' output.
        parameters: of submitit's executor, such as ``timeout_min``, ``slurm_partition``.
        cluster: "slurm", "local", or None for what is there.
        progress: is told what becomes of the jobs.

    Returns:
        Exit codes of the shards; 3 for a job that was lost.

    Raises:
        ConfigError: submitit is not installed or does not know a parameter.
    """
    try:
        import submitit  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(
            "submitit is not installed",
            found="no package submitit",
            expected="submitit 1.5 or newer",
            remedy="pip install monai_cortex[cluster], or run the shards as docs/cohort.md says",
        ) from error
    executor = submitit.AutoExecutor(folder=logs, cluster=cluster, slurm_max_num_timeout=_RETURNS)
    try:
        executor.update_parameters(**{"name": "cohort", "timeout_min": _DAY, **parameters})
    except (NameError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(
            "a parameter of the jobs cannot be used", found=error, expected="what submitit knows"
        ) from error
    with executor.batch():
        submitted = [executor.submit(ShardJob(words, Shard(index, jobs))) for index in range(1, jobs + 1)]
    progress(f"{jobs} jobs submitted: {', '.join(job.job_id for job in submitted)}")
    return [_code(job, progress) for job in submitted]


def _code(job: Any, progress: Callable[[str], object]) -> int:
    while not job.done():
        time.sleep(_POLL)
    try:
        code = int(job.result())
    except Exception as error:  # whatever became of the job, the others are waited for
        progress(f"job {job.job_id} was lost: {str(error).strip().splitlines()[-1] if str(error).strip() else error!r}")
        return 3
    if code not in _KNOWN:
        raise CortexError("a job has ended in an unknown way", found=f"exit code {code}", expected=f"one of {_KNOWN}")
    return code
