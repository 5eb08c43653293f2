"""Names: of files, of transform pairs, of tests beside their modules, and none of any machine."""

import ast
import re
import subprocess

import pytest

FORBIDDEN = re.compile(r"(utils?|help(er)?s?|common|misc|core|base|lib|functions|tools)(\.py)?")
# No text file may name a folder of somebody's machine or a host that packages come from.
MACHINE = re.compile(r"(?<![\w.~:/])/(home|root|Users|tmp|mnt|scratch|workspace)/|[A-Z]:\\+Users")
HOST = re.compile(r"index[-_]url|find[-_]links|trusted[-_]host|https?://[\w.:-]+/simple\b", re.IGNORECASE)
TEXT = {".cff", ".cfg", ".conf", ".css", ".html", ".ini", ".ipynb", ".json", ".md", ".py", ".rst", ".sh", ".toml"}
TEXT |= {".txt", ".xml", ".yaml", ".yml", ""}


def forbidden_names(root):
    """Files and folders named like a junk drawer."""
    paths = [path for path in root.glob("**/*") if path.is_dir() or path.suffix == ".py"]
    return sorted(path.relative_to(root).as_posix() for path in paths if FORBIDDEN.fullmatch(path.name))


def public_definitions(tree):
    """Functions and classes that a module lists in __all__."""
    lists = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    names = {name for node in lists for name in ast.literal_eval(node.value)}
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names}


def is_record(node):
    """Whether a class is nothing but fields, so that there is no behavior of its own to test."""
    fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
    return isinstance(node, ast.ClassDef) and bool(fields) and len(node.body) - len(fields) <= 1


def without_test(package, tests):
    """Modules with public functions or classes whose test file is not in its place."""
    found = []
    for path in sorted(set(package.glob("**/*.py")) - set(package.glob("**/__init__.py"))):
        place = path.relative_to(package)
        expected = tests / place.with_name(f"test_{place.stem.strip('_')}.py")
        tree = ast.parse(path.read_text())
        public = [node for node in tree.body if getattr(node, "name", None) in public_definitions(tree)]
        if not all(is_record(node) for node in public) and not expected.is_file():
            found.append(f"{place.as_posix()}: no {expected.relative_to(tests.parent).as_posix()}")
    return found


def transform_classes(folder):
    """Public classes of the transforms by name, each with True if it takes a dictionary; abstract ones are left out."""
    bases = {}
    for path in sorted(folder.glob("**/*.py")):
        tree = ast.parse(path.read_text())
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        bases |= {name: [ast.unparse(base).split(".")[-1] for base in node.bases] for name, node in classes.items()}
    kinds = {}
    for name in bases:
        line = [name]
        for ancestor in line:
            line += [base for base in bases.get(ancestor, ()) if base not in line]
        if (
            any("Transform" in ancestor or "Randomizable" in ancestor for ancestor in line)
            and name[0] != "_"
            and "ABC" not in bases[name]
        ):
            kinds[name] = "MapTransform" in line
    return kinds


def flat_names(folder):
    """The names that the package of transforms offers: imported, or listed as texts for a lazy import."""
    tree = ast.parse((folder / "__init__.py").read_text())
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return names | {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def missing_twins(folder):
    """Names that should be in the flat namespace of the transforms and are not."""
    wanted = set()
    for name, takes_dictionary in transform_classes(folder).items():
        stem = name.removesuffix("d") if takes_dictionary else name
        wanted |= {name, f"{stem}d", f"{stem}D", f"{stem}Dict"}
    return sorted(wanted - flat_names(folder))


def tracked(root):
    """The files of the repository that belong to the project, by git's word."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [path for name in listing.stdout.split("\0") if name and (path := root / name).is_file()]


def machine_names(root, paths):
    """Places where a text file names a machine's folder or a package host."""
    found = []
    for path in paths:
        if path.suffix not in TEXT:
            continue
        place = path.relative_to(root)
        # Tests plant such folders on purpose, to see that outputs do not repeat them.
        patterns = [HOST] if place.parts[0] == "tests" and path.suffix == ".py" else [HOST, MACHINE]
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), 1):
            hits = [match[0] for pattern in patterns if (match := pattern.search(line))]
            found += [f"{place.as_posix()}:{number}: {text}" for text in hits]
    return found


def test_no_junk_drawers(package):
    assert forbidden_names(package) == []


def test_every_module_has_its_test(package, repository):
    assert without_test(package, repository / "tests") == []


def test_every_transform_has_its_twin(package):
    assert missing_twins(package / "transforms") == []


def test_no_file_names_a_machine(repository):
    paths = tracked(repository)
    if not paths:
        pytest.skip("not a git checkout")
    assert machine_names(repository, paths) == []


@pytest.mark.parametrize("name", ["utils.py", "a/helpers.py", "core/b.py", "lib/c.py", "common.py", "a/help.py"])
def test_planted_junk_drawer_is_found(plant, name):
    assert len(forbidden_names(plant(name))) == 1


@pytest.mark.parametrize("name", ["score.py", "database.py", "library/a.py", "basis.py", "toolshed.py", "core.txt"])
def test_honest_name_passes(plant, name):
    assert forbidden_names(plant(name)) == []


@pytest.mark.parametrize(
    ("name", "test"), [("a/b.py", "a/test_b.py"), ("c.py", "test_c.py"), ("__main__.py", "test_main.py")]
)
@pytest.mark.parametrize("text", ['__all__ = ["f"]\ndef f(): pass', '__all__ = ["A"]\nclass A: pass'])
def test_planted_module_without_test_is_found(plant, name, test, text):
    root = plant(f"package/{name}", text)
    assert without_test(root / "package", root / "tests") == [f"{name}: no tests/{test}"]
    plant(f"tests/{test}")
    assert without_test(root / "package", root / "tests") == []


@pytest.mark.parametrize("text", ["def f(): pass", '__all__ = ["x"]\nx = 1', "__all__ = []\nclass A: pass"])
def test_module_without_public_functions_needs_no_test(plant, text):
    root = plant("package/a.py", text)
    assert without_test(root / "package", root / "tests") == []


PAIR = "class Aa(Transform): pass\nclass Aad(MapTransform): pass\nAaD = AaDict = Aad\n"


@pytest.mark.parametrize(
    ("text", "names", "lost"),
    [
        (PAIR, "Aa, Aad, AaD", ["AaDict"]),
        (PAIR, "Aa, AaD, AaDict", ["Aad"]),
        (PAIR, "Aad, AaD, AaDict", ["Aa"]),
        ("class Aa(monai.transforms.RandomizableTransform): pass", "Aa", ["AaD", "AaDict", "Aad"]),
        ("class Aa(Transform): pass\nclass B(Aa): pass", "Aa, Aad, AaD, AaDict", ["B", "BD", "BDict", "Bd"]),
        ("class Scale(MapTransform): pass", "Scale", ["ScaleD", "ScaleDict", "Scaled"]),
        (PAIR, "Aa, Aad, AaD, AaDict", []),
        ("class Loadd(MapTransform): pass", "Loadd, LoadD, LoadDict", []),
        ("class Options(NamedTuple): pass\nclass _Hidden(Transform): pass", "x", []),
    ],
)
def test_planted_lonely_transform_is_found(plant, text, names, lost):
    plant("a.py", text)
    assert missing_twins(plant("__init__.py", f"from .a import {names}")) == lost


def test_lazy_table_offers_names(plant):
    plant("a.py", PAIR)
    table = '_TABLE = {"Aa": ".a", "Aad": ".a", "AaD": ".a", "AaDict": ".a"}'
    assert missing_twins(plant("__init__.py", table)) == []


@pytest.mark.parametrize("folder", ["home", "root", "Users", "tmp"])
@pytest.mark.parametrize("name", ["a.json", "docs/b.md", "setup.cfg", "Makefile", "package/a.py", "tests/a.json"])
def test_planted_machine_path_is_found(plant, folder, name):
    root = plant(name, f'first\n"data": "{"/".join(["", folder, "someone"])}"\n')
    assert machine_names(root, [root / name]) == [f"{name}:2: /{folder}/"]


@pytest.mark.parametrize(
    "words", [("https://packages.example.org", "simple"), ("--extra-index" + "-url", "x")], ids=str
)
def test_planted_host_is_found(plant, words):
    root = plant("README.md", f"pip install from {'/'.join(words)}\n")
    assert len(machine_names(root, [root / "README.md"])) == 1


@pytest.mark.parametrize("text", ["https://example.org/home/page", "docs/root/a", "~/data", "$OUT/tmp/x", "sub/tmp/"])
def test_other_paths_pass(plant, text):
    root = plant("a.md", text)
    assert machine_names(root, [root / "a.md"]) == []


def test_tracked_files_are_those_of_git(repository):
    names = {path.name for path in tracked(repository)}
    assert not names or "setup.cfg" in names
    assert not any(name.endswith(".pyc") for name in names)
