"""The digest stands for names and contents; outputs and leftovers do not count."""

import pytest

from monai_cortex.data import read_config, sha256
from monai_cortex.errors import BundleError
from monai_cortex.zoo.content import bundle_files, content_digest, recorded_digest, seal, wrong_weights


def test_digest_follows_names_and_contents_alone(write_bundle, tmp_path):
    first, second = (write_bundle(tmp_path / name) for name in ("a", "b"))
    assert content_digest(first) == content_digest(second)
    for name in ("eval/out.json", "docs/__pycache__/x.pyc", ".git/config"):
        (second / name).parent.mkdir(parents=True, exist_ok=True)
        (second / name).write_text("x")
    assert content_digest(first) == content_digest(second)
    (second / "docs" / "README.md").rename(second / "docs" / "README.txt")
    assert content_digest(first) != content_digest(second)


def test_files_are_sorted_and_relative(write_bundle, tmp_path):
    names = [place.as_posix() for place in bundle_files(write_bundle(tmp_path))]
    assert names == sorted(names)
    assert "configs/metadata.json" in names
    with pytest.raises(BundleError, match="no such bundle"):
        bundle_files(tmp_path / "nothing")


def test_every_weight_has_a_record_beside_it(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    weights = bundle / "models" / "model.pt"
    (record,) = seal(bundle)
    assert record == bundle / "models" / "model.pt.json"
    assert read_config(record)["bundle"] == bundle.name
    assert recorded_digest(weights) == read_config(record)["sha256"] == sha256(weights)
    assert wrong_weights(bundle) == []
    weights.unlink()
    assert "weights are missing" in str(wrong_weights(bundle)[0])
    with pytest.raises(BundleError, match="has no weights"):
        seal(bundle)


@pytest.mark.parametrize("text", ["{}", '{"sha256": "12"}', '{"sha256": 5}'])
def test_record_without_a_digest_counts_as_a_wrong_one(write_bundle, tmp_path, text):
    bundle = write_bundle(tmp_path)
    (bundle / "models" / "model.pt.json").write_text(text)
    (problem,) = wrong_weights(bundle)
    assert "64 hexadecimal digits" in str(problem)
