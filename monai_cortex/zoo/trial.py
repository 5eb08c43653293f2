"""The part of a verification that runs code: components are imported, weights read, the network called once.

It comes after everything a config names has been found harmless or is trusted, in a process of its own that is not
allowed to start programs, to reach the network or to write files.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai_cortex import errors
from monai_cortex.data import read_config
from monai_cortex.errors import BundleError, ConfigError, CortexError

from .config_tree import Entry, entries
from .content import bundle_files, recorded_digest
from .lint import config_files

__all__ = ["bad_components", "bad_network", "bad_weights", "guard", "root_cause", "try_bundle"]

_OPTIONS = {"_target_", "_disabled_", "_requires_", "_desc_", "_mode_", "_debug_"}
_SIZES = ((1, 1), (2, 4), (4, 8))  # n and any of the stock check; a network needs a few voxels
_FORBIDDEN = tuple(
    """subprocess. os.system os.exec os.posix_spawn os.fork os.remove os.rename os.rmdir os.link os.symlink os.truncate
    os.chmod shutil. socket.connect socket.bind socket.sendto socket.getaddrinfo pty. urllib. webbrowser.""".split()
)
_WRITING = set("wax+")
_CACHING = {"open", "os.rename", "os.remove"}


def root_cause(error: BaseException) -> BaseException:
    """The first of a chain of errors: MONAI wraps the reason in many that do not say it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _said(error: BaseException) -> str:
    cause = root_cause(error)
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}"


def bad_components(file: Path, config: dict[str, Any]) -> Iterator[ConfigError]:
    """Targets that do not exist, each with the nearest names, and keywords that a component does not take."""
    for entry in entries(config):
        target = entry.value.get("_target_") if isinstance(entry.value, dict) else None
        if not isinstance(target, str) or target.startswith("$"):
            continue
        try:
            component = locate(target)
        except (ErrorDuringImport, CortexError) as error:
            yield ConfigError("a component cannot be loaded", file=file, found=f"{entry.where}: {_said(error)}")
            continue
        if component is None:
            yield _unknown(file, entry, target)
        elif problem := _wrong_keywords(component, entry.value):
            expected = f"{target}{_signature(component)}"[:200]
            yield ConfigError(
                "a component does not take its arguments",
                file=file,
                found=f"{entry.where}: {problem}",
                expected=expected,
                remedy="correct the keyword",
            )


def _unknown(file: Path, entry: Entry, target: str) -> ConfigError:
    home, _, name = target.rpartition(".")
    package = locate(home)
    names = {other.lower(): other for other in (dir(package) if package is not None else ())}
    near = get_close_matches(name.lower(), names, n=3)
    expected = ", ".join(f"{home}.{names[other]}" for other in near) or "the full name of a class or function"
    return ConfigError(
        "a _target_ names nothing that is installed",
        file=file,
        found=f"{entry.where}::_target_ = {target}",
        expected=expected,
        remedy="correct the name, or install the package that brings it",
    )


def _signature(component: object) -> str:
    try:
        return str(inspect.signature(component))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"


def _wrong_keywords(component: object, value: dict[str, Any]) -> str:
    arguments = {key.lstrip("+"): None for key in value if key not in _OPTIONS}
    try:
        inspect.signature(component).bind_partial(**arguments)  # type: ignore[arg-type]
    except TypeError as error:
        return str(error)
    except ValueError:  # a builtin that does not say
        return ""
    return ""


def bad_weights(bundle: Path) -> Iterator[CortexError]:
    """Weights that are damaged, hold code or are not those recorded."""
    from monai_cortex.handlers.checkpoint_file import read_checkpoint  # noqa: PLC0415

    for place in bundle_files(bundle):
        if place.suffix != ".pt":
            continue
        try:
            read_checkpoint(bundle / place, recorded_digest(bundle / place))
        except CortexError as error:
            yield error


def bad_network(bundle: Path) -> Iterator[CortexError]:
    """The network takes and gives what the metadata say, by the stock client's own check on random numbers."""
    config, metadata = (bundle / "configs" / f"{name}.json" for name in ("inference", "metadata"))
    if not config.is_file() or "network_verify" not in (ids := read_config(config)):
        ids = ids if config.is_file() else {}
        if "network_def" not in ids:
            return
    net = "network_verify" if "network_verify" in ids else "network_def"
    error = _first_success(str(config), str(metadata), net, str(bundle))
    if error is not None:
        yield BundleError(
            "the network does not take or give what the metadata say",
            file=metadata,
            found=f"{net}: {_said(error)}",
            expected="network_data_format of the network, and a component network_verify with one input and output",
        )


def _first_success(config: str, metadata: str, net: str, root: str) -> Exception | None:
    from monai.bundle import verify_net_in_out  # noqa: PLC0415

    failure: Exception | None = None
    for n, size in _SIZES:
        try:
            verify_net_in_out(
                net_id=net, meta_file=metadata, config_file=config, device="cpu", n=n, any=size, bundle_root=root
            )
            return None
        except Exception as error:  # noqa: BLE001
            failure = error
    return failure


def guard() -> None:
    """From now on, this process starts no program, opens no connection and writes no file; it cannot be undone.

    The one exception is what numba keeps of compiled functions beside our own modules.
    """
    package = str(Path(__file__).parents[1])

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and bool(_WRITING & set(arguments[1]))
        if not writes and not event.startswith(_FORBIDDEN):
            return
        place = str(arguments[0]) if arguments else ""
        cached = place.startswith(package) and "__pycache__" in Path(place).parts[-2:] and ".." not in place
        if not (event in _CACHING and cached):
            raise PermissionError(f"a component tried {event} {place[:80]} while it was verified")

    sys.addaudithook(hook)


def try_bundle(bundle: Path, guarded: bool = False) -> list[CortexError]:
    """All problems that only running code shows; see the functions above."""
    problems: list[CortexError] = []
    for path in config_files(bundle):
        problems += [] if path.stem == "metadata" else bad_components(path, read_config(path))
    problems += bad_weights(bundle)
    if problems:
        return problems
    import_module("monai.bundle")  # before the guard: importing starts programs and writes caches
    guard() if guarded else None
    return list(bad_network(bundle))


def main(words: list[str]) -> None:
    """Try the bundle that the first word names, in a guarded process, and write the problems as JSON."""
    warnings.simplefilter("ignore")
    if "--trusted" in words:
        sys.path.append(words[0])  # for scripts of a bundle that its user trusts
    # What libraries print, also through handlers that they made when they were imported, is no part of the answer.
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        problems = try_bundle(Path(words[0]), guarded=True)
        answer.write(json.dumps([[type(problem).__name__, *problem.args] for problem in problems]))


def rebuilt(rows: list[list[str]]) -> list[CortexError]:
    """Problems as :func:`main` has written them."""
    names = ("file", "subject", "found", "expected", "remedy")
    return [getattr(errors, kind)(problem, **dict(zip(names, rest, strict=True))) for kind, problem, *rest in rows]


if __name__ == "__main__":
    main(sys.argv[1:])
