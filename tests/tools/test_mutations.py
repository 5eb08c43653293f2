"""Mutations apply, and what tests do not notice is told; `python tools/mutations.py` tries them all."""

import pytest

CODE = "def area(a, b):\n    return a * b\n"
SHARP = "from shape import area\n\ndef test_area():\n    assert area(2, 3) == 6\n"
BLUNT = "from shape import area\n\ndef test_area():\n    assert area(2, 2) == 4\n"


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("mutations")


@pytest.fixture
def toy(tmp_path):
    """A repository of one function, and of one test that notices more than the other."""
    for name, text in {"src/shape.py": CODE, "tests/test_sharp.py": SHARP, "tests/test_blunt.py": BLUNT}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = src\n")
    return tmp_path


def mutations(tool, old="a * b"):
    rows = [[f"tests/test_{name}.py"] for name in ("sharp", "blunt")]
    return [tool.Mutation("a sum", "src/shape.py", old, "a + b", tests) for tests in rows]


def test_every_mutation_applies_once_and_names_tests_that_exist(tool, repository):
    rows = tool.read_mutations()
    assert len({row.what for row in rows}) == len(rows) > 50
    for row in rows:
        assert row.text(repository) != (repository / row.file).read_text()
        assert all((repository / test.partition("::")[0]).is_file() for test in row.tests)


def test_all_four_methods_and_their_configs_are_mutated(tool, repository):
    files = {row.file for row in tool.read_mutations()}
    slugs = {path.name for path in (repository / "bundles").iterdir()}
    assert {f"bundles/{slug}/configs/train.json" for slug in slugs} <= files


def test_what_a_test_misses_survives(tool, toy):
    assert [survives for _, survives in tool.survivors(mutations(tool), toy)] == [False, True]
    assert (toy / "src" / "shape.py").read_text() == CODE


def test_text_that_is_gone_is_told(tool, toy):
    with pytest.raises(ValueError, match=r"a sum: 'a / b' stands 0 times in src/shape\.py"):
        list(tool.survivors(mutations(tool, old="a / b"), toy))


@pytest.mark.whole
def test_tests_that_fail_anyway_or_cannot_run_prove_nothing(tool, toy):
    test = toy / "tests" / "test_blunt.py"
    test.write_text(BLUNT.replace("4", "5"))
    with pytest.raises(ValueError, match="fail without a mutation"):
        list(tool.survivors(mutations(tool), toy))
    test.write_text("import nothing_of_this_name\n")
    with pytest.raises(RuntimeError, match="nothing_of_this_name"):
        list(tool.survivors(mutations(tool), toy))
