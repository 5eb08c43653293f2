"""Run the packed bundles where nothing but this package is installed, and print what was typed and what came back.

python tools/run_released_bundles.py

A wheel goes into a new environment with the base requirements alone, no extra; a server on the loopback offers what
`zoo pack` and `zoo index` have written; and from an empty folder the stock client downloads each bundle and runs its
inference on sample data. The package index is asked while installing, nothing is afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = sorted(path.parents[1].name for path in ROOT.glob("bundles/*/configs/inference.json"))
PIP = "python -m pip install --quiet --disable-pip-version-check --no-compile"
# What a program says of itself, and progress that is redrawn.
NOISE = re.compile(r"(?i)warning|^\s*$|^\d{4}[-/]\d\d[-/]\d\d|B/s\b|^  ")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (named so by the standard library)
        pass


class Terminal:
    """Commands in one folder and one environment, printed as they are typed."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder = folder
        # Nothing of the checkout is found by accident: neither its code nor the tracker of whoever calls.
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
        self.variables = kept | {"PATH": f"{environment / 'bin'}{os.pathsep}{kept['PATH']}", "PYTHONWARNINGS": "ignore"}

    def run(self, command: str) -> str:
        """Run one line; gives what it printed, and raises with the end of it where it fails."""
        click.echo(f"$ {command}")
        start = time.monotonic()
        answer = subprocess.run(
            shlex.split(command), cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )
        words = answer.stdout + answer.stderr
        if answer.returncode:
            raise click.ClickException(f"exit code {answer.returncode}\n{words[-3000:]}")
        said = [line for line in words.splitlines() if not NOISE.search(line)]
        click.echo("\n".join([*said[-3:], f"[{time.monotonic() - start:.0f} s]"]))
        return words


@click.command()
@click.option("--slug", "slugs", multiple=True, type=click.Choice(BUNDLES), help="Only these; all without it.")
def main(slugs: tuple[str, ...]) -> None:
    """Install, download, verify and run in folders that vanish afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = ("environment", "wheel", "release", "empty")
        environment, wheel, release, empty = (folder / name for name in names)
        venv.create(environment, with_pip=True)
        for made in (wheel, release, empty):
            made.mkdir()
        install(Terminal(ROOT, environment), wheel)
        with served(release) as address:
            publish(Terminal(ROOT, environment), slugs or BUNDLES, release, address)
            for slug in slugs or BUNDLES:
                fetch_and_run(Terminal(empty, environment), slug, next(release.glob(f"{slug}_v*.zip")).name, address)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on the loopback; gives the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def install(terminal: Terminal, wheel: Path) -> None:
    """Build the wheel, and install it with what it requires."""
    terminal.run(f"python -m pip wheel --quiet --no-deps --wheel-dir {wheel} .")
    # torch first: where pip finds a CPU build it takes that one.
    terminal.run(f"{PIP} -c constraints.txt torch")
    terminal.run(f"{PIP} -c constraints.txt {next(wheel.glob('*.whl'))}")


def publish(terminal: Terminal, slugs: Sequence[str], release: Path, address: str) -> None:
    """Pack the bundles, and write the index of what is packed."""
    for slug in slugs:
        terminal.run(f"python -m monai_cortex zoo pack bundles/{slug} {release}")
    terminal.run(f"python -m monai_cortex zoo index {release} --base-url {address}")


def fetch_and_run(terminal: Terminal, slug: str, archive: str, address: str) -> None:
    """Download one bundle with the stock client, see what it would execute, and run it."""
    terminal.run(f"python -m monai.bundle download --name {slug} --url {address}/{archive} --bundle_dir zoo")
    terminal.run(f"python -m monai_cortex zoo verify zoo/{slug}")
    terminal.run(f"python -m monai.bundle run --config_file zoo/{slug}/configs/inference.json --output_dir out/{slug}")
    subjects = sorted(path.parent.name for path in (terminal.folder / "out" / slug).glob("*/metrics.json"))
    if not subjects:
        raise click.ClickException(f"{slug} has written no results")
    click.echo(f"results of {', '.join(subjects)} in out/{slug}\n")


if __name__ == "__main__":
    sys.exit(main())
