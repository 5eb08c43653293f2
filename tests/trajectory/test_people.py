"""Who is modeled, and whom the path visits."""

import shutil
from pathlib import Path

import pytest

from monai_cortex.data import synthesis_subjects
from monai_cortex.errors import ConfigError
from monai_cortex.trajectory import TrajectoryRequest
from monai_cortex.trajectory.people import gather_people


def request(folder, dataset, **options):
    return TrajectoryRequest(folder / "out", dataset, hemispheres=("lh",), **options)


def test_three_people_are_taken_as_they_are_and_the_path_goes_from_the_first_to_the_last(shells, tmp_path):
    people = gather_people(request(tmp_path, shells, target_dir=shells / "a"))
    assert (people.dataset_dir, people.names, people.stations) == (shells, ("a", "b", "c"), ("a", "c"))
    assert people.joined == ""
    assert gather_people(request(tmp_path, shells, target_dir=shells / "a", subjects=("b", "b"))).stations == ("b", "b")


def test_two_people_are_joined_by_the_target(copied, shells, tmp_path):
    asked = request(tmp_path, copied("a", "b"), target_dir=shells / "c")
    people = gather_people(asked)
    assert (people.names, people.stations, people.joined) == (("a", "b", "c"), ("a", "b"), "c")
    files = {item["subject"]: item["white"]["lh"] for item in synthesis_subjects(people.dataset_dir)}
    assert all(Path(path).read_bytes() == (shells / n / "surf" / "lh.white").read_bytes() for n, path in files.items())
    assert gather_people(asked) == people
    assert sorted(path.name for path in (tmp_path / "dataset" / "a").iterdir()) == ["surf"]


def test_errors_name_the_subjects(copied, shells, tmp_path):
    with pytest.raises(ConfigError, match="no subject z"):
        gather_people(request(tmp_path, shells, target_dir=shells / "a", subjects=("a", "z")))
    with pytest.raises(ConfigError, match="stations a"):
        gather_people(request(tmp_path, shells, target_dir=shells / "a", subjects=("a",)))
    two = copied("a", "b")
    with pytest.raises(ConfigError, match="the target is one of the only two"):
        gather_people(request(tmp_path, two, target_dir=shells / "a"))
    shutil.rmtree(two / "b")
    with pytest.raises(ConfigError, match="stations a, a"):
        gather_people(request(tmp_path, two, target_dir=shells / "c"))
