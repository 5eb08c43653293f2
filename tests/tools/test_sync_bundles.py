"""The copies in the bundles equal the shared fragments, and the tool sees it when they do not."""

import pytest
from click.testing import CliRunner

FRAGMENTS = ("logging.conf", "mlflow.json", "multi_gpu_train.json")


@pytest.fixture
def sync(load_tool):
    return load_tool("sync_bundles")


@pytest.fixture
def house(tmp_path):
    """A repository of two bundles whose copies are up to date."""
    for folder in ("configs", "bundles/a/configs", "bundles/b/configs"):
        (tmp_path / folder).mkdir(parents=True)
        for name in FRAGMENTS:
            (tmp_path / folder / name).write_bytes(name.encode() + b"\r\n")
    return tmp_path


def run(sync, root, *options):
    return CliRunner().invoke(sync.main, ["--root", str(root), *options])


def test_copies_in_this_repository_are_up_to_date(sync):
    result = CliRunner().invoke(sync.main, ["--check"])
    assert (result.output, result.exit_code) == ("", 0)


def test_equal_copies_pass(sync, house):
    assert run(sync, house, "--check").exit_code == 0


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
def test_a_difference_is_named_and_repaired(sync, house, name, damage):
    copy = house / "bundles" / "b" / "configs" / name
    damage(copy)
    before = copy.exists() and copy.read_bytes()
    result = run(sync, house, "--check")
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.output.splitlines()] == [f"bundles/b/configs/{name}"]
    assert (copy.exists() and copy.read_bytes()) == before
    assert run(sync, house).output == f"wrote bundles/b/configs/{name}\n"
    assert copy.read_bytes() == (house / "configs" / name).read_bytes()
    assert run(sync, house, "--check").exit_code == 0


def test_the_template_of_plugins_is_kept_up_to_date(sync, house):
    copy = house / "monai_cortex" / "plugins" / "template" / "plugin_name" / "bundles" / "a" / "configs" / FRAGMENTS[0]
    copy.parent.mkdir(parents=True)
    assert f"{copy.relative_to(house).as_posix()}: differs" in run(sync, house, "--check").output
    run(sync, house)
    assert copy.read_bytes() == (house / "configs" / FRAGMENTS[0]).read_bytes()


def test_other_files_are_left_alone(sync, house):
    own = house / "bundles" / "a" / "configs" / "train.json"
    own.write_text("{}")
    (house / "configs" / "train.json").write_text("[]")
    run(sync, house)
    assert own.read_text() == "{}"
