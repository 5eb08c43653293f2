import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_cortex.data.atomic import atomic_folder, atomic_path, clear_partials, sha256, write_json
from monai_cortex.errors import ConfigError, ResourceError

CHILD = """
import os, signal
from monai_cortex.data.atomic import {manager}
with {manager}({path!r}) as place:
    {write}
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kill_writer(manager, path, write):
    code = CHILD.format(manager=manager, path=str(path), write=write)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def test_file_appears_complete(tmp_path):
    path = tmp_path / "new" / "a.nii.gz"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.nii.gz"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    pytest.raises(error, write)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_kill_keeps_the_old_file_and_leftovers_can_be_cleared(tmp_path):
    path, other = tmp_path / "a.txt", tmp_path / ".b.txt.0.partial"
    path.write_text("old")
    other.write_text("of another file")
    kill_writer("atomic_path", path, "place.write_text('half')")
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 3
    clear_partials(path)
    assert names(tmp_path) == [".b.txt.0.partial", "a.txt"]


def test_kill_keeps_the_old_folder(tmp_path):
    path = tmp_path / "sub-1"
    with atomic_folder(path) as staging:
        (staging / "a").write_text("old")
    kill_writer("atomic_folder", path, "(place / 'a').write_text('half')")
    assert (path / "a").read_text() == "old"
    clear_partials(path)
    assert names(tmp_path) == ["sub-1"]


def test_data_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append(Path(os.readlink(f"/proc/self/fd/{number}")).name))
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), rename(*names)))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert done == [temporary.name, "replace", tmp_path.name]


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "sub-1"
    (tmp_path / "neighbor").mkdir()
    for number in range(2):
        with atomic_folder(path) as staging:
            assert staging.name.startswith(".")
            (staging / "deep").mkdir()
            (staging / "deep" / f"{number}").write_text("x")
            assert path.exists() == bool(number)
    assert names(path / "deep") == ["1"]
    assert names(tmp_path) == ["neighbor", "sub-1"]


def test_exception_keeps_the_old_folder(tmp_path):
    path = tmp_path / "sub-1"
    path.mkdir()
    (path / "a").write_text("old")

    def write():
        with atomic_folder(path) as staging:
            (staging / "a").write_text("half")
            raise ZeroDivisionError

    pytest.raises(ZeroDivisionError, write)
    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["sub-1"]


def test_old_folder_comes_back_where_publishing_fails(tmp_path, monkeypatch):
    path = tmp_path / "sub-1"
    path.mkdir()
    (path / "a").write_text("old")
    rename = os.rename

    def failing(source, target):
        if Path(target) == path and (Path(source) / "b").exists():
            raise OSError(errno.EIO, "no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no"), atomic_folder(path) as staging:
        (staging / "b").write_text("new")
    assert names(path) == ["a"]
    assert names(tmp_path) == ["sub-1"]


def test_folder_of_a_faster_process_is_kept(tmp_path):
    path = tmp_path / "sub-1"
    with atomic_folder(path, replace=False) as slow:
        (slow / "slow").touch()
        with atomic_folder(path, replace=False) as fast:
            (fast / "fast").touch()
    assert names(path) == ["fast"]
    assert names(tmp_path) == ["sub-1"]


def test_file_under_the_name_of_the_folder_is_refused(tmp_path, refused):
    path = tmp_path / "sub-1"
    path.write_text("x")
    refused(ConfigError, lambda: atomic_folder(path).__enter__(), path)
    assert path.read_text() == "x"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_named(tmp_path, refused, code):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with atomic_path(path):
            raise OSError(code, "full")

    refused(ResourceError, write, path, "free")
    assert path.read_text() == "old"


def test_other_system_errors_pass(tmp_path):
    with pytest.raises(PermissionError), atomic_path(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "no")


def test_longest_file_name_works(tmp_path):
    path = tmp_path / ("é" * 124 + ".nii.gz")
    with atomic_path(path) as temporary:
        temporary.touch()
    assert path.exists()


def test_equal_records_give_equal_bytes(tmp_path):
    records = {"b": 1, "a": [1.5, "é"]}, {"a": (1.5, "é"), "b": 1}
    for number, record in enumerate(records):
        write_json(tmp_path / f"{number}.json", record)
    first, second = ((tmp_path / f"{number}.json").read_bytes() for number in range(2))
    assert first == second
    assert first.endswith(b"}\n")
    assert json.loads(first) == records[0]


def test_non_finite_numbers_become_null(tmp_path):
    record = {"nan": float("nan"), "array": np.array([1.0, np.inf]), "tensor": torch.tensor([[float("nan")]]), 3: "key"}
    write_json(tmp_path / "a.json", record | {"scalar": np.float32(2)})
    found = json.loads((tmp_path / "a.json").read_text())
    assert found == {"nan": None, "array": [1.0, None], "tensor": [[None]], "3": "key", "scalar": 2.0}


def test_digest(tmp_path):
    content = bytes(range(256)) * 8192
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
