import os
import socket

import pytest

from monai_cortex.data.input_file import read_head, read_text, require_file
from monai_cortex.errors import InputFileError


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    # The address of a socket is short; the folder of a test may be deep.
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


SPECIAL = {
    "folder": (lambda path: path.mkdir(), "not a regular file"),
    "pipe": (make_pipe, "named pipe"),
    "socket": (make_socket, "socket"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "leads nowhere"),
    "looping link": (lambda path: path.symlink_to(path.name), "not a regular file"),
    "absent annexed content": (lambda path: path.symlink_to("../.git/annex/objects/x"), "datalad get"),
    "missing": (lambda path: None, "does not exist"),
    "empty": (lambda path: path.touch(), "empty"),
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("read", [require_file, read_head, read_text])
def test_only_regular_files_are_opened(tmp_path, refused, name, read):
    path = tmp_path / "x"
    make, word = SPECIAL[name]
    make(path)
    refused(InputFileError, lambda: read(path, "sub-1"), path, "sub-1", word)


FOREIGN = {
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "datalad get": b"/annex/objects/MD5E-s12--00.nii.gz\n",
    "dvc pull": b"outs:\n- md5: 00\n  path: x.nii.gz\n",
    "web page": b"\xef\xbb\xbf \n<!DOCTYPE html><html></html>",
    "server's answer": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
}


@pytest.mark.parametrize("word", FOREIGN)
def test_stand_ins_are_recognized(tmp_path, refused, word):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(FOREIGN[word])
    refused(InputFileError, lambda: read_head(path), path, "looks like", word)


def test_readers_of_markup_tell_it_from_web_pages_themselves(tmp_path, refused):
    path = tmp_path / "x.gii"
    for word, content in FOREIGN.items():
        path.write_bytes(content)
        if content.lstrip(b"\xef\xbb\xbf \n").startswith(b"<"):
            assert read_head(path, markup=True) == content
        else:
            refused(InputFileError, lambda: read_head(path, markup=True), path, word)


@pytest.mark.parametrize("content", [b"1 2\0 3", b"\xff\xfe1 2", b"0" * 16_000_001])
def test_binary_and_oversized_content_is_no_text(tmp_path, refused, content):
    (tmp_path / "x").write_bytes(content)
    refused(InputFileError, lambda: read_text(tmp_path / "x"), tmp_path / "x", "not a text table")


@pytest.mark.parametrize("name", ["with space", "-dash", "größe 脳", "x" * 255])
def test_odd_names_work(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbfhello")
    assert require_file(tmp_path / name) == 8
    assert read_text(tmp_path / name) == "hello"


@pytest.mark.parametrize("name", ["x" * 300, "nul\0byte", "file/below"])
def test_impossible_names_are_refused(tmp_path, refused, name):
    (tmp_path / "file").write_text("x")
    refused(InputFileError, lambda: require_file(tmp_path / name), tmp_path)


def test_unreadable_file_is_named(tmp_path, refused, monkeypatch):
    (tmp_path / "x").write_text("x")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    refused(InputFileError, lambda: read_head(tmp_path / "x"), tmp_path / "x", "Permission denied")
