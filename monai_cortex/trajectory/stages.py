"""Commands of the stock client that are run once: as long as nothing they depend on changes, their results stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from monai_cortex.data import bundle_folder, write_json
from monai_cortex.data.content_key import content_key, software_key
from monai_cortex.demo.screen import readable
from monai_cortex.demo.stock_client import Step, run_steps

__all__ = ["Stage", "run_stage"]

_RECORD = "STAGE.json"


class Stage(NamedTuple):
    """One run of a bundle's inference.

    Attributes:
        title: what it does.
        slug: of the bundle.
        output_dir: folder of its results, and of nothing else.
        places: options that name folders.
        settings: options that the results depend on.
        inputs: files that the results depend on, by name.
    """

    title: str
    slug: str
    output_dir: Path
    places: Mapping[str, Path]
    settings: Mapping[str, object]
    inputs: Mapping[str, Path]


def run_stage(stage: Stage, tracking: Sequence[str] = ()) -> bool:
    """Run a bundle through the stock client, unless its results are there and made of the same.

    Args:
        stage: what to run.
        tracking: more words of the command, on which the results do not depend.

    Returns:
        Whether it was run.

    Raises:
        CortexError: the run failed.
    """
    bundle = Path(bundle_folder(stage.slug))
    weights = bundle / "models" / "model.pt"
    record = stage.output_dir / _RECORD
    key = content_key(software_key(), stage.slug, weights, dict(stage.settings), dict(sorted(stage.inputs.items())))
    if _key(record) == key:
        click.secho(f"{stage.title}: nothing has changed, results in {stage.output_dir} stay\n", bold=True)
        return False
    if record.exists():
        shutil.rmtree(stage.output_dir)
    config = readable(bundle / "configs") / "inference.json"
    options: dict[str, Any] = {**stage.places, "output_dir": stage.output_dir, **stage.settings}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    run_steps([Step(stage.title, ["--config_file", str(config), *words, *tracking])])
    write_json(record, {"key": key})
    return True


def _key(record: Path) -> str:
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError):
        return ""
