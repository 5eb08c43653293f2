"""Keys of content: what changes them, and what does not."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Lambdad, ScaleIntensityRanged

from monai_cortex.data.content_key import content_key, software_key


def _plus(step):
    return lambda x: x + step


PAIRS = {
    "number": (1, 2),
    "type": (1, 1.0),
    "text": ("a", "b"),
    "order": ([1, 2], [2, 1]),
    "nesting": ([[1], 2], [[1, 2]]),
    "tensor": (torch.zeros(2), torch.tensor([0.0, 1.0])),
    "shape": (torch.zeros(2, 1), torch.zeros(1, 2)),
    "dtype": (np.zeros(2, np.int16), np.zeros(2, np.uint16)),
    "affine": (MetaTensor(torch.zeros(1)), MetaTensor(torch.zeros(1), affine=2 * torch.eye(4))),
    "mapping": ({"a": 1}, {"b": 1}),
    "set": ({1, 2}, {1, 3}),
    "code": (lambda x: x + 1, lambda x: x + 2),
    "closure": (_plus(1), _plus(2)),
    "partial": (functools.partial(_plus, 1), functools.partial(_plus, 2)),
    "class": (dict, list),
    "method": ("a".upper, "a".lower),
    "dtype name": (torch.float32, torch.float64),
    "parameter": (ScaleIntensityRanged("a", 0, 1, 0, 1), ScaleIntensityRanged("a", 0, 1, 0, 2)),
    "inner function": (Lambdad("a", _plus(1)), Lambdad("a", _plus(2))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_has_another_key(name):
    one, other = PAIRS[name]
    assert content_key(one) == content_key(one)
    assert content_key(one) != content_key(other)


def test_equal_parts_have_equal_keys():
    assert content_key(_plus(1), {"a": [1, None]}) == content_key(_plus(1), {"a": [1, None]})
    assert content_key({"b", "a", "c"}) == content_key({"c", "b", "a"})


def test_a_file_is_its_name_and_content(tmp_path):
    places = [tmp_path / "one" / "scan", tmp_path / "two" / "scan"]
    for place in places:
        place.parent.mkdir()
        place.write_bytes(b"1234")
    key = content_key({"image": str(places[0])})
    assert content_key({"image": str(places[1])}) == key
    stamp = places[0].stat()
    places[0].write_bytes(b"1235")
    os.utime(places[0], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert content_key({"image": str(places[0])}) != key
    assert content_key({"image": str(places[1].rename(tmp_path / "two" / "other"))}) != key


def test_what_holds_itself_ends():
    around = []
    around.append(around)
    assert content_key(around) != content_key([[]])


@pytest.mark.parametrize("value", [np.random.RandomState(0), np.array([object()]), object()])
def test_what_cannot_be_told_is_refused(value):
    with pytest.raises(ValueError, match="could be told"):
        content_key(value)


def test_keys_are_the_same_in_another_process():
    code = (
        "from monai_cortex.data.content_key import *\nfrom monai.transforms import ScaleIntensityRanged\n"
        "print(content_key({'a', 'b', 'c'}, ScaleIntensityRanged('a', 0, 1, 0, 1)), software_key())"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = content_key({"c", "b", "a"}, ScaleIntensityRanged("a", 0, 1, 0, 1))
    assert process.stdout.split() == [here, software_key()]
