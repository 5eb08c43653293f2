"""What the model zoo asks of a bundle's files, metadata and ids, without running any of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_cortex.data import read_config

from .config_tree import Entry, Finding, entries

__all__ = ["SCHEMA", "bad_files", "bad_ids", "bad_metadata", "bad_numbers", "foreign_files", "measured_rows"]

SCHEMA = Path(__file__).with_name("metadata_schema.json")
_REQUIRED = ("LICENSE", "configs/metadata.json", "docs/README.md")
_KINDS = {"", ".conf", ".csv", ".gif", ".jpeg", ".jpg", ".json", ".md", ".png", ".pt", ".sha256", ".svg", ".txt"}
_KINDS |= {".yaml", ".yml"}
_IDS = {
    "inference": ("bundle_root", "device", "network_def", "inferer"),
    "train": ("bundle_root", "device", "dataset_dir", "output_dir", "train::trainer", "train::dataset")
    + ("train::handlers", "train::trainer::max_epochs", "train::dataset::data")
    + ("validate::evaluator", "validate::handlers", "validate::dataset", "validate::dataset::data"),
}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def bad_files(name: str, files: list[Path]) -> Iterator[Finding]:
    """Names of the bundle and of its files; a module in a bundle would be run in place of an installed one."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name):
        yield Finding("name", name, "snake case with task or modality, such as spleen_ct_segmentation", "rename it")
    places = {place.as_posix() for place in files}
    for required in _REQUIRED:
        if required not in places:
            yield Finding("files", f"no {required}", "a complete bundle", "write it")
    if not places & {f"configs/inference{suffix}" for suffix in (".json", ".yaml", ".yml")}:
        yield Finding("files", "no configs/inference.json", "a complete bundle", "write it")
    if "models/model.pt" not in places and not any(place.startswith("large_files.") for place in places):
        yield Finding("files", "no models/model.pt", "weights", "train, or list them in large_files.yml")


def foreign_files(files: list[Path]) -> Iterator[Finding]:
    """Files of kinds that hold code, or may."""
    for place in files:
        if place.suffix.lower() not in _KINDS or (not place.suffix and place.name not in ("LICENSE", "NOTICE")):
            expected = "configs, weights, texts and pictures"
            yield Finding("files", place.as_posix(), expected, "code belongs in an installed package")


def bad_metadata(metadata: dict[str, Any]) -> Iterator[Finding]:
    """Metadata against the schema, as far as it is checked without jsonschema; and the version in the changelog."""
    for name in read_config(SCHEMA)["required"]:
        if name not in metadata:
            yield Finding(name, "missing in the metadata", "a value", "add it")
    version, changelog = metadata.get("version"), metadata.get("changelog")
    if not isinstance(changelog, dict) or version not in changelog:
        yield Finding("changelog", f"no entry for version {version!r}", "what is new in it", "write one")
    if find_spec("jsonschema") is None:
        return
    from jsonschema import Draft7Validator  # noqa: PLC0415

    for error in Draft7Validator(read_config(SCHEMA)).iter_errors(metadata):
        if error.validator != "required" or error.path:
            where = "::".join(map(str, error.path)) or "metadata"
            yield Finding(where, error.message[:160], "what the schema says", "correct it")


def bad_ids(stem: str, config: dict[str, Any]) -> Iterator[Finding]:
    """Ids that the zoo's own checks look for."""
    known = {entry.where for entry in entries(config)}
    for name in _IDS.get(stem, ()):
        component = f"{name.rpartition('::')[0]}::_target_"
        if name not in known and not (name.count("::") > 1 and component not in known):
            yield Finding(name, "id is missing", "it, as every bundle of the zoo", "add it")


def bad_numbers(config: dict[str, Any]) -> Iterator[Finding]:
    """Numbers written as text, which fail late or never."""
    for entry in entries(config):
        if _is_number(entry) and "_desc_" not in entry.where.split("::"):
            yield Finding(entry.where, f"number written as text, {entry.value!r}", "a number", "take the quotes away")


def _is_number(entry: Entry) -> bool:
    return isinstance(entry.value, str) and bool(_NUMBER.fullmatch(entry.value.strip()))


def measured_rows(readme: str) -> list[str]:
    """Rows of a README's tables that hold measurements: some cell after the first is a number."""
    text = readme.partition("## Measured")[2].partition("## Limits")[0]
    lines = [line for line in text.splitlines() if line.startswith("|") and line.count("|") > 4]  # noqa: PLR2004
    return [line for line in lines if any(cell.strip()[:1].isdigit() for cell in line.split("|")[2:])]
