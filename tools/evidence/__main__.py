"""Measure the pages of docs/evidence again, one command after the other, and compare.

python tools/evidence
python tools/evidence --full

The quick form takes fewer subjects, writes to a folder of its own, and says of each number that it measures alike
whether it agrees with the committed one. With --full each page is measured as it says, and docs/evidence is rewritten.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import click
from agreement import Agreement, agreement
from page_facts import PAGES, numbers

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / "docs" / "evidence"


class Measured(NamedTuple):
    """What became of one page."""

    page: str
    seconds: float
    status: str
    compared: dict[str, Agreement | None]


@click.command(help="Measure PAGES again, or all of them.")
@click.argument("pages", nargs=-1, type=click.Choice(list(PAGES)))
@click.option("--full", is_flag=True, help="As the pages say, and into docs/evidence.")
@click.option("--minutes", default=30.0, show_default=True, help="Of the quick form; what is not reached is named.")
@click.option("--output-dir", default="out/evidence", type=click.Path(file_okay=False, path_type=Path))
def main(pages: tuple[str, ...], full: bool, minutes: float, output_dir: Path) -> None:
    """Run, compare, write the table."""
    output_dir.mkdir(parents=True, exist_ok=True)
    end, found = time.monotonic() + 60 * minutes, []
    for page in pages or PAGES:
        found.append(_measured(page, None if full else end - time.monotonic(), output_dir.resolve()))
        click.echo("\n".join(_lines(found[-1])))
    text = ["| page | seconds | status |", "|---|---|---|"]
    text += [f"| {one.page} | {one.seconds:.0f} | {one.status} |" for one in found]
    text += [f"\n{sum(one.seconds for one in found) / 60:.1f} minutes on {os.cpu_count()} processors."]
    (output_dir / "summary.md").write_text("\n".join([*text, ""]))
    click.echo("\n".join(["", *text]))
    if failed := [one.page for one in found if one.status.startswith(("failed", "differs", "not reached"))]:
        raise click.ClickException(f"to be looked at: {', '.join(failed)}")


def command(page: str, full: bool, output_dir: Path) -> list[str]:
    """Words that measure a page."""
    script = "benchmark" if page.endswith("_speed") else f"evidence/{page}"
    words = shlex.split(PAGES[page]["full" if full else "quick"].replace("OUT/", f"{output_dir}/results/"))
    return ["tools/" + f"{script}.py", *words, *(["--evidence"] if script == "benchmark" else [])]


def _measured(page: str, left: float | None, output_dir: Path) -> Measured:
    """Measure one page in the seconds that are left; None: in full."""
    full = left is None
    folder = EVIDENCE if full else output_dir
    old: Any = json.loads((EVIDENCE / f"{page}.json").read_text())
    words, start = command(page, full, output_dir), time.monotonic()
    if left is not None and left <= 0:
        return Measured(page, 0, "not reached: --minutes are over", {})
    click.echo(f"$ python {shlex.join(words)}")
    environment = {**os.environ, "MONAI_CORTEX_EVIDENCE": str(folder)}
    status = _run(words, environment, left, output_dir / f"{page}.log")
    seconds = time.monotonic() - start
    if status:
        return Measured(page, seconds, status, {})
    new: Any = json.loads((folder / f"{page}.json").read_text())
    if "not_compared" in PAGES[page] and not full:
        return Measured(page, seconds, f"runs; not compared: {PAGES[page]['not_compared']}", {})
    before, after = numbers(page, old), numbers(page, new)
    compared = {label: agreement(before[label], after[label]) for label in before}
    return Measured(page, seconds, _status(compared, page), compared)


def _run(words: list[str], environment: dict[str, str], left: float | None, log: Path) -> str:
    """Run a script with its words into a file; says what went wrong, or nothing."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            return f"failed, see {log.name}" if process.wait(left) else ""
        except subprocess.TimeoutExpired:
            return "not reached to its end: --minutes are over"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def _status(compared: dict[str, Agreement | None], page: str) -> str:
    known = [number for number in compared.values() if number]
    if page.endswith("_speed") or not known:
        return "runs; times are the machine's" if page.endswith("_speed") else "runs; no number to compare"
    return "agrees" if all(number.holds for number in known) else "differs"


def _lines(one: Measured) -> list[str]:
    rows = [f"  {label}: {number}" for label, number in one.compared.items() if number]
    return [f"{one.page}: {one.status} [{one.seconds:.0f} s]", *rows]


if __name__ == "__main__":
    main()
