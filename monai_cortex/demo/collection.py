"""Several demonstrations in a row: one that fails does not hide the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from monai_cortex.cohort.stopping import stoppable
from monai_cortex.demo.demonstration import Demonstration
from monai_cortex.demo.outcome import Outcome, outcome_table
from monai_cortex.demo.page import write_page
from monai_cortex.demo.screen import introduce, show_table
from monai_cortex.errors import CortexError
from monai_cortex.handlers import ui_line
from monai_cortex.handlers.tracker_store import database_uri

__all__ = ["demonstrate"]

_SOME_FAILED, _NONE_SUCCEEDED = 3, 4


def demonstrate(chosen: Mapping[str, Callable[[], Demonstration]], output_dir: Path, steps: int | None = None) -> int:
    """Run demonstrations, each in a folder of its own, all in one experiment of one MLflow store.

    Args:
        chosen: makes each method's demonstration.
        output_dir: gets a folder a method, ``mlruns.db``, and ``report.html`` about all.
        steps: of a training of each method; None trains where the demonstration does.

    Returns:
        Exit code: 0 all done, 3 some failed, 4 none succeeded.

    Raises:
        SystemExit: with 130 or 143 after SIGINT or SIGTERM, the command that was running having ended.
    """
    introduce(output_dir)
    outcomes = []
    with stoppable():
        for number, (slug, make) in enumerate(chosen.items(), 1):
            click.secho(f"[{number}/{len(chosen)}] {slug}", bold=True)
            outcomes.append(_outcome(slug, make, output_dir, steps))
    show_table(outcome_table(outcomes))
    for outcome in outcomes:
        if outcome.error is not None:
            click.echo(f"{outcome.slug}: {outcome.error}\n", err=True)
    page = write_page(output_dir, outcomes)
    click.echo(f"report  {page.resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")
    failed = sum(outcome.error is not None for outcome in outcomes)
    return failed and (_SOME_FAILED if failed < len(outcomes) else _NONE_SUCCEEDED)


def _outcome(slug: str, make: Callable[[], Demonstration], output_dir: Path, steps: int | None) -> Outcome:
    start, folder, data = time.perf_counter(), output_dir / slug, ""
    finding, error = None, None
    try:
        demonstration = make()
        data = demonstration.data
        click.echo(f"{data}\n")
        demonstration.run(folder, database_uri(output_dir.absolute()), steps)
        finding = demonstration.summarize(folder)
    except CortexError as known:
        error = known
    except Exception as unknown:  # noqa: BLE001 (a method of another distribution may do anything)
        error = CortexError(
            f"{type(unknown).__name__}: {unknown}",
            remedy="run its commands above one by one with MONAI_CORTEX_DEBUG=1 in the environment",
        )
    if error is not None:
        click.secho(f"{slug} failed; the others go on\n", fg="red", err=True)
    return Outcome(slug, time.perf_counter() - start, finding, error, data)
