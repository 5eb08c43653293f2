"""What the zoo asks of files, metadata and ids."""

from pathlib import Path

import pytest

from monai_cortex.data import read_config
from monai_cortex.zoo.content import bundle_files
from monai_cortex.zoo.structure import (
    SCHEMA,
    bad_files,
    bad_ids,
    bad_metadata,
    bad_numbers,
    foreign_files,
    measured_rows,
)

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/metadata.json"))


def test_shipped_schema_is_that_of_the_fragments():
    assert SCHEMA.read_bytes() == (ROOT / "configs" / "schema.json").read_bytes()


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_our_bundles_keep_the_rules(bundle):
    files = bundle_files(bundle)
    assert [*bad_files(bundle.name, files), *foreign_files(files)] == []
    assert list(bad_metadata(read_config(bundle / "configs" / "metadata.json"))) == []
    for stem in ("train", "inference"):
        config = read_config(bundle / "configs" / f"{stem}.json")
        assert [*bad_ids(stem, config), *bad_numbers(config)] == []


@pytest.mark.parametrize("name", ["LICENSE", "configs/metadata.json", "docs/README.md", "configs/inference.json"])
def test_missing_file(name):
    files = {"LICENSE", "configs/metadata.json", "docs/README.md", "configs/inference.json", "models/model.pt"}
    assert [finding.what for finding in bad_files("a_b", [Path(file) for file in files - {name}])] == [f"no {name}"]


@pytest.mark.parametrize("name", ["Seg", "seg", "spleen-ct", "9_a", "a b_c"])
def test_name_of_a_bundle(name):
    files = ("LICENSE", "configs/metadata.json", "docs/README.md", "configs/inference.yaml", "large_files.yml")
    assert [finding.where for finding in bad_files(name, [Path(file) for file in files])] == ["name"]


def test_metadata_are_held_to_schema_and_changelog():
    good = read_config(BUNDLES[0] / "configs" / "metadata.json")
    missing = {key: value for key, value in good.items() if key != "task"}
    assert [finding.where for finding in bad_metadata(missing)] == ["task"]
    assert "no entry for version '9.9.9'" in str(list(bad_metadata(good | {"version": "9.9.9"})))
    assert [finding.where for finding in bad_metadata(good | {"task": "???"})] == ["task"]


def test_missing_id_and_number_in_quotes():
    assert [finding.where for finding in bad_ids("inference", {"bundle_root": "", "device": "", "inferer": ""})] == [
        "network_def"
    ]
    assert [finding.where for finding in bad_numbers({"a": ["1e-4", "1.0.0", "x1", 2], "_desc_": {"b": "1"}})] == [
        "a::0"
    ]


def test_measured_rows_are_those_with_numbers():
    text = "| a | 9 | 9 | 9 |\n## Measured\n| a | b | c | d |\n|---|---|---|---|\n| x | 1.5 | y | z |\n## Limits\n"
    assert measured_rows(text) == ["| x | 1.5 | y | z |"]
