import sys
from pathlib import Path

import pytest

from monai_cortex.cohort.crash import crash_text, frames, private_text


def test_frames_name_modules_without_their_folder():
    from monai_cortex.data import read_volume

    try:
        read_volume("/nowhere/a.nii.gz")
    except Exception as error:
        found = frames(error)
    assert found[-1].startswith("monai_cortex/data/")
    assert str(Path(__file__).parents[2] / "monai_cortex") not in " ".join(found)


def test_frames_of_other_packages():
    import numpy as np

    try:
        np.linalg.inv(np.zeros((2, 2)))
    except np.linalg.LinAlgError as error:
        found = frames(error)
    assert found[-1].startswith("numpy/linalg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in /data/study/sub-1/a.nii", "in <dataset>/sub-1/a.nii"),
        ("in /data/study/out/sub-1", "in <output>/sub-1"),
        ("'/home/doe/b.txt' is gone", "'\u2026/b.txt' is gone"),
        ("(/home/doe/x/y.py:3)", "(\u2026/y.py:3)"),
        ("1/2 of a/b/c, and/or", "1/2 of a/b/c, and/or"),
        (f"{sys.prefix}/lib/x.py", "<python>/lib/x.py"),
        ("doe at here; doeskin", "<user> at here; doeskin"),
        ("on node77.example", "on <host>.example"),
    ],
)
def test_private_parts_are_replaced(monkeypatch, text, expected):
    monkeypatch.setattr("getpass.getuser", lambda: "doe")
    monkeypatch.setattr("socket.gethostname", lambda: "node77")
    assert private_text(text, {"dataset": "/data/study", "output": "/data/study/out"}) == expected


def test_user_without_a_name(monkeypatch):
    def unknown():
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert private_text("text", {}) == "text"


def test_text_has_all_parts():
    text = crash_text("sub-1", "ValueError: bad", ["a.py:1 in f: g()"], {"seconds": 2})
    assert text.splitlines()[:4] == ["subject: sub-1", "seconds: 2", "", "ValueError: bad"]
    assert text.endswith("  a.py:1 in f: g()\n")
    assert "where" not in crash_text("sub-1", "x", [], {})
