"""What became of a demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monai_cortex.demo.demonstration import Finding
from monai_cortex.errors import CortexError
from monai_cortex.visualize import Table

__all__ = ["Outcome", "outcome_table"]


@dataclass(frozen=True)
class Outcome:
    """A demonstration that has ended, well or not.

    Attributes:
        slug: name of the method.
        seconds: from its first command to its end.
        finding: its main result, if it has one.
        error: why it has none.
        data: what went in.
    """

    slug: str
    seconds: float
    finding: Finding | None = None
    error: CortexError | None = None
    data: str = ""


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """One line a method: what was measured, of the method and without it, how long it took, how it ended."""
    rows = []
    for outcome in outcomes:
        found = outcome.finding or Finding("-")
        status = "done" if outcome.error is None else "failed"
        rows.append(
            [outcome.slug, found.quantity, found.result, found.before, round(outcome.seconds), status],
        )
    return Table(["method", "quantity", "result", "beside", "time [s]", "status"], rows)
