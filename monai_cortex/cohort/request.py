"""What is asked of a cohort run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_cortex.cohort.shard import Shard

__all__ = ["CohortRequest"]


@dataclass(frozen=True)
class CohortRequest:
    """A method, a data set, and what to do with it.

    Attributes:
        slug: name of the method.
        dataset_dir: folder of the subjects, in any layout that the method reads.
        output_dir: folder of the results.
        shard: the share of this process.
        labels: subjects to do, with or without ``sub-``; none is all.
        participants_file: table or list of subjects to do.
        configs: JSON files on top of the bundle's ``inference.json``.
        overrides: values on top of these, each as ``id=value``.
        device: of the networks; None is the bundle's own choice.
        memory_gb: memory that a subject may take, in gigabytes of 10^9 bytes; None is what the machine has.
        overwrite: replace results of other settings or inputs.
        verify: read all results again and compare their digests.
        stop_on_first_crash: leave the rest when a subject fails.
        report_only: compute nothing, write the reports of what is there.
    """

    slug: str
    dataset_dir: Path
    output_dir: Path
    shard: Shard = Shard()
    labels: Sequence[str] = ()
    participants_file: Path | None = None
    configs: Sequence[Path] = ()
    overrides: Sequence[str] = ()
    device: str | None = None
    memory_gb: float | None = None
    overwrite: bool = False
    verify: bool = False
    stop_on_first_crash: bool = False
    report_only: bool = False
