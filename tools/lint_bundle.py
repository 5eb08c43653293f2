"""Check the configs of a bundle folder against the rules of the house. Nothing in them is executed.

python tools/lint_bundle.py bundles/shd_deconvolution --override epochs=3
python tools/lint_bundle.py --list path/to/foreign_bundle

It finds mistakes and plain attacks by reading; it is no sandbox: run a foreign bundle only if you trust its authors.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

__all__ = ["Finding", "lint", "listing", "main", "unknown_overrides"]

ROOTS = frozenset({"ignite", "monai", "monai_cortex", "torch"})
STANDARD = frozenset(
    """collections.OrderedDict datetime.timedelta functools.partial glob.glob math.inf math.pi os.cpu_count
    os.environ.get os.path.basename os.path.dirname os.path.exists os.path.isfile os.path.join pathlib.Path""".split()
)
BUILTINS = frozenset(
    """abs all any bool dict enumerate filter float int isinstance len list map max min range reversed round set slice
    sorted str sum tuple zip""".split()
)
MODULES = ROOTS | {"np", "numpy"}
IMPORTABLE = MODULES | {name.partition(".")[0] for name in STANDARD}
# Many modules re-export these: torch.os.system is as much a way out of the allowed packages as os.system.
FORBIDDEN = frozenset(
    """builtins cpp_extension ctypes hub importlib marshal open optional_import os pathlib pdb pickle popen pty runpy
    shutil socket subprocess sys system tempfile urllib""".split()
)
COMMON = ("bundle_root", "dataset_dir", "output_dir", "device", "seed", "num_workers")
REQUIRED = {
    "inference": COMMON,
    "train": (*COMMON, "epochs", "val_interval", "learning_rate", "batch_size", "resume"),
}
LONGEST_EXPRESSION, MOST_EXPRESSIONS, MOST_TARGETS, MOST_LINES = 60, 12, 30, 250
REFERENCE = re.compile(r"@\w*(?:::\w*)*")
FILE_MACRO = re.compile(r"%.*\.(json|ya?ml)", re.IGNORECASE)


class Finding(NamedTuple):
    """One line of the report; rules leave the file to their caller."""

    where: str
    what: str
    expected: str
    remedy: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.what}, expected {self.expected}, {self.remedy}"


class Entry(NamedTuple):
    """One value of a config: its id with ``::`` between the keys, its last key, the value."""

    where: str
    key: str
    value: Any


def entries(node: object, where: str = "") -> Iterator[Entry]:
    """All values of a config at every level, parents before children."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        place = f"{where}::{key}".removeprefix("::").removeprefix("+").replace("#", "::")
        yield Entry(place, str(key), value)
        yield from entries(value, place)


def is_expression(value: object) -> bool:
    """Whether MONAI would evaluate this value as Python."""
    return isinstance(value, str) and value.startswith("$")


def references(entry: Entry) -> list[str]:
    """The ids a value refers to; a text that merely holds an ``@`` refers to nothing."""
    if not isinstance(entry.value, str):
        return []
    value = entry.value.replace("#", "::")
    if value.startswith("%") and not FILE_MACRO.match(value):
        return [value[1:]]
    return [text[1:] for text in REFERENCE.findall(value) if is_expression(value) or text == value]


def bad_text(entry: Entry) -> Iterator[Finding]:
    """The parser takes "import" in an id or beside a reference for a statement; ``???`` is plain text to it."""
    if "import" in entry.key and entry.where != "imports":
        yield Finding(entry.where, 'id holds the text "import"', "an id without it", "rename the id")
    if is_expression(entry.value) and "import" in entry.value and "@" in entry.value:
        yield Finding(entry.where, 'expression with a reference and "import"', "one of the two", "rename the id")
    if isinstance(entry.value, str) and "???" in entry.value:
        yield Finding(entry.where, "placeholder ???", "a real default", "write one that runs")


def bad_macro(entry: Entry) -> Iterator[Finding]:
    """File macros are read relative to the current directory, so they break as soon as a bundle is moved."""
    if isinstance(entry.value, str) and FILE_MACRO.match(entry.value):
        yield Finding(entry.where, f"file macro {entry.value!r}", "a value or an in-file macro", "copy the content")


def bad_target(entry: Entry) -> Iterator[Finding]:
    """A target is a full dotted name inside the allowed packages."""
    if entry.key != "_target_":
        return
    if not isinstance(entry.value, str) or not re.fullmatch(r"\w+(\.\w+)+", entry.value):
        yield Finding(entry.where, f"target {entry.value!r}", "a full dotted name", "name package and module too")
    elif not is_allowed(entry.value, ROOTS):
        expected = f"a name in {', '.join(sorted(ROOTS))}"
        yield Finding(entry.where, f"target {entry.value!r}", expected, "use or write a component there")


def bad_expression(entry: Entry) -> Iterator[Finding]:
    """An expression is short and names only what is harmless."""
    if not is_expression(entry.value):
        return
    if len(entry.value) > LONGEST_EXPRESSION:
        expected = f"at most {LONGEST_EXPRESSION}"
        yield Finding(entry.where, f"expression of {len(entry.value)} characters", expected, "make it a function")
    text = entry.value[1:].replace("#", "::").strip()
    if text.startswith(("import ", "from ")):
        yield from bad_statement(entry, text)
    else:
        reasons = sorted(set(unsafe_names(REFERENCE.sub("_reference", text))))
        what, expected = f"expression with {', '.join(reasons)}", f"names in {', '.join(sorted(MODULES))}"
        yield from [Finding(entry.where, what, expected, "make it a component")] if reasons else []


def bad_statement(entry: Entry, text: str) -> Iterator[Finding]:
    """An import statement stands in ``imports``, alone, and names an allowed package."""
    names = re.fullmatch(r"import ([\w.]+)( as np)?", text)
    allowed = names and (names[1] == "numpy" if names[2] else names[1].partition(".")[0] in IMPORTABLE)
    if not allowed or not entry.where.startswith("imports::"):
        expected = f"in the list imports $import of {', '.join(sorted(IMPORTABLE))}"
        yield Finding(entry.where, f"statement {text!r}", expected, "remove or move it")


def unsafe_names(text: str) -> Iterator[str]:
    """What an expression must not name; references have been replaced by ``_reference``."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield "text that is not Python"
        return
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    # A variable called os or eval would hide the real one from the check below.
    yield from bound & ({*dir(builtins)} | IMPORTABLE)
    yield from (name for name in outermost(tree.body) if not is_allowed(name, MODULES, bound | BUILTINS))


def outermost(node: ast.AST) -> Iterator[str]:
    """Dotted names in an expression, each once and in full; an attribute of anything else as ``?.attribute``."""
    dotted = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
    if re.fullmatch(r"\w+(\.\w+)*", dotted):
        yield dotted
        return
    if isinstance(node, ast.Attribute):
        yield f"?.{node.attr}"
    for child in ast.iter_child_nodes(node):
        yield from outermost(child)


def is_allowed(name: str, roots: Iterable[str], local: Iterable[str] = ()) -> bool:
    """Whether a dotted name is one of the harmless ones, or starts in the roots and never leaves them."""
    root, *parts = name.split(".")
    inside = root in {*roots, *local, "_reference", "?"}
    return name in STANDARD or (inside and not any(part in FORBIDDEN or part.startswith("_") for part in parts))


RULES: tuple[Callable[[Entry], Iterator[Finding]], ...] = (bad_text, bad_macro, bad_target, bad_expression)


def known_ids(config: dict[str, Any]) -> set[str]:
    """Ids at every level, those that in-file macros copy included (MONAI does not follow a macro in a macro)."""
    table = {entry.where: entry for entry in entries(config)}
    known = set(table)
    for entry in table.values():
        for target in references(entry) if str(entry.value).startswith("%") else ():
            known |= {entry.where + name.removeprefix(target) for name in table if name.startswith(f"{target}::")}
    return known


def missing(stem: str, loaded: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """References that no id answers; an overlay is read on top of the config that answers most of them."""
    pairs = [(entry.where, name) for entry in entries(loaded[stem]) for name in references(entry)]
    known = known_ids(loaded[stem]) | known_ids({"_meta_": loaded.get("metadata", {})})
    bases = [known_ids(loaded[name]) for name in REQUIRED if name in loaded and stem not in REQUIRED]
    lost = [[pair for pair in pairs if pair[1] not in known | base] for base in bases or [set()]]
    for where, name in min(lost, key=len):
        yield Finding(where, f"reference @{name}", nearest(name, known), "correct or add the id")


def nearest(name: str, known: Iterable[str]) -> str:
    """What a misspelled id probably meant."""
    near = get_close_matches(name, sorted(known), n=1)
    return near[0] if near else "an id of this config"


def oversize(config: dict[str, Any]) -> Iterator[Finding]:
    """A config has a budget; import statements are not counted as expressions."""
    expressions = [entry for entry in entries(config) if is_expression(entry.value)]
    if (count := sum(not entry.where.startswith("imports::") for entry in expressions)) > MOST_EXPRESSIONS:
        yield Finding("file", f"{count} expressions", f"at most {MOST_EXPRESSIONS}", "make them functions")
    if (count := sum(entry.key == "_target_" for entry in entries(config))) > MOST_TARGETS:
        yield Finding("file", f"{count} targets", f"at most {MOST_TARGETS}", "join components in the package")


def common_ids(stem: str, config: dict[str, Any]) -> Iterator[Finding]:
    """Every bundle answers the same ids and says in ``_desc_`` what they mean."""
    described = config.get("_desc_")
    for name in REQUIRED.get(stem, ()):
        if name not in config:
            yield Finding(name, "common id is missing", "it at the top level", "add it with a default")
        elif not isinstance(described, dict) or name not in described:
            yield Finding(name, "common id is not in _desc_", "its meaning and unit there", "describe it")


def read(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """A JSON or YAML file and what is wrong with it as a file."""
    findings: list[Finding] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        findings.extend(Finding(key, "key appears twice", "each key once", "remove one") for key in twice)
        return dict(pairs)

    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=unique) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        return {}, [Finding("file", " ".join(str(error).split()), "readable content", "correct the syntax")]
    if (count := text.count("\n")) > MOST_LINES:
        findings.append(Finding("file", f"{count} lines", f"at most {MOST_LINES}", "join components in the package"))
    if path.suffix != ".json":
        findings.append(Finding("file", "YAML", "JSON, all that monai.bundle.load reads", "convert it"))
    if not isinstance(content, dict):
        return {}, [Finding("file", type(content).__name__, "ids and values", "write a JSON object")]
    return content, findings


def lint_config(stem: str, loaded: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """All findings of one config of a bundle."""
    rules = RULES[:1] if stem == "metadata" else RULES
    yield from (finding for entry in entries(loaded[stem]) for rule in rules for finding in rule(entry))
    if stem != "metadata":
        yield from oversize(loaded[stem])
        yield from common_ids(stem, loaded[stem])
        yield from missing(stem, loaded)


def config_files(bundle: Path) -> list[Path]:
    """The JSON and YAML files of a bundle, sorted."""
    return sorted(path for path in bundle.glob("configs/*") if path.suffix in {".json", ".yaml", ".yml"})


def lint(bundle: Path) -> list[Finding]:
    """Everything that is wrong with the configs of a bundle folder."""
    files = {path.stem: (path, *read(path)) for path in config_files(bundle)}
    loaded = {stem: content for stem, (_, content, _) in files.items()}
    if "mlflow" in loaded:  # a settings file: what it adds to a config lies one level down
        loaded["mlflow"] = loaded["mlflow"].get("configs", {})
    report = []
    for stem, (path, _, broken) in files.items():
        file = f"{bundle.name}/configs/{path.name}"
        report += [finding._replace(file=file) for finding in [*broken, *lint_config(stem, loaded)]]
    absent = [f"{bundle.name}/configs/{stem}.json" for stem in ("metadata", *REQUIRED) if stem not in loaded]
    report += [Finding("file", "missing", "a complete bundle", "write it", file) for file in absent]
    if (bundle / "scripts").exists():
        report.append(Finding("scripts", "code in a bundle", "none", "move it into the package", bundle.name))
    return report


def listing(bundle: Path) -> list[str]:
    """Every ``$`` expression and ``_target_`` of a bundle, one a line: what it would execute."""
    pairs = [(path.name, entry) for path in config_files(bundle) for entry in entries(read(path)[0])]
    code = [(name, entry) for name, entry in pairs if is_expression(entry.value) or entry.key == "_target_"]
    return [f"{name}: {entry.where}: {entry.value}" for name, entry in code]


def unknown_overrides(config_keys: Iterable[str], overrides: Iterable[str]) -> dict[str, str]:
    """Overrides that name no id, each with the id that was probably meant; a component may get new arguments.

    Args:
        config_keys: the ids of a config at every level.
        overrides: ids as they are given on the command line, with ``::`` or ``#``, without value.
    """
    keys = set(config_keys)
    names = {name.lstrip("-+").replace("#", "::"): name for name in overrides}
    known = {full for full in names if full in keys or f"{full.rpartition('::')[0]}::_target_" in keys}
    return {name: nearest(full, keys) for full, name in names.items() if full not in known}


@click.command(help="Check the configs of bundle folders; nothing in them is executed.")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--override", multiple=True, metavar="ID=VALUE", help="Check an override too; may be repeated.")
@click.option("--list", "only_list", is_flag=True, help="List every expression and target instead.")
def main(bundles: tuple[Path, ...], override: tuple[str, ...], only_list: bool) -> None:
    """Print one line for each finding; exit with status 1 if there is one."""
    lines: list[str] = []
    for bundle in map(Path.resolve, bundles):
        if only_list:
            lines += listing(bundle)
            continue
        keys = {entry.where for path in config_files(bundle) for entry in entries(read(path)[0])}
        wrong = unknown_overrides(keys, [text.partition("=")[0] for text in override])
        lines += map(str, lint(bundle))
        lines += [f"{bundle.name}: {name}: unknown id, expected {hint}, correct it" for name, hint in wrong.items()]
    click.echo("\n".join(lines)) if lines else None
    raise SystemExit(bool(lines) and not only_list)


if __name__ == "__main__":
    main()
