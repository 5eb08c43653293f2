"""The rules of the house for configs of bundles: those of safety, and those that keep a config short and complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_cortex.data import read_config
from monai_cortex.errors import ConfigError

from .code_rules import code_of, unsafe_code
from .config_tree import Entry, Finding, entries, is_expression, known_ids, missing_references

__all__ = ["REQUIRED", "config_files", "lint", "listing", "missing_in", "read_configs", "wrong_in"]

COMMON = ("bundle_root", "dataset_dir", "output_dir", "device", "seed", "num_workers")
REQUIRED = {
    "inference": COMMON,
    "train": (*COMMON, "epochs", "val_interval", "learning_rate", "batch_size", "resume"),
}
LONGEST_EXPRESSION, MOST_EXPRESSIONS, MOST_TARGETS, MOST_LINES = 60, 12, 30, 250
_SUFFIXES = {".json", ".yaml", ".yml"}


def config_files(bundle: Path) -> list[Path]:
    """The JSON and YAML files of a bundle's ``configs``, sorted."""
    return sorted(path for path in bundle.glob("configs/*") if path.suffix.lower() in _SUFFIXES)


def read_configs(bundle: Path) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """The configs by stem, and what is wrong with the files; a broken file is empty."""
    loaded: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for path in config_files(bundle):
        file = f"{bundle.name}/configs/{path.name}"
        try:
            loaded[path.stem] = read_config(path)
        except ConfigError as error:
            loaded[path.stem] = {}
            problem, _, _, found, expected, remedy = error.args
            what = f"{problem}, {found}".rstrip(", ")
            findings.append(Finding("file", what, expected or "readable content", remedy or "correct it", file))
    if "mlflow" in loaded:  # a settings file: what it adds to a config lies one level down
        loaded["mlflow"] = loaded["mlflow"].get("configs", {})
    return loaded, findings


def lint(bundle: Path) -> list[Finding]:
    """Everything that is wrong with the configs of a bundle folder."""
    loaded, report = read_configs(bundle)
    for path in config_files(bundle):
        found = [*_bad_form(path), *_bad_content(path.stem, loaded)]
        report += [finding._replace(file=f"{bundle.name}/configs/{path.name}") for finding in found]
    absent = [f"{bundle.name}/configs/{stem}.json" for stem in ("metadata", *REQUIRED) if stem not in loaded]
    report += [Finding("file", "missing", "a complete bundle", "write it", file) for file in absent]
    if (bundle / "scripts").exists():
        report.append(Finding("scripts", "code in a bundle", "none", "move it into the package", bundle.name))
    return report


def listing(bundle: Path) -> list[str]:
    """Every ``$`` expression and ``_target_`` of a bundle, one a line: what it would execute."""
    loaded, _ = read_configs(bundle)
    return [f"{path.name}: {line}" for path in config_files(bundle) for line in code_of(loaded[path.stem])]


def _bad_form(path: Path) -> Iterator[Finding]:
    if (count := path.read_bytes().count(b"\n")) > MOST_LINES:
        yield Finding("file", f"{count} lines", f"at most {MOST_LINES}", "join components in the package")
    if path.suffix != ".json":
        yield Finding("file", "YAML", "JSON, all that monai.bundle.load reads", "convert it")


def _bad_content(stem: str, loaded: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    config = loaded[stem]
    if stem == "metadata" or not config:
        yield from (finding for entry in entries(config) for finding in _bad_text(entry))
        return
    yield from wrong_in(config)
    yield from _common_ids(stem, config)
    yield from missing_in(stem, loaded)


def wrong_in(config: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with a config, or a part of one, whatever stands beside it."""
    for rule in (_bad_text, _long_expression):
        yield from (finding for entry in entries(config) for finding in rule(entry))
    yield from unsafe_code(config)
    yield from _oversize(config)


def missing_in(stem: str, loaded: dict[str, dict[str, Any]]) -> list[Finding]:
    """References that no id answers; an overlay is read on top of the config that answers most of them."""
    metadata = known_ids({"_meta_": loaded.get("metadata", {})})
    bases = [known_ids(loaded[name]) | metadata for name in REQUIRED if name in loaded and stem not in REQUIRED]
    return missing_references(loaded[stem], bases or [metadata])


def _bad_text(entry: Entry) -> Iterator[Finding]:
    """The parser takes "import" in an id or beside a reference for a statement; ``???`` is plain text to it."""
    if "import" in entry.key and entry.where != "imports":
        yield Finding(entry.where, 'id holds the text "import"', "an id without it", "rename the id")
    if is_expression(entry.value) and "import" in entry.value and "@" in entry.value:
        yield Finding(entry.where, 'expression with a reference and "import"', "one of the two", "rename the id")
    if isinstance(entry.value, str) and "???" in entry.value:
        yield Finding(entry.where, "placeholder ???", "a real default", "write one that runs")


def _long_expression(entry: Entry) -> Iterator[Finding]:
    if is_expression(entry.value) and len(entry.value) > LONGEST_EXPRESSION:
        expected = f"at most {LONGEST_EXPRESSION}"
        yield Finding(entry.where, f"expression of {len(entry.value)} characters", expected, "make it a function")


def _oversize(config: dict[str, Any]) -> Iterator[Finding]:
    """A config has a budget; import statements are not counted as expressions."""
    expressions = [entry for entry in entries(config) if is_expression(entry.value)]
    if (count := sum(not entry.where.startswith("imports::") for entry in expressions)) > MOST_EXPRESSIONS:
        yield Finding("file", f"{count} expressions", f"at most {MOST_EXPRESSIONS}", "make them functions")
    if (count := sum(entry.key == "_target_" for entry in entries(config))) > MOST_TARGETS:
        yield Finding("file", f"{count} targets", f"at most {MOST_TARGETS}", "join components in the package")


def _common_ids(stem: str, config: dict[str, Any]) -> Iterator[Finding]:
    """Every bundle answers the same ids and says in ``_desc_`` what they mean."""
    described = config.get("_desc_")
    for name in REQUIRED.get(stem, ()):
        if name not in config:
            yield Finding(name, "common id is missing", "it at the top level", "add it with a default")
        elif not isinstance(described, dict) or name not in described:
            yield Finding(name, "common id is not in _desc_", "its meaning and unit there", "describe it")
