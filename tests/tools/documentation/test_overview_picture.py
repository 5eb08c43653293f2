import importlib.util
import json

import pytest

PICTURE = "docs/pictures/overview.png"


def test_picture_of_the_readme_is_light_and_shown_there(repository):
    assert (repository / PICTURE).stat().st_size < 500_000
    assert f"]({PICTURE})" in (repository / "README.md").read_text()
    assert f"]({PICTURE.removeprefix('docs/')})" in (repository / "docs" / "index.md").read_text()


@pytest.fixture
def tool(repository):
    path = repository / "tools" / "documentation" / "overview_picture.py"
    spec = importlib.util.spec_from_file_location("overview_picture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_in_the_picture_are_those_of_the_run(tool, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"subjects": [{"subject": "s1", "lh_ncc": 0.5}]}))
    assert tool.subject(tmp_path) == {"subject": "s1", "lh_ncc": 0.5}
