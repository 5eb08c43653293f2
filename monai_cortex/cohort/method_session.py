"""A bundle's inference over one subject after the other in one process, the network kept in memory."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from monai.bundle import ConfigParser

from monai_cortex.errors import ConfigError, CortexError
from monai_cortex.handlers import seed_everything
from monai_cortex.handlers.peak_memory import PeakMemory

__all__ = ["MethodSession", "Setup"]

_CPU = "cpu"


class Setup(NamedTuple):
    """What a session runs; plain values, to be sent to another process.

    Attributes:
        files: JSON files of the config, the bundle's first.
        overrides: values by id, ``dataset_dir`` and ``output_dir`` among them.
        memory_gb: memory that a subject may take, in gigabytes of 10^9 bytes; None is what the machine has.
    """

    files: Sequence[str]
    overrides: Mapping[str, Any]
    memory_gb: float | None = None


class MethodSession:
    """Run the evaluator of a config over single subjects.

    Every subject begins with the seed of the run, so that its results do not depend on who came before. After an error
    everything but the data set's list is built anew. Where the memory of a GPU does not suffice, the subject is
    computed on the CPU.

    Args:
        setup: what to run. All data loading happens in this process unless the config says otherwise.

    Attributes:
        memory_gb: memory that a subject may take, in gigabytes; None is what the machine has.

    Raises:
        CortexError: the config cannot be used.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup, self.memory_gb = setup, setup.memory_gb
        self._work = Path(setup.overrides["output_dir"])
        self._engine: Any = None
        self._dataset: Any = None
        self._device: str | None = None
        self._items: dict[str, Any] = {}
        self._build()

    @property
    def subjects(self) -> list[str]:
        """Identifiers of all that the data set holds."""
        return list(self._items)

    def run(self, subject: str) -> dict[str, Any]:
        """Compute one subject's results into ``output_dir``, which is emptied before.

        Args:
            subject: identifier.

        Returns:
            ``seconds``, ``peak_memory_mb``, ``peak_gpu_mb``, ``device`` and ``warnings``.

        Raises:
            CortexError: the subject cannot be processed; other errors are passed on as they are.
        """
        _empty(self._work)
        start, memory = time.perf_counter(), PeakMemory()
        with _warnings() as heard:
            self._attempt(subject)
        return {
            "seconds": round(time.perf_counter() - start, 3),
            **memory.megabytes(),
            "device": str(self._engine.state.device),
            "warnings": heard,
        }

    def _attempt(self, subject: str) -> None:
        try:
            self._compute(subject, None)
        except torch.OutOfMemoryError as error:
            self._engine = None
            logging.getLogger(__name__).warning(
                "the memory of the GPU does not suffice, computed on the CPU: %s", str(error).partition(".")[0]
            )
            torch.cuda.empty_cache()
            _empty(self._work)
            self._compute(subject, _CPU)

    def _compute(self, subject: str, device: str | None) -> None:
        if self._engine is None or self._device != device:
            self._build(device)
        if subject not in self._items:
            raise ConfigError(
                "these settings leave the subject out",
                subject=subject,
                found="none of the files that they ask for",
                expected="such as hemispheres, direction or features that the subject has",
                remedy="change the settings, or leave the subject out with --participant-label",
            )
        engine, self._engine = self._engine, None  # an engine that was interrupted is not used again
        seed_everything(self._seed)
        self._dataset.data = [self._items[subject]]
        engine.run()
        self._engine = engine
        if not (self._work / subject).is_dir():
            raise CortexError("the method has written no results", subject=subject, expected="a folder of results")

    def _build(self, device: str | None = None) -> None:
        parser = ConfigParser()
        parser.read_config(list(self._setup.files))
        if (metadata := Path(self._setup.files[0]).with_name("metadata.json")).is_file():
            parser.read_meta(str(metadata))
        changes = {"num_workers": 0, **self._setup.overrides, "track": False, "dataset#data#strict": False}
        parser.update(changes | ({"device": device} if device else {}))
        parser.get_parsed_content("session")
        self._dataset = parser.get_parsed_content("dataset")
        self._items = {str(item["subject"]): item for item in self._dataset.data}
        self._dataset.data = self._dataset.data[:1]  # the engine asks once how many batches there are
        self._engine, self._device = parser.get_parsed_content("evaluator"), device
        self._seed = int(parser.get_parsed_content("seed"))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self.texts.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Gather what the package warns of."""
    listener, log = _Listener(), logging.getLogger("monai_cortex")
    log.addHandler(listener)
    try:
        yield listener.texts
    finally:
        log.removeHandler(listener)
