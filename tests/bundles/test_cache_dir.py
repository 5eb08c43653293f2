"""Training from prepared data on disk."""

import pytest
import torch

from monai_cortex.simulate import write_synthetic_hearts

HEARTS = {
    "steps": 2,
    "epochs": 1,
    "patch": [32, 32],
    "spacing": [3.0, 3.0, 6.3],
    "roi": [64, 64],
    "network_options": {"width": 4, "multipliers": [1, 2]},
}


@pytest.fixture(params=["shd_deconvolution", "fsdiffreg_cardiac"])
def dataset(request, tiny, tmp_path):
    """Name of a bundle, and its options for a tiny training on one subject."""
    if request.param == "shd_deconvolution":
        return request.param, tiny | {"dataset_dir": str(request.getfixturevalue("scans"))}
    write_synthetic_hearts(tmp_path / "hearts", 1, seed=3)
    return request.param, HEARTS | {"dataset_dir": str(tmp_path / "hearts")}


def test_a_cache_on_disk_changes_no_bit(workflow, dataset, tmp_path):
    slug, options = dataset
    weights = []
    for name, cache in (("without", None), ("filling", "cache"), ("filled", "cache")):
        places = {"cache_dir": cache and str(tmp_path / cache), "output_dir": str(tmp_path / name)}
        workflow("train", slug=slug, **options, **places, track=False).run()
        weights.append(torch.load(tmp_path / name / "model.pt", weights_only=True))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    for other in weights[1:]:
        assert all(torch.equal(value, other[key]) for key, value in weights[0].items())
