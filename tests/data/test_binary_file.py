import pytest

from monai_cortex.data.binary_file import BinaryFile
from monai_cortex.errors import InputFileError


@pytest.fixture
def opened(tmp_path):
    def make(data):
        (tmp_path / "lh.x").write_bytes(data)
        return BinaryFile(tmp_path / "lh.x", "curv file", "sub-1")

    return make


def test_parts_follow_each_other(opened):
    with opened(b"ab\0\0\0\7one line\n\0\1\0\2rest") as file:
        assert (file.size, file.left) == (23, 23)
        assert file.content(2, "magic") == b"ab"
        assert file.number("count") == 7
        assert file.line("stamp") == b"one line"
        assert file.numbers(">i2", 2, "values").tolist() == [1, 2]
        assert file.left == 4
        assert file.content(4, "rest") == b"rest"
        assert file.content(0, "nothing") == b""
    with pytest.raises(ValueError, match="closed"):
        file.content(0, "nothing")


@pytest.mark.parametrize("count", [4, 10**18, -1])
def test_nothing_is_read_beyond_the_end(opened, refused, count):
    with opened(b"abc") as file:
        words = ("curv file", "values", "sub-1", "lh.x", "3 of 3 bytes left", f"{count}" if count < 9 else "")
        refused(InputFileError, lambda: file.content(count, "values"), *words)
        refused(InputFileError, lambda: file.numbers(">f4", max(count, 1), "values"), "values")
        assert file.content(3, "all") == b"abc"


@pytest.mark.parametrize("data", [b"no end", b"x" * 5000 + b"\n"])
def test_line_without_an_end(opened, refused, data):
    with opened(data) as file:
        refused(InputFileError, lambda: file.line("stamp"), "curv file", "stamp", "no end of line")


def test_file_that_shrinks_meanwhile(opened, refused, tmp_path):
    with opened(b"x" * 100_000) as file:
        (tmp_path / "lh.x").write_bytes(b"")
        refused(InputFileError, lambda: file.content(100_000, "values"), "truncated")


def test_foreign_files_are_not_opened(tmp_path, refused):
    (tmp_path / "a").write_text("<html>")
    refused(InputFileError, lambda: BinaryFile(tmp_path / "a", "curv file", "sub-1"), "web page", "sub-1")
    refused(InputFileError, lambda: BinaryFile(tmp_path, "curv file"), "not a regular file")
