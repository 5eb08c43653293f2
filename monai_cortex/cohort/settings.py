"""What results depend on besides the subject's own files: the config, the weights and files it names, the code."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai_cortex import __version__
from monai_cortex.data import bundle_folder, read_config, sha256
from monai_cortex.errors import ConfigError

__all__ = ["Settings", "changed_settings", "read_settings"]

# They say where and how fast, not what; results of one device must do for a cohort that runs on several kinds.
_IGNORED = {"bundle_root", "dataset_dir", "output_dir", "device", "num_workers", "track", "tracking_uri", "_desc_"}
_IN_BUNDLE = re.compile(r"\$@bundle_root \+ '/?(.+)'")
_SEPARATOR = re.compile(r"#|::")
_SHOWN = 4


class Settings(NamedTuple):
    """The settings of a run.

    Attributes:
        bundle_root: folder of the bundle.
        files: of the config, the first is the bundle's.
        overrides: values by id.
        config: the config with the overrides, not resolved.
        record: all that results depend on, by name: values, and digests of files.
        digest: SHA-256 of the record in hexadecimal.
    """

    bundle_root: Path
    files: tuple[Path, ...]
    overrides: dict[str, Any]
    config: dict[str, Any]
    record: dict[str, Any]
    digest: str


def read_settings(slug: str, configs: Sequence[str | os.PathLike[str]] = (), overrides: Sequence[str] = ()) -> Settings:
    """Read the inference config of a method's bundle, with what goes on top of it.

    Args:
        slug: name of the method.
        configs: further files, JSON or YAML, whose entries replace those before.
        overrides: ``id=value``; parts of an entry are named as in ``optimizer#lr``.

    Raises:
        BundleError: the bundle is not found.
        ConfigError: a file is no config, see :func:`monai_cortex.data.read_config`, or an id is not in the config.
    """
    root = Path(bundle_folder(slug))
    files = (root / "configs" / "inference.json", *map(Path, configs))
    config: dict[str, Any] = {}
    for file in files:
        config |= read_config(file)
    values = dict(_pair(text) for text in overrides)
    for name in values:
        _require_known(name, config)
    config |= values
    kept = {name: value for name, value in config.items() if name not in _IGNORED}
    # Of files the content counts, not the place; and no path is stored.
    record = {name: _content(value, root) if _file(value, root) else value for name, value in kept.items()}
    record["monai_cortex"] = __version__
    text = json.dumps(record, sort_keys=True, ensure_ascii=False)
    return Settings(root, files, values, config, record, hashlib.sha256(text.encode()).hexdigest())


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Names of what differs between two records of settings, the first few with their values."""
    absent = "nothing"
    names = [name for name in sorted({*before, *now}) if before.get(name, absent) != now.get(name, absent)]
    texts = [
        f"{name}: {_short(before.get(name, absent))} before, {_short(now.get(name, absent))} now" for name in names
    ]
    return "; ".join(texts[:_SHOWN]) + (f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError("an override cannot be read", found=text, expected="id=value", remedy="as in refine=false")
    return name.strip(), _literal(value)


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def _require_known(name: str, config: Mapping[str, Any]) -> None:
    place: Any = config
    for part in _SEPARATOR.split(name):
        known = [*place] if isinstance(place, dict) else [str(number) for number in range(len(place))]
        if part not in known:
            near = difflib.get_close_matches(part, known, n=3)
            raise ConfigError(
                "an override names nothing in the config",
                found=name,
                expected=f"did you mean {', '.join(near)}?" if near else f"one of {', '.join(sorted(known)[:12])}",
                remedy="correct the name; all of them stand in the bundle's configs/inference.json",
            )
        place = place[part] if isinstance(place, dict) else place[int(part)]
        place = place if isinstance(place, (dict, list)) else {}


def _file(value: Any, root: Path) -> Path | None:
    """The file or folder that a value names, if it is there."""
    if not isinstance(value, str) or not value or len(value) > 4096:  # noqa: PLR2004
        return None
    match = _IN_BUNDLE.fullmatch(value)
    path = root / match[1] if match else Path(value)
    named = match or path.is_absolute() or path.parent != Path(".")
    return path if named and path.exists() else None


def _content(value: Any, root: Path) -> str:
    path = _file(value, root) or root
    if path.is_file():
        return f"sha256:{sha256(path)}"
    inner = sorted(file for file in path.rglob("*") if file.is_file())
    text = json.dumps([[file.relative_to(path).as_posix(), sha256(file)] for file in inner])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004
