import pytest

from monai_cortex.data.text_table import read_table
from monai_cortex.errors import GradientError, InputFileError


@pytest.mark.parametrize(
    "text", ["1 -2.5 3e2\n4 5 6\n", "1,-2.5,300\n4, 5, 6", "\n 1\t-2.5  300 \r\n\r\n4 5 6", "1, -2.5, 300,\n4,5,6,\n"]
)
def test_separators_and_blank_lines(tmp_path, text):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf# a remark\n" + text.encode())
    assert read_table(tmp_path / "a", GradientError) == ([[1, -2.5, 300], [4, 5, 6]], ["a remark"])


FAULTS = {
    "": "empty",
    "# only remarks\n\n": "empty",
    "1 2\n3\n4 5 6": "rows of 1, 2, 3",
    "x y\n1 2": "header row",
    "1\n2 a": "word",
}


@pytest.mark.parametrize("text", FAULTS)
@pytest.mark.parametrize("kind", [GradientError, InputFileError])
def test_faults(tmp_path, refused, text, kind):
    (tmp_path / "a").write_text(text)
    refused(kind, lambda: read_table(tmp_path / "a", kind, "sub-1"), tmp_path / "a", "sub-1", FAULTS[text])
