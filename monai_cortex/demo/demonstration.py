"""The demonstration of one method: its bundle on sample data, and the numbers that it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_cortex.data import bundle_folder
from monai_cortex.demo.screen import readable, show_table
from monai_cortex.demo.stock_client import Step, run_steps
from monai_cortex.visualize import Table

__all__ = ["Demonstration", "Finding"]

_EPOCHS = 10
_Subject = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """What a demonstration has found, in a line.

    Attributes:
        quantity: what was measured, with its unit.
        result: of the method.
        before: the same without it or by a peer, and which of these.
    """

    quantity: str
    result: str = ""
    before: str = ""


def _nothing(_: _Subject) -> Iterator[Table]:
    return iter(())


@dataclass(frozen=True)
class Demonstration:
    """How a method is shown.

    Attributes:
        bundle: name of the bundle.
        data: what goes in.
        title: of the step.
        finding: the line of a subject, from its entry in ``report.json``.
        tables: the subject's numbers.
        configs: names of the configs.
        words: more of the command.
        sizes: more of the command, and of that of a training.
        fit_steps: of the first config, where it trains for a moment; None where it does not train.
    """

    bundle: str
    data: str
    title: str
    finding: Callable[[_Subject], Finding]
    tables: Callable[[_Subject], Iterator[Table]] = _nothing
    configs: Sequence[str] = ("inference",)
    words: Sequence[str] = ()
    sizes: Sequence[str] = ()
    fit_steps: int | None = None

    def run(self, output_dir: Path, store: str, steps: int | None = None, more: Sequence[str] = ()) -> None:
        """Run the bundle's commands.

        Args:
            output_dir: folder of the results.
            store: MLflow's.
            steps: of a training, before or, where the configs train, in the place of the demonstration's own number.
            more: of the command.

        Raises:
            BundleError: the bundle is not found.
            CortexError: a step fails.
        """
        configs = readable(Path(bundle_folder(self.bundle)) / "configs")
        places = ["--output_dir", str(output_dir), "--tracking_uri", store]
        files = [f"{configs}/{name}.json" for name in self.configs]
        named = files[0] if len(files) == 1 else "[" + ",".join(f"'{file}'" for file in files) + "]"
        words = ["--config_file", named, *places, *self.sizes, *self.words, *more]
        if self.fit_steps is not None:
            words += ["--steps", str(self.fit_steps if steps is None else steps)]
        elif steps is not None:
            train = ["--config_file", f"{configs}/train.json", *places, *self.sizes, "--steps", str(steps)]
            epochs = max(1, min(steps, _EPOCHS))
            run_steps([Step("Train on the sample data", [*train, "--epochs", str(epochs)])])
            words += ["--weights", f"{output_dir}/model.pt"]
        run_steps([Step(self.title, words)])

    def summarize(self, output_dir: Path) -> Finding:
        """Print the tables of the subjects; gives the line of the first, an empty one where no report names any."""
        report = output_dir / "report.json"
        subjects = json.loads(report.read_text()).get("subjects") if report.is_file() else None
        if not subjects:
            return Finding("see its folder")
        for subject in subjects:
            for table in self.tables(subject):
                show_table(table)
        return self.finding(subjects[0])
