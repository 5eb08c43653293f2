"""Prepared items in memory and on disk."""

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.transforms import Compose, Lambda, MapTransform, RandScaleIntensityd

from monai_cortex.errors import ConfigError, ResourceError
from monai_cortex.transforms import ContentCache


class Read(MapTransform):
    """Counts how often it reads."""

    read = 0

    def __call__(self, data):
        Read.read += 1
        values = torch.from_numpy(np.fromfile(data["image"], np.float32))
        return {**data, "values": MetaTensor(values[None], meta={"filename_or_obj": data["image"]})}


@pytest.fixture
def items(tmp_path):
    Read.read = 0
    for name in "abc":
        np.full(4, ord(name), np.float32).tofile(tmp_path / name)
    return [{"subject": name, "image": str(tmp_path / name)} for name in "abc"]


def _draws(dataset):
    dataset.transform.set_random_state(0)
    return [dataset[index % 3]["values"] for index in range(7)]


def _steps():
    return Compose([Read("image"), RandScaleIntensityd("values", 0.5, 1.0)])


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_the_same_draws_with_and_without(items, tmp_path, rate):
    expected = _draws(CacheDataset(items, _steps(), progress=False))
    assert len({float(values[0, 0]) for values in expected}) == 7
    for _ in range(2):
        found = _draws(ContentCache(items, _steps(), tmp_path / "cache", rate))
        assert all(torch.equal(one.as_tensor(), other.as_tensor()) for one, other in zip(found, expected, strict=True))
    assert Read.read == 6
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_without_a_folder_it_is_monais(items):
    dataset = ContentCache(items, _steps())
    assert dataset[0]["values"].meta["filename_or_obj"] == items[0]["image"]
    assert (Read.read, len(dataset)) == (3, 3)


def test_with_workers(items, tmp_path):
    dataset = ContentCache(items, [Read("image")], tmp_path / "cache", cache_rate=0.0)
    for _ in range(2):
        batch = next(iter(DataLoader(dataset, batch_size=3, num_workers=1)))
        assert batch["values"][:, 0, 0].tolist() == [97.0, 98.0, 99.0]
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_what_cannot_be_kept_says_so(items, tmp_path):
    with pytest.raises(ConfigError, match="prepared data cannot be kept") as caught:
        ContentCache(items, [Lambda(lambda item: {**item, "x": object()})], tmp_path / "cache")
    assert "subject a" in str(caught.value)


def test_a_file_is_no_folder(items):
    with pytest.raises(ResourceError, match="nothing can be written"):
        ContentCache(items, [Read("image")], items[0]["image"])
