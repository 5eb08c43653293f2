"""Prepared data on disk: outdated and damaged entries, several processes, folders that cannot be written."""

import logging
import os
import random
import resource
import signal

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, list_data_collate
from monai.transforms import Compose, MapTransform, ScaleIntensityRanged

from monai_cortex.errors import ResourceError
from monai_cortex.transforms import ContentCache

PATIENT, USER = "DOEJANE19700101", "canaryuser77"


class Read(MapTransform):
    """Reads numbers, and leaves metadata and paths in the item."""

    read = 0

    def __call__(self, data):
        Read.read += 1
        values = torch.from_numpy(np.fromfile(data["image"], np.float32))[None]
        return {**data, "values": MetaTensor(values, affine=3 * torch.eye(4), meta={"filename_or_obj": data["image"]})}


@pytest.fixture
def items(tmp_path, monkeypatch):
    monkeypatch.setenv("USER", USER)
    monkeypatch.setattr(Read, "read", 0)
    folder = tmp_path / PATIENT / USER
    folder.mkdir(parents=True)
    for name in "ab":
        np.full(50, ord(name), np.float32).tofile(folder / name)
    return [{"subject": name, "image": str(folder / name)} for name in "ab"]


@pytest.fixture
def prepare(items, tmp_path):
    """Prepare the items through the cache; gives their first numbers, and how many of them were read from files."""

    def run(top=1.0, cache=tmp_path / "cache"):
        Read.read = 0
        steps = Compose([Read("image"), ScaleIntensityRanged("values", 0.0, 1.0, 0.0, top)])
        batch = list_data_collate(list(ContentCache(items, steps, cache)))
        assert type(batch["values"]) is MetaTensor
        assert torch.equal(batch["values"].affine[0], 3 * torch.eye(4, dtype=torch.float64))
        return batch["values"][:, 0, 0].tolist(), Read.read

    return run


@pytest.fixture
def entry(prepare, tmp_path):
    """The entry of the first item, after a first run."""
    prepare()
    paths = sorted((tmp_path / "cache").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(paths) == 2
    return paths[0]


def test_unchanged_is_found(prepare):
    assert prepare() == ([97.0, 98.0], 2)
    assert prepare() == ([97.0, 98.0], 0)


def test_changed_image_of_equal_name_size_and_time(prepare, items):
    prepare()
    stamp = os.stat(items[0]["image"])
    np.full(50, 5, np.float32).tofile(items[0]["image"])
    os.utime(items[0]["image"], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert prepare() == ([5.0, 98.0], 1)


def test_changed_parameter_of_a_transform(prepare):
    prepare()
    assert prepare(top=2.0) == ([194.0, 196.0], 2)
    assert prepare() == ([97.0, 98.0], 0)


def _flip(whole, place):
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


DAMAGES = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "a byte short": lambda whole: whole[:-1],
    "empty": lambda _: b"",
    "zeroed": lambda whole: bytes(len(whole)),
    "garbage": lambda whole: random.Random(0).randbytes(len(whole)),
    "another's": None,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_entry_is_computed_anew(prepare, entry, caplog, damage):
    whole = entry.read_bytes()
    other = next(path for path in entry.parent.iterdir() if path != entry)
    _is_mended(prepare, entry, caplog, DAMAGES[damage](whole) if DAMAGES[damage] else other.read_bytes(), whole)


def test_any_flipped_bit_is_found(prepare, entry, caplog, rounds):
    whole = entry.read_bytes()
    draw = random.Random(1)
    for _ in range(rounds(25, 200)):
        _is_mended(prepare, entry, caplog, _flip(whole, draw.randrange(8 * len(whole))), whole)


def _is_mended(prepare, entry, caplog, damaged, whole):
    entry.write_bytes(damaged)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert prepare() == ([97.0, 98.0], 1)
    (message,) = caplog.messages
    assert "is damaged" in message
    assert PATIENT not in message
    assert entry.read_bytes() == whole
    assert prepare() == ([97.0, 98.0], 0)


def test_half_filled_cache_gives_one_type(prepare, entry):
    entry.unlink()
    assert prepare() == ([97.0, 98.0], 1)


def test_two_processes_fill_one_folder(prepare, tmp_path):
    """Both start at a time, and again and again on what the other has; nothing partial is ever read."""
    pids = []
    for _ in range(2):
        if not (pid := os.fork()):
            code = 1
            try:
                results = []
                for turn in range(20):
                    results.append(prepare(top=1.0 + turn)[0] == [97.0 * (1 + turn), 98.0 * (1 + turn)])
                code = 0 if all(results) else 2
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert prepare(top=20.0)[1] == 0
    names = [path.name for path in (tmp_path / "cache").iterdir()]
    assert len(names) == 40
    assert not any("partial" in name for name in names)


def test_folder_that_cannot_be_written_is_refused_first(prepare, items, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    for place in (items[0]["image"], "/proc/cache" if os.geteuid() == 0 else locked):
        with pytest.raises(ResourceError, match="nothing can be written to the cache"):
            prepare(cache=place)
        assert Read.read == 0


def test_full_disk_costs_the_entries_only(prepare, tmp_path, caplog):
    """A limit on the size of files stands for the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        result = prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert result == ([97.0, 98.0], 2)
    assert [message for message in caplog.messages if "nothing more is written to the cache" in message]
    assert len(caplog.messages) == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_name_in_an_entry(entry):
    for path in entry.parent.iterdir():
        content = path.name.encode() + path.read_bytes()
        assert not [name for name in (PATIENT, USER, os.uname().nodename) if name.encode() in content]
