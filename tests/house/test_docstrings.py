"""Every public name says what it is, and every public quantity says its shape or its unit."""

import ast
import re

import pytest

ROOMS = ("geometry", "networks", "losses", "metrics", "transforms", "data")
DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Names in annotations that stand for numbers with a shape or a unit; a path, a name or a flag has neither.
QUANTITY = re.compile(r"\b(Tensor|ndarray|NDArray|ArrayLike|float|Mesh)\b")
SHAPE = re.compile(r"``?\(([^`()]*,[^`()]*|\.\.\.)\)``?")
UNIT = re.compile(
    r"(?<![\w-])(mm|voxels?|pixels?|rad|radians?|sr|steradians?|degrees?|seconds?|bytes?|dimensionless|scalars?"
    r"|unit (vectors?|sphere)|fractions?|percent|probabilit(y|ies)|logarithms?|counts?|hertz|kelvin)(?!\w)"
    r"|s/mm\^2|mm\^\d|\[-?\d+(\.\d+)?, *\d+(\.\d+)?\]",
    re.IGNORECASE,
)
# A dictionary transform, or an alias of a function, hands over to the one that says it.
HANDS_OVER = re.compile(r":(class|func|meth|mod):`")


def trees(root):
    """Syntax trees of the modules below a folder by relative path; tables of contents have nothing to say."""
    paths = [path for path in sorted(root.glob("**/*.py")) if path.name != "__init__.py"]
    return {path.relative_to(root).as_posix(): ast.parse(path.read_text()) for path in paths}


def exported(tree):
    """The names in __all__, or None where there is no such list of texts."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if [getattr(target, "id", "") for target in targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def definitions(tree):
    return {node.name: node for node in tree.body if isinstance(node, DEFINITION)}


def bound(tree):
    """All names a module binds at its top level."""
    names = set(definitions(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def methods(node):
    """Public methods of a class, the special ones that users meet included."""
    every = [child for child in node.body if isinstance(child, DEFINITION[:2])]
    return [child for child in every if child.name in {"__init__", "__call__"} or not child.name.startswith("_")]


def undocumented(root):
    """Modules without docstring or __all__, listed names that do not exist, public definitions without docstring."""
    found = []
    for place, tree in trees(root).items():
        names = exported(tree)
        found += [] if ast.get_docstring(tree) else [f"{place}: no docstring"]
        found += [f"{place}: no __all__"] if names is None and not place.endswith("__main__.py") else []
        found += [f"{place}: {name} does not exist" for name in names or () if name not in bound(tree)]
        for name, node in definitions(tree).items():
            public = name in (names or ()) or (isinstance(node, ast.ClassDef) and not name.startswith("_"))
            found += [f"{place}: {name} has no docstring"] if public and not ast.get_docstring(node) else []
    return found


def annotations(node):
    """The source of all annotations of a function, or of a class's fields and public methods."""
    if isinstance(node, ast.ClassDef):
        fields = [ast.unparse(child.annotation) for child in node.body if isinstance(child, ast.AnnAssign)]
        return " ".join(fields + [annotations(method) for method in methods(node)])
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    notes = [argument.annotation for argument in arguments] + [node.returns]
    return " ".join(ast.unparse(note) for note in notes if note)


def says_quantity(node):
    """Whether the docstrings of a function, or of a class and its public methods, name a shape or a unit."""
    nodes = [node, *methods(node)] if isinstance(node, ast.ClassDef) else [node]
    text = "\n".join(ast.get_docstring(part) or "" for part in nodes)
    return any(pattern.search(text) for pattern in (SHAPE, UNIT, HANDS_OVER))


def without_quantity(root):
    """Public functions and classes that take or give numbers and do not say which."""
    found = []
    for place, tree in trees(root).items():
        if not place.startswith(ROOMS):
            continue
        public = {name: node for name, node in definitions(tree).items() if name in (exported(tree) or ())}
        silent = [
            name for name, node in public.items() if QUANTITY.search(annotations(node)) and not says_quantity(node)
        ]
        found += [f"{place}: {name}" for name in silent]
    return found


def test_public_names_are_documented(package):
    assert undocumented(package) == []


def test_public_quantities_have_a_shape_or_a_unit(package):
    assert without_quantity(package) == []


GOOD = '"""Module."""\n__all__ = ["f"]\ndef f():\n    """Do."""\n'


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (GOOD.replace('"""Module."""', ""), "no docstring"),
        (GOOD.replace("__all__", "names"), "no __all__"),
        (GOOD.replace('"""Do."""', "pass"), "f has no docstring"),
        (GOOD.replace('["f"]', '["f", "g"]'), "g does not exist"),
        (GOOD + "class A:\n    def g(self):\n        pass\n", "A has no docstring"),
    ],
)
def test_planted_silence_is_found(plant, text, finding):
    assert undocumented(plant("geometry/a.py", text)) == [f"geometry/a.py: {finding}"]


def test_documented_module_passes(plant):
    private = "def _g():\n    pass\nclass _A:\n    pass\nif f:\n    B = 1\n"
    plant("__init__.py", "from .a import f")
    plant("__main__.py", '"""Module."""\n')
    assert undocumented(plant("a.py", GOOD.replace('["f"]', '["f", "B"]') + private)) == []


def function(docstring, signature="x: Tensor"):
    return f'__all__ = ["f"]\ndef f({signature}):\n    """{docstring}"""\n'


def class_with(docstring, method="Apply."):
    forward = f'    def forward(self, x: Tensor):\n        """{method}"""\n'
    return f'__all__ = ["A"]\nclass A(B):\n    """{docstring}"""\n{forward}'


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "text",
    [
        function("Some text (a, b), comma."),
        function("Degreeless and comma, but mmm and rads and `(x)`.", "*, x: float"),
        class_with("Commas, words."),
    ],
)
def test_planted_quantity_without_shape_is_found(plant, room, text):
    (finding,) = without_quantity(plant(f"{room}/a/b.py", text))
    assert finding.startswith(f"{room}/a/b.py: ")


@pytest.mark.parametrize(
    "text",
    [
        function("Shape ``(B, C, V)``."),
        function("Shape `(V,)`."),
        function("Shape ``(...)``."),
        function("A distance [mm]."),
        function("Angles in radian."),
        function("b-values in s/mm^2."),
        function("Values in [0, 1]."),
        function("Dictionary version of :class:`A`."),
        function("Words only.", "path: Path, name: str, level: int"),
        class_with("Words.", "Take ``(B, C, V)``."),
        class_with("A dimensionless number."),
        function("Words only.").replace('"f"', ""),
    ],
)
def test_quantity_with_shape_passes(plant, text):
    assert without_quantity(plant("geometry/a.py", text)) == []


def test_fields_are_quantities(plant):
    text = '__all__ = ["A"]\nclass A(NamedTuple):\n    """Words."""\n    vertices: Tensor\n'
    assert without_quantity(plant("geometry/a.py", text)) == ["geometry/a.py: A"]
    assert without_quantity(plant("visualize/b.py", text)) == ["geometry/a.py: A"]
