"""Entries on disk: types survive, names of files do not."""

import collections

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.data.cache_entry import pack_item, read_entry, unpack_item, write_entry

PATH = "/data/DOE/scan"


def _item():
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.arange(8.0).reshape(1, 2, 2, 2), affine=affine, meta={"filename_or_obj": PATH})
    return {
        "subject": "s",
        "path": PATH,
        "sides": {"lh": PATH},
        "image": image,
        "plain": torch.arange(4)[1:3],
        "array": np.arange(6, dtype=np.uint16).reshape(2, 3).T,
        "scalar": np.float32(3.5),
        "nested": {"a": [1, (2.5, None)], "sources": ["s/scan"]},
        "flag": True,
    }


def test_types_and_values_survive(tmp_path):
    item = _item()
    source = {"subject": "s", "path": PATH, "sides": {"lh": PATH}}
    write_entry(tmp_path / "a" / "x.entry", pack_item(item, source), "key")
    found = unpack_item(read_entry(tmp_path / "a" / "x.entry", "key"), source)
    assert list(found) == list(item)
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in item.items()}
    assert torch.equal(found["image"].as_tensor(), item["image"].as_tensor())
    assert torch.equal(found["image"].affine, item["image"].affine)
    assert "filename_or_obj" not in found["image"].meta
    assert found["plain"].tolist() == [1, 2]
    assert found["array"].dtype == np.uint16
    assert np.array_equal(found["array"], item["array"])
    assert found["scalar"] == item["scalar"]
    assert {key: found[key] for key in ("nested", "flag", *source)} == {
        key: item[key] for key in ("nested", "flag", *source)
    }
    assert b"DOE" not in (tmp_path / "a" / "x.entry").read_bytes()
    found["sides"]["lh"] = ""
    assert source["sides"] == {"lh": PATH}


@pytest.mark.parametrize(
    "value",
    [
        PATH,
        ["read from " + PATH],
        {PATH: 1},
        "C:\\data\\scan",
        object(),
        np.array(["a"]),
        {(1, 2): 3},
        collections.OrderedDict(),
        torch.zeros(2, 2).to_sparse(),
    ],
)
def test_what_must_not_be_kept_is_refused(value):
    with pytest.raises(ValueError, match=r"path|neither|array of|layout"):
        pack_item({"a": value}, {"b": value})


def test_an_entry_answers_to_its_key_only(tmp_path):
    write_entry(tmp_path / "x", pack_item([torch.zeros(1)], None), "one")
    with pytest.raises(ValueError, match="wrong checksum"):
        read_entry(tmp_path / "x", "other")


def test_nothing_in_an_entry_is_run(tmp_path):
    write_entry(tmp_path / "x", collections.deque([print]), "key")
    with pytest.raises(ValueError, match="unreadable content"):
        read_entry(tmp_path / "x", "key")
