import pytest

from monai_cortex.cohort.participants import read_participants, select_subjects
from monai_cortex.cohort.shard import Shard
from monai_cortex.errors import ConfigError, InputFileError

ITEMS = dict.fromkeys(["sub-01", "sub-02_ses-1", "sub-02_ses-2", "03", "patient 4"])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([], list(ITEMS)),
        (["01"], ["sub-01"]),
        (["sub-01", "01"], ["sub-01"]),
        (["02"], ["sub-02_ses-1", "sub-02_ses-2"]),
        (["sub-02_ses-2"], ["sub-02_ses-2"]),
        (["sub-03", "patient 4"], ["03", "patient 4"]),
    ],
)
def test_labels(request_for, labels, names):
    assert select_subjects(ITEMS, request_for(labels=labels)) == names


@pytest.mark.parametrize("label", ["1", "0", "sub-", "sub-2", "ses-1"])
def test_label_of_nobody(request_for, label):
    with pytest.raises(ConfigError, match="no subject has the label"):
        select_subjects(ITEMS, request_for(labels=["01", label]))


def test_shard_takes_its_share_of_the_labels(request_for):
    shares = [select_subjects(ITEMS, request_for(labels=["01", "02"], shard=Shard(index, 3))) for index in (1, 2, 3)]
    assert sorted(sum(shares, [])) == ["sub-01", "sub-02_ses-1", "sub-02_ses-2"]


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.tsv", "age\tparticipant_id\n3\tsub-01\n\n4\t03\n", [(2, "sub-01"), (4, "03")]),
        ("a.csv", "participant_id,age\nsub-01,3\n", [(2, "sub-01")]),
        ("a.txt", "# ours\nsub-01\npatient 4\n", [(2, "sub-01"), (3, "patient 4")]),
        ("a.txt", "\ufeffsub-01\r\n", [(1, "sub-01")]),
        ("a.tsv", "\ufeffparticipant_id\r\nsub-01\r\n", [(2, "sub-01")]),
    ],
)
def test_lists(tmp_path, name, content, rows):
    (tmp_path / name).write_bytes(content.encode())
    assert read_participants(tmp_path / name) == rows


@pytest.mark.parametrize("content", [b"participant_id\n", b"# nobody\n", b" \n"])
def test_empty_list(tmp_path, content):
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(ConfigError, match="is empty"):
        read_participants(tmp_path / "a.tsv")


@pytest.mark.parametrize("content", ["\ufeffsub-01\n".encode("utf-16-le"), b"", b"\x00\x01"])
def test_list_that_is_no_text_is_named(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputFileError):
        read_participants(tmp_path / "a.txt")


def test_list_and_labels_both_count(request_for, tmp_path):
    (tmp_path / "a.txt").write_text("01\n03\n")
    chosen = select_subjects(ITEMS, request_for(labels=["03", "02"], participants_file=tmp_path / "a.txt"))
    assert chosen == ["03"]


def test_rows_are_told(request_for, tmp_path):
    (tmp_path / "a.txt").write_text("01\nsub-01\n")
    with pytest.raises(ConfigError, match="row 2 repeats row 1"):
        select_subjects(ITEMS, request_for(participants_file=tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_text("01\n\n05\n06\n")
    with pytest.raises(ConfigError, match=r"row 3 \(05\), row 4 \(06\)"):
        select_subjects(ITEMS, request_for(participants_file=tmp_path / "a.txt"))
