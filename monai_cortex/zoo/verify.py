"""Whether a bundle is complete, says what it is, and executes only what is known to be harmless."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai_cortex.data import read_config
from monai_cortex.errors import BundleError, ConfigError, CortexError, ResourceError

from .code_rules import code_of, unsafe_code, unsafe_entries
from .config_tree import Finding, cycles, entries, require_known_overrides
from .content import bundle_files, content_digest, wrong_weights
from .lint import REQUIRED, missing_in
from .log_settings import unsafe_log_settings
from .structure import bad_files, bad_ids, bad_metadata, bad_numbers, foreign_files, measured_rows
from .trial import rebuilt

__all__ = ["Verdict", "require_verified", "verify_bundle"]

_SECONDS = 300
_EXAMPLES = 3
_CONFIGS = {".json", ".yaml", ".yml"}


class Verdict(NamedTuple):
    """What was found: content digest, problems, and every expression and target as one line."""

    digest: str
    problems: list[CortexError]
    code: list[str]


def verify_bundle(bundle: Path, trust: str = "", overrides: Sequence[str] = (), *, run: bool = True) -> Verdict:
    """Verify a bundle folder; what it would execute is executed only if it is listed as harmless, or trusted.

    Args:
        bundle: folder of the bundle; its name is that of the bundle.
        trust: content digest of a bundle whose author is trusted.
        overrides: ``id=value`` as for the stock client; unknown ids are refused.
        run: False leaves out what takes imports: names of components, weights and the call of the network.

    Raises:
        BundleError: the folder is missing or holds links.
    """
    bundle = bundle.resolve()
    files, digest = bundle_files(bundle), content_digest(bundle)
    loaded, problems = _read_all(bundle, files)
    problems += _as_errors(bundle, "", bad_files(_bundle_name(bundle), files))
    for place, config in loaded.items():
        problems += _as_errors(bundle, place, _static(place, config, loaded))
    problems += _overrides(bundle, loaded, overrides) + list(wrong_weights(bundle)) + _numbers(bundle)
    trusted = bool(trust) and trust.lower() == digest
    problems += [] if trusted else _untrusted(bundle, files, loaded, digest, trust)
    if run and not problems:
        problems += _tried(bundle, trusted)
    code = [f"{place}: {line}" for place, config in loaded.items() for line in code_of(config)]
    return Verdict(digest, problems, code)


def require_verified(bundle: Path, trust: str = "", *, run: bool = False) -> None:
    """Refuse a bundle that does not pass; for commands that go on to run it.

    Raises:
        CortexError: the first problem.
    """
    for problem in verify_bundle(bundle, trust, run=run).problems:
        raise problem


def _bundle_name(bundle: Path) -> str:
    """Without the version that an archive's folder may carry."""
    return bundle.name.partition("_v")[0] if bundle.name.partition("_v")[2][:1].isdigit() else bundle.name


def _read_all(bundle: Path, files: Iterable[Path]) -> tuple[dict[str, dict[str, Any]], list[CortexError]]:
    """Every file of the bundle that the client could take for a config, wherever it lies."""
    loaded: dict[str, dict[str, Any]] = {}
    problems: list[CortexError] = []
    for place in files:
        if place.suffix.lower() not in _CONFIGS:
            continue
        try:
            loaded[place.as_posix()] = read_config(bundle / place)
        except ConfigError as error:
            problems.append(error)
    return loaded, problems


def _static(place: str, config: dict[str, Any], loaded: dict[str, dict[str, Any]]) -> list[Finding]:
    path = Path(place)
    if path.parent.as_posix() != "configs":
        return []
    if path.stem == "metadata":
        return list(bad_metadata(config))
    stems = {Path(name).stem: content for name, content in loaded.items() if Path(name).parent == path.parent}
    if "mlflow" in stems:  # a settings file: what it adds to a config lies one level down
        stems["mlflow"] = stems["mlflow"].get("configs", {})
    ids = bad_ids(path.stem, config) if path.stem in REQUIRED else ()
    return [*ids, *bad_numbers(config), *cycles(config), *missing_in(path.stem, stems)]


def _as_errors(bundle: Path, place: str, findings: Iterable[Finding]) -> list[CortexError]:
    kind = ConfigError if place else BundleError
    return [
        kind(f"{finding.where}: {finding.what}", file=bundle / place, expected=finding.expected, remedy=finding.remedy)
        for finding in findings
    ]


def _overrides(bundle: Path, loaded: dict[str, dict[str, Any]], overrides: Sequence[str]) -> list[CortexError]:
    keys = {entry.where for config in loaded.values() for entry in entries(config)}
    try:
        require_known_overrides(keys, [text.partition("=")[0] for text in overrides], bundle / "configs")
    except ConfigError as error:
        return [error]
    return []


def _numbers(bundle: Path) -> list[CortexError]:
    """Measured rows of the README that no page of evidence holds, where a checkout has such pages."""
    pages = list((bundle.parent.parent / "docs" / "evidence").glob(f"{_bundle_name(bundle)}_*.md"))
    readme = bundle / "docs" / "README.md"
    if not pages or not readme.is_file():
        return []
    evidence = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    lost = [row for row in measured_rows(readme.read_text(encoding="utf-8")) if row not in evidence]
    expected = "the same row in docs/evidence"
    return [BundleError("a number stands in no evidence", file=readme, found=row, expected=expected) for row in lost]


def _untrusted(
    bundle: Path, files: list[Path], loaded: dict[str, dict[str, Any]], digest: str, trust: str
) -> list[CortexError]:
    found = [("", finding) for finding in foreign_files(files)]
    for place, config in loaded.items():
        rule = unsafe_entries if place == "configs/metadata.json" else unsafe_code
        found += [(place, finding) for finding in rule(config)]
    for log in (place.as_posix() for place in files if place.suffix.lower() in (".conf", ".ini", ".cfg")):
        found += [(log, finding) for finding in unsafe_log_settings(bundle / log)]
    if not found:
        return []
    lines = [f"{place or 'files'}: {finding.where}: {finding.what}" for place, finding in found]
    more = f"; and {len(lines) - _EXAMPLES} more" if len(lines) > _EXAMPLES else ""
    other = f"the digest given is {trust}; " if trust else ""
    return [
        ConfigError(
            "the bundle would execute what is not in the allow-list; nothing was executed",
            file=bundle / found[0][0],
            found="; ".join(line[:160] for line in lines[:_EXAMPLES]) + more,
            expected=f"{found[0][1].expected}; `zoo verify --list` shows all",
            remedy=f"{other}read it, and if you trust its author add --trust {digest}",
        )
    ]


def _tried(bundle: Path, trusted: bool) -> list[CortexError]:
    """Problems found in a guarded process, started in an empty folder: a module beside a config must not be found."""
    package = str(Path(__file__).parents[2])
    search = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "monai_cortex.zoo.trial", str(bundle), *(["--trusted"] if trusted else [])]
    with tempfile.TemporaryDirectory() as empty:
        try:
            answer = subprocess.run(
                command,
                cwd=empty,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                env={**os.environ, "PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        except subprocess.TimeoutExpired as error:
            raise ResourceError("the bundle took too long", file=bundle, expected=f"{_SECONDS} s") from error
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return [BundleError("the bundle's components could not be tried", file=bundle, found=last[:200])]
    return rebuilt(json.loads(answer.stdout))
