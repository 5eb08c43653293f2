import errno
import hashlib
import os
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.errors import CheckpointError, ResourceError
from monai_cortex.handlers.checkpoint_file import plain_state, read_checkpoint, write_checkpoint


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_round_trip_keeps_everything(tmp_path):
    content = {
        "a": torch.randn(2, 3),
        "b": {"c": [1, 2.5, "text", None, True], "d": (1, torch.ones(2))},
        "e": Counter([1, 1]),
        "f": OrderedDict(x=np.float32(0.5)),
    }
    write_checkpoint(tmp_path / "new" / "a.pt", content)
    back = read_checkpoint(tmp_path / "new" / "a.pt")
    assert torch.equal(back["a"], content["a"])
    assert back["b"]["c"] == content["b"]["c"]
    assert isinstance(back["b"]["d"], tuple)
    assert back["e"] == Counter({1: 2})
    assert isinstance(back["f"], OrderedDict)
    assert back["f"]["x"] == 0.5
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "a.pt"]


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("a.pt", "another.pt"):
        write_checkpoint(tmp_path / name, {"a": torch.ones(3), "b": [1, "text"]})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "another.pt").read_bytes()


def test_tensors_lose_metadata_views_and_gradients(tmp_path):
    image = MetaTensor(torch.ones(4), meta={"filename_or_obj": "Doe_Jane.nii.gz"})
    view = torch.zeros(1000, 1000).T[:2, :2].requires_grad_()
    write_checkpoint(tmp_path / "a.pt", {"image": image, "view": view})
    content = (tmp_path / "a.pt").read_bytes()
    assert b"Doe_Jane" not in content
    assert len(content) < 5000
    back = read_checkpoint(tmp_path / "a.pt")
    assert type(back["image"]) is torch.Tensor
    assert back["view"].is_contiguous()
    assert not back["view"].requires_grad


@pytest.mark.parametrize("value", [object(), torch.nn.Linear(1, 1), {1, 2}, np.ones(2), lambda: 1])
def test_what_a_safe_reader_refuses_is_not_stored(value):
    with pytest.raises(ValueError, match="tensors, numbers and texts"):
        plain_state({"a": [value]})


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    write_checkpoint(path, {"a": 1})

    def full(content, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError, match="MB free"):
        write_checkpoint(path, {"a": 2})
    assert read_checkpoint(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_size_limit_of_the_system_keeps_the_old_file(tmp_path, child):
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.pt"
    write_checkpoint(path, {"a": 1})

    def fill():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write_checkpoint(path, {"a": torch.ones(1_000_000)})
        except ResourceError as error:
            raise SystemExit(42 if "4 MB" in str(error) else 43) from error

    assert os.waitstatus_to_exitcode(os.waitpid(child(fill), 0)[1]) == 42
    assert read_checkpoint(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a.pt").mkdir()
    with pytest.raises(ResourceError, match=r"a\.pt"):
        write_checkpoint(tmp_path / "a.pt", {"a": 1})


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, zipped):
    torch.save({"a": Evil(tmp_path / "ran")}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="unsafe content"):
        read_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [torch.nn.Linear(1, 1), {"a": np.float64(1)}])
def test_modules_and_numpy_objects_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="unsafe content"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: b"", "an empty file"),
        (lambda good: good[: len(good) // 2], "damaged"),
        (lambda good: good[:-1], "damaged"),
        (lambda good: b"<!DOCTYPE html><html>", "damaged"),
        (lambda good: b"version https://git-lfs.github.com/spec/v1", "damaged"),
        (lambda good: bytes(range(256)) * 9, "damaged"),
    ],
)
def test_damaged_files_are_told(tmp_path, content, message):
    path = tmp_path / "a.pt"
    write_checkpoint(path, {"a": torch.randn(1000)})
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        read_checkpoint(tmp_path / "a.pt")


def test_a_flipped_bit_among_the_weights_is_found(tmp_path):
    path = tmp_path / "a.pt"
    write_checkpoint(path, {"a": torch.zeros(1000)})
    good = path.read_bytes()
    start = good.index(bytes(4000))
    for offset in (0, 1000, 3999):
        bad = bytearray(good)
        bad[start + offset] ^= 4
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match="checksum"):
            read_checkpoint(path)


def test_digest_is_compared(tmp_path):
    path = tmp_path / "a.pt"
    write_checkpoint(path, {"a": 1})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_checkpoint(path, digest.upper()) == {"a": 1}
    with pytest.raises(CheckpointError, match=digest):
        read_checkpoint(path, "0" * 64)
