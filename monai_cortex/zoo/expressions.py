"""What a ``$`` expression would do, read from its syntax tree; nothing is evaluated."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from .allowed_names import ATTRIBUTES, BUILTINS, IMPORTABLE, is_function
from .config_tree import REFERENCE

__all__ = ["substituted", "unsafe_parts"]

_VARIABLES = "__local_refs"  # as MONAI calls the table of resolved references
_LARGEST = 10**8
_ADDRESS = re.compile(r"://|(^|[/\\])\.\.([/\\]|$)|^~|^[A-Za-z]:[/\\]")


def substituted(text: str) -> str:
    """The text that MONAI evaluates, letter for letter: it replaces references inside quotes, too.

    A harmless looking quoted text becomes code that way: in ``'@f {evil()}'`` the quotes of ``__local_refs['f']`` end
    the first text and begin an f-string.
    """
    text = text.replace("#", "::")
    for found in sorted(REFERENCE.findall(text), key=len, reverse=True):
        text = text.replace(found, f"{_VARIABLES}['{found[1:]}']")
    return text


def unsafe_parts(text: str) -> Iterator[str]:
    """What an expression, without its ``$``, must not hold; each a short phrase.

    References to the list ``imports`` are modules, so they are refused like those.
    """
    try:
        tree = ast.parse(substituted(text), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield "text that is not Python"
        return
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    # A variable called os or eval would hide the real one from the check below.
    yield from bound & ({*dir(builtins), _VARIABLES} | IMPORTABLE)
    for name in _outermost(tree.body):
        if not _is_allowed(name, bound):
            yield name
    yield from _unsafe_values(tree)


def _outermost(node: ast.AST) -> Iterator[str]:
    """Dotted names in an expression, each once and in full; attributes of anything else as ``?.attribute``."""
    if (reference := _reference(node)) is not None:
        if reference in {"", "imports"} or reference.split("::")[0] in {"", "imports"}:
            yield f"reference @{reference}"
        return
    dotted = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
    if re.fullmatch(r"\w+(\.\w+)*", dotted):
        yield dotted
        return
    if isinstance(node, ast.Attribute):
        yield f"?.{node.attr}"
    for child in ast.iter_child_nodes(node):
        yield from _outermost(child)


def _reference(node: ast.AST) -> str | None:
    """The id, where a node is what MONAI puts for a reference."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == _VARIABLES:
        return node.slice.value if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str) else ""
    return None


def _is_allowed(name: str, bound: set[str]) -> bool:
    root, *parts = name.split(".")
    if root in bound or root == "?":
        return all(part in ATTRIBUTES for part in parts)
    # A method may follow an allowed function or value, as in os.environ.get(...).lower() or torch.pi.
    return name in BUILTINS or is_function(name)


def _unsafe_values(tree: ast.Expression) -> Iterator[str]:
    """Addresses, ways out of the folder, and numbers that would take all memory or time."""
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    texts = [str(node.value) for node in sorted(constants, key=lambda node: (node.lineno, node.col_offset))]
    yield from (f"the text {text!r}" for text in [*texts, "".join(texts)] if _ADDRESS.search(text))
    for node in ast.walk(tree):
        if isinstance(node, ast.Pow | ast.LShift):
            yield "a power, which may take all memory"
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) > _LARGEST:
            yield f"the number {node.value:.3g}" if abs(node.value) < 10**300 else "a number of hundreds of digits"
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield "bytes"
