"""Files, functions and signatures stay small, and nothing unfinished is left in the package."""

import ast
import re
from statistics import median
from textwrap import indent

import pytest

# Signatures that MONAI fixes, as "file: Class.method": our class stands where MONAI's own stands.
# MONAI's own, and the published network's, whose every argument is one of its choices.
MONAI_SIGNATURES = {
    "handlers/mlflow_run.py: MLflowRun.__init__",
    "inferers/bridge.py: BridgeInferer.sample",
    "networks/nets/fsdiffreg_net.py: FSDiffRegNet.__init__",
}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCK = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


def functions(node, prefix=""):
    """All functions of a syntax tree with their qualified names, methods and inner functions included."""
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, (*FUNCTION, ast.ClassDef))
        name = f"{prefix}{child.name}" if named else ""
        if isinstance(child, FUNCTION):
            yield name, child
        yield from functions(child, f"{name}." if named else prefix)


def length(function):
    """Lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    return lines - (function.body[0].end_lineno - function.body[0].lineno + 1)


def parameters(function):
    """How many arguments a caller may have to give; self does not count."""
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return sum(argument.arg not in {"self", "cls"} for argument in every)


def nesting(node):
    """How deep blocks lie in each other; an elif lies beside its if, an inner function counts for itself."""
    depths = [0]
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTION):
            continue
        otherwise = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        depths.append(nesting(child) + (isinstance(child, BLOCK) and not otherwise))
    return max(depths)


def sources(root):
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.glob("**/*.py"))}


def over_budget(root):
    """One line for each number that is too large."""
    counts = []
    for place, text in sources(root).items():
        counts.append((f"{place}: lines", len(text.splitlines()), 300))
        for name, function in functions(ast.parse(text)):
            where = f"{place}: {name}"
            counts.append((f"{where}: lines", length(function), 40))
            counts.append((f"{where}: nesting", nesting(function), 3))
            if where not in MONAI_SIGNATURES:
                counts.append((f"{where}: parameters", parameters(function), 7))
    return [f"{what} {count} > {most}" for what, count, most in counts if count > most]


def medians(root):
    """The median number of lines of a file and of a function."""
    texts = sources(root).values()
    trees = [ast.parse(text) for text in texts]
    lengths = [length(function) for tree in trees for _, function in functions(tree)]
    return median([len(text.splitlines()) for text in texts] or [0]), median(lengths or [0])


def leftovers(root):
    """Prints, bare asserts and notes to oneself."""
    found = []
    for place, text in sources(root).items():
        for node in ast.walk(ast.parse(text)):
            printed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            found += [f"{place}:{node.lineno}: print"] if printed else []
            found += [f"{place}:{node.lineno}: assert"] if isinstance(node, ast.Assert) else []
        lines = enumerate(text.splitlines(), 1)
        found += [f"{place}:{number}: {match[0]}" for number, line in lines if (match := UNFINISHED.search(line))]
    return found


def test_package_is_within_budget(package):
    assert over_budget(package) == []


def test_typical_file_and_function_are_small(package):
    lines_of_file, lines_of_function = medians(package)
    assert lines_of_file <= 120
    assert lines_of_function <= 8


def test_nothing_is_left_over(package):
    assert leftovers(package) == []


def test_exceptions_exist(package):
    known = {f"{place}: {name}" for place, text in sources(package).items() for name, _ in functions(ast.parse(text))}
    assert known >= MONAI_SIGNATURES


def body(lines):
    return "".join(f"    x = {number}\n" for number in range(lines))


DEEP = """def f():
    for a in b:
        with c:
            if d:
                while e:
                    pass
"""
DOCSTRING = '    """Text.\n\n    More.\n    """\n'


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("\n" * 301, "lines 301 > 300"),
        ("def f():\n" + body(40), "f: lines 41 > 40"),
        ("class A:\n    def f(self): pass\ndef f():\n" + DOCSTRING + body(40), "f: lines 41 > 40"),
        ("class A:\n    def f(self, a, b, c, d, *, e, f, g, h): pass", "A.f: parameters 8 > 7"),
        (DEEP, "f: nesting 4 > 3"),
        ("def g():\n" + indent(DEEP, "    "), "g.f: nesting 4 > 3"),
    ],
)
def test_planted_excess_is_found(plant, text, finding):
    assert over_budget(plant("geometry/a.py", text)) == [f"geometry/a.py: {finding}"]


def test_budget_itself_passes(plant):
    elif_chain = "    if a:\n        pass\n" + "".join(f"    elif a == {n}:\n        pass\n" for n in range(9))
    text = f"def f(self, a, b, c, d, e, f, g):\n{DOCSTRING}{body(39)}\ndef h():\n{elif_chain}"
    assert over_budget(plant("geometry/a.py", text)) == []


def test_medians_count_every_file_and_function(plant):
    plant("a.py", "def f():\n    pass\n")
    plant("b.py", "def f():\n" + DOCSTRING + body(9) + "def g():\n" + body(4))
    assert medians(plant("c.py")) == (2, 5)


@pytest.mark.parametrize("line", ["print(1)", "assert x", "# TO" + "DO later", "'''FIX" + "ME'''", "x = 1  # XX" + "X"])
def test_planted_leftover_is_found(plant, line):
    (finding,) = leftovers(plant("a.py", f"x = 1\n{line}\n"))
    assert finding.startswith("a.py:2: ")


def test_harmless_words_pass(plant):
    assert leftovers(plant("a.py", "blueprint(1)\nself.print(2)\nassertion = 'XXXL TODOS'\n")) == []
