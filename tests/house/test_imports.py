"""The package reads bottom-up: a room may import the rooms below it, never its peers or those above."""

import ast
import subprocess
import sys

import pytest

LAYERS = [
    {"errors"},
    {"geometry"},
    {"data"},
    {"simulate", "transforms", "networks", "losses", "metrics", "visualize"},
    {"inferers"},
    {"handlers"},
    {"plugins"},
    {"cohort", "zoo"},
    {"demo"},
    {"trajectory"},
    {"commands"},
    {"testing", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ONLY_IN = {"nibabel": "data", "itk": "data", "h5py": "data", "mlflow": "handlers", "matplotlib": "visualize"}
MAKERS = {f"torch.{name}" for name in ("arange", "eye", "full", "linspace", "ones", "tensor", "zeros")}
LOADERS = {"__import__", "import_module", "optional_import"}


def calls(node):
    """The module that a call like import_module("x") names."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else None
    if name in LOADERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


def imports(path, depth):
    """Full dotted names a file imports, wherever in the file; relative ones with a leading dot."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.level > 1 or (node.level and not depth)):
            yield f"{'.' * node.level}{node.module or ''}"
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from calls(node)


def wrong_import(home, stem, module):
    """Why a room must not import a module, or nothing."""
    top, _, rest = module.partition(".")
    if module.startswith("."):
        return "write imports across packages in full"
    if top == "monai_cortex":
        target = rest.partition(".")[0]
        above = target not in {"", home, "__version__"} and RANK.get(target, len(RANK)) >= RANK[home]
        return f"{home} must not import {target}" if above else None
    if top in ONLY_IN and home != ONLY_IN[top] and not (top == "mlflow" and stem == "sync"):
        return f"{top} belongs in {ONLY_IN[top]}"
    return "geometry is free of MONAI" if home == "geometry" and top in {"monai", "ignite"} else None


def wrong_imports(root):
    """One line for each import that points up or sideways, and for each room that no layer holds."""
    found = []
    for path in sorted(root.glob("**/*.py")):
        place = path.relative_to(root)
        home = place.parts[0].removesuffix(".py")
        if home == "__init__":
            continue
        reasons = {f"{home} is in no layer"}
        if home in RANK:
            reasons = {wrong_import(home, path.stem, module) for module in imports(path, len(place.parts) - 1)} - {None}
        found += [f"{place.as_posix()}: {reason}" for reason in sorted(reasons)]
    return found


def unplaced_tables(root):
    """Tensors that a module makes when it is imported, on whatever device is the default just then."""
    found = []
    for path in sorted(root.glob("**/*.py")):
        tables = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
        for node in (part for table in tables for part in ast.walk(table) if isinstance(part, ast.Call)):
            made = ast.unparse(node.func) in MAKERS
            if made and "device" not in {keyword.arg for keyword in node.keywords}:
                found.append(f"{path.relative_to(root).as_posix()}:{node.lineno}: {ast.unparse(node.func)}")
    return found


def test_tables_of_modules_name_their_device(package):
    """A network may be built on the device "meta", and its modules are imported only then."""
    assert unplaced_tables(package) == []


@pytest.mark.parametrize("call", ["torch.tensor([1])", "[2 * torch.arange(3)]", "f(torch.eye(3, dtype=x))"])
def test_planted_table_is_found(plant, call):
    assert len(unplaced_tables(plant("a.py", f"x = {call}"))) == 1


@pytest.mark.parametrize("text", ['x = torch.tensor([1], device="cpu")', "def f():\n    x = torch.eye(3)"])
def test_placed_table_passes(plant, text):
    assert unplaced_tables(plant("a.py", text)) == []


def test_imports_point_down(package):
    assert wrong_imports(package) == []


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("geometry/a.py", "from monai_cortex.data import b", "must not import data"),
        ("geometry/a.py", "from monai_cortex import losses", "must not import losses"),
        ("geometry/a.py", "import monai_cortex.zoo.index", "must not import zoo"),
        ("geometry/a.py", "from monai.utils import look_up_option", "free of MONAI"),
        ("geometry/a.py", "import ignite", "free of MONAI"),
        ("losses/a.py", "def f():\n    from monai_cortex.metrics.b import c", "must not import metrics"),
        ("cohort/a.py", "import monai_cortex.zoo", "must not import zoo"),
        ("errors.py", "import monai_cortex.geometry", "must not import geometry"),
        ("testing.py", "import monai_cortex.__main__", "must not import __main__"),
        ("plugins/a.py", "import monai_cortex.elsewhere", "must not import elsewhere"),
        ("networks/nets/a.py", "from ..layers import b", "in full"),
        ("networks/nets/a.py", "from .. import layers", "in full"),
        ("testing.py", "from .errors import b", "in full"),
        ("transforms/a.py", "import nibabel as nib", "nibabel belongs in data"),
        ("transforms/a.py", "from itk import b", "itk belongs in data"),
        ("inferers/a.py", "import mlflow.entities", "mlflow belongs in handlers"),
        ("inferers/a.py", "mlflow = optional_import('mlflow')", "mlflow belongs in handlers"),
        ("handlers/a.py", "import importlib\nimportlib.import_module('matplotlib.pyplot')", "belongs in visualize"),
        ("newroom/a.py", "", "newroom is in no layer"),
    ],
)
def test_planted_import_is_found(plant, file, line, reason):
    (finding,) = wrong_imports(plant(file, line))
    assert finding.startswith(f"{file}: ")
    assert reason in finding


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("geometry/a.py", "import torch\nfrom monai_cortex.errors import b\nfrom .c import d"),
        ("networks/nets/a.py", "from monai_cortex.networks.layers import b\nfrom .c import d"),
        ("data/a.py", "import nibabel, itk\nfrom monai_cortex import __version__"),
        ("handlers/a.py", "import mlflow\nfrom monai_cortex.visualize import b"),
        ("zoo/sync.py", "import mlflow"),
        ("__main__.py", "from monai_cortex.cohort import b\nfrom monai_cortex.zoo import c"),
        ("__init__.py", "from .errors import b"),
    ],
)
def test_import_that_points_down_passes(plant, file, line):
    assert wrong_imports(plant(file, line)) == []


def test_reading_files_does_not_wait_for_monai():
    """Its import takes seconds, and checks, lists and the parents of cohorts need none of it."""
    code = "import sys, monai_cortex.data; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
