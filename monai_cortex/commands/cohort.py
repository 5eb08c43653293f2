"""Many subjects, on one machine or on many: in shards, resumable, one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from monai_cortex.errors import ConfigError

__all__ = ["cohort"]

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
USAGE = 2
_LEVELS = ("participant", "group")
_HELP = {
    "words": "",
    "shard": "Only the i-th of n shares, i from 1; slurm takes both from the job array.",
    "label": "Only these subjects, with or without sub-; several in a row, or the option again.",
    "file": "Only the subjects of a table with a column participant_id, or of a list.",
    "config": "JSON or YAML file on top of the bundle's inference.json, such as one of its overlays; may be repeated.",
    "override": "id=value of the config, as in refine=false; may be repeated.",
    "device": "Of the networks: cuda, cuda:1, cpu.  [default: the first GPU, or the CPU]",
    "memory": "Gigabytes that a subject may take.  [default: what the machine has]",
    "overwrite": "Replace results of other settings or inputs.",
    "verify": "Read all finished results again and compare their digests.",
    "stop": "Leave the rest when a subject fails.",
    "launcher": "submitit submits the shards as jobs.",
    "jobs": "Number of shards that the launcher submits.",
    "parameter": "name=value for submitit, as in slurm_partition=gpu, timeout_min=600; may be repeated.",
    "cluster": "Where submitit runs jobs.  [default: Slurm where it is installed]",
}


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("slug")
@click.argument("dataset_dir", type=_FOLDER)
@click.argument("output_dir", type=_FOLDER)
@click.argument("words", nargs=-1, metavar="[participant|group]")
@click.option("--shard", default="1/1", show_default=True, help=_HELP["shard"])
@click.option("--participant-label", "--participant_label", "labels", multiple=True, help=_HELP["label"])
@click.option("--participants-file", type=_FILE, help=_HELP["file"])
@click.option("--config", "configs", multiple=True, type=_FILE, help=_HELP["config"])
@click.option("--override", "overrides", multiple=True, help=_HELP["override"])
@click.option("--device", default=None, help=_HELP["device"])
@click.option("--memory-limit", "memory_gb", type=click.FloatRange(min=0, min_open=True), help=_HELP["memory"])
@click.option("--overwrite", is_flag=True, help=_HELP["overwrite"])
@click.option("--verify", is_flag=True, help=_HELP["verify"])
@click.option("--stop-on-first-crash", is_flag=True, help=_HELP["stop"])
@click.option("--launcher", type=click.Choice(["local", "submitit"]), default="local", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help=_HELP["jobs"])
@click.option("--cluster", type=click.Choice(["slurm", "local"]), default=None, help=_HELP["cluster"])
@click.option("--job-parameter", "parameters", multiple=True, help=_HELP["parameter"])
def cohort(words: tuple[str, ...], launcher: str, **given: Any) -> None:
    """Run the method SLUG over all subjects of DATASET_DIR; results, one folder a subject, go to OUTPUT_DIR.

    A subject that fails does not cost the others. Calling the same again computes what is missing: finished subjects
    are kept, unless their files were damaged. `participant` is the default; `group` computes nothing and writes the
    reports of what is there. Exit codes: 0 all done, 2 usage or config, 3 some subjects failed, 4 none succeeded, 130
    and 143 interrupted.
    """
    level, given["labels"] = _calling_form(words, given["labels"])
    options = {name: given.pop(name) for name in ("jobs", "cluster", "parameters")}
    if launcher == "submitit" and level == "participant":
        _submit(given, **options)
        level, given["shard"] = "group", "1/1"
    _run(given, level)


def _run(given: dict[str, Any], level: str) -> None:
    from monai_cortex.cohort import CohortRequest, parse_shard, run_cohort

    shard = parse_shard(given["shard"])
    request = CohortRequest(**{**given, "shard": shard}, report_only=level == "group")
    outcome = run_cohort(request)
    for message in outcome.failed.values():
        click.echo(f"{message}\n", err=True)
    total = outcome.done + len(outcome.failed) + outcome.pending
    parts = [
        f"{outcome.done} of {total} subjects done ({outcome.kept} of them before)",
        f"{len(outcome.failed)} failed",
    ]
    parts += [f"{outcome.pending} not tried"] if outcome.pending else []
    click.echo(f"{', '.join(parts)}; report in {given['output_dir'] / 'report.html'}")
    if outcome.exit_code:
        sys.exit(outcome.exit_code)


def _submit(given: dict[str, Any], jobs: int, cluster: str | None, parameters: tuple[str, ...]) -> None:
    """Have all shards computed by jobs; to say how it went is left to the level of the group."""
    from monai_cortex.cohort import launch
    from monai_cortex.cohort.folder import CohortFolder

    folder = CohortFolder(given["output_dir"])
    folder.prepare()
    values = dict(_parameter(text) for text in parameters)
    logs = folder.work.parent / "jobs"
    codes = launch(_as_words(given), jobs, logs, values, cluster=cluster, progress=click.echo)
    if USAGE in codes:
        click.echo(f"the jobs could not begin; see their logs in {logs}", err=True)
        sys.exit(USAGE)


def _calling_form(words: tuple[str, ...], labels: tuple[str, ...]) -> tuple[str, list[str]]:
    """Level and labels, as BIDS apps take them: the level after the folders, labels one after the other."""
    level, *more = words if words[:1] and words[0] in _LEVELS else ("participant", *words)
    if more and not labels:
        raise ConfigError(
            "a word too many",
            found=" ".join(more),
            expected="participant, group or nothing after the folders",
            remedy="name subjects after --participant-label",
        )
    return level, [label for text in (*labels, *more) for label in text.replace(",", " ").split()]


def _as_words(given: dict[str, Any]) -> list[str]:
    words = [given["slug"], str(given["dataset_dir"].absolute()), str(given["output_dir"].absolute())]
    named = {"--participants-file": given["participants_file"], "--device": given["device"]}
    named |= {"--memory-limit": given["memory_gb"]}
    words += [word for name, value in named.items() if value is not None for word in (name, str(value))]
    flags = ("overwrite", "verify", "stop_on_first_crash")
    words += [f"--{name.replace('_', '-')}" for name in flags if given[name]]
    several = {"--participant-label": given["labels"], "--override": given["overrides"], "--config": given["configs"]}
    return words + [word for name, values in several.items() for value in values for word in (name, str(value))]


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError("a parameter of the jobs cannot be read", found=text, expected="name=value")
    return name, int(value) if value.lstrip("-").isdigit() else value
