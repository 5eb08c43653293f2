import gzip

import pytest

from monai_cortex.data.training_subjects import readable_subjects, training_subjects
from monai_cortex.errors import ConfigError, InputFileError

ITEMS = [{"subject": name} for name in ("a", "b", "c", "d")]


def read(bad):
    def of(item):
        if item["subject"] in bad:
            raise InputFileError("it is torn", file=f"{item['subject']}.nii", subject=item["subject"])

    return of


def test_all_that_cannot_be_read_are_listed_before_training(caplog):
    with pytest.raises(InputFileError, match="2 of 4 subjects") as caught:
        readable_subjects(ITEMS, read("bd"))
    assert "b: it is torn (b.nii); d: it is torn (d.nii)" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 5
    assert "b.nii" in caplog.text
    assert "d.nii" in caplog.text


@pytest.mark.parametrize("strict", [False, "false"])
def test_training_goes_on_without_them_where_it_may(caplog, strict):
    assert readable_subjects(ITEMS, read("bd"), strict) == [{"subject": "a"}, {"subject": "c"}]
    assert "without 2 of 4 subjects: b, d" in caplog.text


def test_none_is_too_few():
    with pytest.raises(InputFileError, match="4 of 4") as caught:
        readable_subjects(ITEMS, read("abcd"), False)
    assert "--strict" not in str(caught.value)


def test_good_ones_pass_unchanged(caplog):
    assert readable_subjects(ITEMS, read("")) == ITEMS
    assert caplog.text == ""


def test_scans_are_read_to_their_end(tmp_path, subject):
    for name in ("a", "b", "c"):
        subject(name)
    (tmp_path / "b" / "dwi.nii.gz").write_bytes((tmp_path / "b" / "dwi.nii.gz").read_bytes()[:-20])
    (tmp_path / "c" / "dwi.bvec").unlink()
    with pytest.raises(InputFileError, match="2 of 3") as caught:
        training_subjects("shd_deconvolution", tmp_path)
    assert "b: " in str(caught.value)
    assert "c: " in str(caught.value)
    (item,) = training_subjects("shd_deconvolution", tmp_path, strict=False)
    assert item["subject"] == "a"
    assert gzip.open(item["dwi"]).read(1)


def test_unknown_method(tmp_path):
    with pytest.raises(ConfigError, match="cor2vox_synthesis"):
        training_subjects("other", tmp_path)
