import hashlib
import os

from monai_cortex.cohort.stamps import digests, file_stamp, input_files, stamps_of, unequal


def test_digest_of_known_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digests({"a": tmp_path / "a", "b": tmp_path / "b"}) == {"a": {"bytes": 3, "sha256": expected}, "b": {}}


def test_differences(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_bytes(b"abc")
    files = {name: tmp_path / name for name in "abcd"}
    before = digests(files)
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_bytes(b"ab")
    (tmp_path / "c").write_bytes(b"abd")
    assert unequal(files, before) == ["a (missing)", "b (2 bytes instead of 3)", "c (another sha256)"]


def test_file_is_read_only_where_its_stamp_has_changed(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    wrong = {"a": {"bytes": 3, "sha256": hashlib.sha256(b"xyz").hexdigest()}}
    assert unequal({"a": path}, wrong, stamps_of({"a": path})) == []
    assert unequal({"a": path}, wrong) == ["a (another sha256)"]


def test_content_of_equal_size_and_time_has_another_stamp(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    before, status = file_stamp(path), path.stat()
    path.write_bytes(b"xyz")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = file_stamp(path)
    assert after[:2] == before[:2]
    assert after != before


def test_missing_file_has_no_stamp(tmp_path):
    assert file_stamp(tmp_path / "a") is None


def test_inputs_by_relative_names(item, tmp_path):
    (tmp_path / "outside.b").write_text("")
    nested = {**item, "sides": {"lh": {"sphere": item["moving"], "gone": str(tmp_path / "data" / "gone")}}}
    files = input_files(nested | {"gradients": str(tmp_path / "outside.b")}, tmp_path / "data")
    assert list(files) == ["sub-1/fixed.nii.gz", "sub-1/moving.nii.gz", "\u2026/outside.b"]
    assert files["sub-1/fixed.nii.gz"] == item["fixed"]


def test_inputs_in_lists_count_too(tmp_path):
    paths = [tmp_path / name for name in ("a.nii", "b.nii", "c.nii")]
    for path in paths:
        path.write_text("x")
    item = {"subject": "s", "runs": [str(paths[0]), (str(paths[1]),)], "more": {"one": str(paths[2])}}
    assert list(input_files(item, tmp_path)) == ["a.nii", "b.nii", "c.nii"]
