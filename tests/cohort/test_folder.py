import os

import pytest

from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.errors import ConfigError


def test_prepared_folder_holds_no_probe(folder):
    assert not list(folder.work.iterdir())
    assert folder.records.is_dir()
    folder.prepare()


def test_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="cannot be written to"):
        CohortFolder(tmp_path / "out").prepare()


def test_each_subject_has_its_own_names(folder):
    subjects = ["a", "b", "A", "sub-1", "x" * 255, "x" * 254 + "y", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 127]
    for name in ("record", "claim", "report", "crash"):
        paths = [getattr(folder, name)(subject) for subject in subjects]
        assert len(set(paths)) == len(subjects)
        assert all(len(os.fsencode(path.name)) <= 255 for path in paths)
    assert folder.crash("sub-1").name == "crash-sub-1.txt"


@pytest.mark.parametrize("name", ["reports", ".hidden", "report.html", "crash-a.txt", "group", "mlruns.db"])
def test_taken_names(folder, name):
    with pytest.raises(ConfigError, match="has the name of a part"):
        folder.require_free_name(name)


@pytest.mark.parametrize("name", ["sub-1", "crash-a", "report", "a b"])
def test_free_names(folder, name):
    folder.require_free_name(name)


def test_leftovers_of_killed_writers_go(folder):
    for place in (folder.path, folder.records, folder.path / "reports"):
        (place / ".sub-1.123.partial.json").write_text("")
    (folder.path / ".sub-2.123.partial" / "inner").mkdir(parents=True)
    (folder.path / "sub-2").mkdir()
    folder.clear_leftovers()
    assert not [path for path in folder.path.rglob("*") if ".partial" in path.name]
    assert (folder.path / "sub-2").is_dir()
