"""From the inputs of one subject to its published results, or to the record of its failure."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_cortex import __version__
from monai_cortex.cohort.crash import crash_text, private_text
from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.journal import append
from monai_cortex.cohort.publish import note_done, note_failed, publish_results
from monai_cortex.cohort.request import CohortRequest
from monai_cortex.cohort.settings import Settings
from monai_cortex.cohort.stamps import Digest, Stamp, digests, input_files, stamps_of
from monai_cortex.cohort.states import read_record
from monai_cortex.cohort.stopping import undisturbed
from monai_cortex.cohort.worker_process import Failure, WorkerProcess
from monai_cortex.errors import CortexError

__all__ = ["SubjectRun"]


class SubjectRun:
    """Have subjects computed by a worker, and put down what became of them.

    Args:
        folder: of the cohort.
        request: of the run.
        settings: of the run.
        work: folder of this process.
        worker: that computes; it is started where it has died.
    """

    def __init__(
        self, folder: CohortFolder, request: CohortRequest, settings: Settings, work: Path, worker: WorkerProcess
    ) -> None:
        self._folder, self._request, self._settings = folder, request, settings
        self._work, self._worker = work / "run", worker
        self._names = {"dataset": request.dataset_dir.absolute(), "output": folder.path}
        self._names |= {"bundle": settings.bundle_root}

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Compute a subject.

        Args:
            item: of the subject, with the paths of its inputs.

        Returns:
            Its record.
        """
        subject, start = str(item["subject"]), time.perf_counter()
        self._log("subject", subject)
        files = input_files(item, self._request.dataset_dir)
        facts: dict[str, Any] = {"shard": str(self._request.shard)}
        stamps, inputs = stamps_of(files), {}
        try:
            self._worker.start()
            self._worker.send({"subject": subject})
            inputs = digests(files)  # read while the worker computes
            facts |= self._worker.answer(subject)
            with undisturbed():
                return self._finished(subject, stamps, inputs, facts)
        except (Failure, CortexError) as error:
            facts |= {"seconds": round(time.perf_counter() - start, 3), "inputs": inputs}
            return self._failed(subject, error, facts)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def adopt(self, item: Mapping[str, Any]) -> None:
        """Record anew a finished subject whose files are as they were, but whose stamps are not: it was copied, say.

        Args:
            item: of the subject.
        """
        subject = str(item["subject"])
        before = read_record(self._folder.record(subject))
        stale = ("subject", "status", "metrics", "done", "input_stamps", "output_stamps", "error", "inputs")
        facts = {"warnings": [], **before} if before.get("status") == "done" else {"warnings": []}
        stamps = stamps_of(input_files(item, self._request.dataset_dir))
        note_done(self._folder, subject, stamps, {name: value for name, value in facts.items() if name not in stale})
        self._log("kept", subject)

    def track(self, metrics: Mapping[str, float]) -> None:
        """Write the tracker's run of the cohort, unless the config says not to; a tracker that fails costs nothing.

        Args:
            metrics: numbers about the cohort, by name.
        """
        config = self._settings.config
        if config.get("track") in (False, "false", None):
            return
        arguments = {
            "output_dir": str(self._folder.path),
            "bundle_root": str(self._settings.bundle_root),
            "tracking_uri": config.get("tracking_uri"),
            "config": self._settings.record,
            "metrics": dict(metrics),
        }
        try:
            self._worker.start()
            self._worker.ask({"track": arguments})
        except Failure as failure:
            self._log("untracked", "", error=self._private(failure.message))

    def _finished(
        self, subject: str, stamps: Mapping[str, Stamp | None], inputs: Mapping[str, Digest], facts: dict[str, Any]
    ) -> dict[str, Any]:
        times = publish_results(self._folder, subject, self._work, self._settings, inputs)
        facts |= {"times": times, "warnings": [self._private(text) for text in facts["warnings"]]}
        record = note_done(self._folder, subject, stamps, facts | {"finished": round(time.time(), 3)})
        self._log("done", subject, seconds=facts["seconds"], peak_memory_mb=facts["peak_memory_mb"])
        return record

    def _failed(self, subject: str, error: Failure | CortexError, facts: Mapping[str, Any]) -> dict[str, Any]:
        message = error.message if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        message = self._private(message)
        where = [self._private(line) for line in error.where] if isinstance(error, Failure) else []
        about = {"method": self._request.slug, "monai_cortex": __version__, "settings": self._settings.digest[:12]}
        text = crash_text(subject, message, where, about | {"seconds": facts["seconds"]})
        self._log("failed", subject, error=message.partition("\n")[0])
        return note_failed(self._folder, subject, text, {**facts, "error": message, "finished": round(time.time(), 3)})

    def _private(self, text: str) -> str:
        return private_text(text, self._names)

    def _log(self, event: str, subject: str, **facts: Any) -> None:
        append(self._folder.journal, event, subject=subject, process=self._work.parent.name, **facts)
