import json
from pathlib import Path

import pytest

from monai_cortex.cohort.settings import changed_settings, read_settings
from monai_cortex.errors import BundleError, ConfigError

SLUG = "fsdiffreg_cardiac"


def test_digest_is_that_of_what_results_depend_on():
    base = read_settings(SLUG)
    assert read_settings(SLUG).digest == base.digest
    for same in ("device=cuda", "num_workers=2", "track=false", "output_dir=elsewhere"):
        assert read_settings(SLUG, overrides=[same]).digest == base.digest
    assert read_settings(SLUG, overrides=["refine=false"]).digest != base.digest
    assert base.config["refine"] is True


def test_weights_count_by_content_not_by_place(tmp_path):
    own = Path(read_settings(SLUG).bundle_root) / "models" / "model.pt"
    (tmp_path / "copy.pt").write_bytes(own.read_bytes())
    copy = read_settings(SLUG, overrides=[f"weights={tmp_path / 'copy.pt'}"])
    assert copy.digest == read_settings(SLUG).digest
    assert str(tmp_path) not in json.dumps(copy.record)
    (tmp_path / "copy.pt").write_bytes(b"other")
    assert read_settings(SLUG, overrides=[f"weights={tmp_path / 'copy.pt'}"]).digest != copy.digest


def test_folders_count_by_content(tmp_path):
    slug, target = "spherical_diffusion_registration", tmp_path / "target"
    (target / "surf").mkdir(parents=True)
    (target / "surf" / "lh.sphere").write_text("a")
    before = read_settings(slug, overrides=[f"target_dir={target}"])
    assert target.rename(tmp_path / "moved").is_dir()
    moved = read_settings(slug, overrides=[f"target_dir={tmp_path / 'moved'}"])
    assert moved.digest == before.digest
    (tmp_path / "moved" / "surf" / "lh.sphere").write_text("b")
    assert read_settings(slug, overrides=[f"target_dir={tmp_path / 'moved'}"]).digest != before.digest


def test_values_are_read_as_json_then_python_then_text():
    texts = ["refine=false", "spacing=[1.5, 2, 3]", "roi=None", "preset=reference", "seed=3"]
    assert read_settings(SLUG, overrides=texts).overrides == {
        "refine": False,
        "spacing": [1.5, 2, 3],
        "roi": None,
        "preset": "reference",
        "seed": 3,
    }


def test_later_files_go_before_earlier_ones(tmp_path):
    (tmp_path / "a.json").write_text('{"refine": false, "seed": 1}')
    (tmp_path / "b.yaml").write_text("seed: 2\n")
    found = read_settings(SLUG, [tmp_path / "a.json", tmp_path / "b.yaml"], ["roi=null"])
    assert (found.config["refine"], found.config["seed"], found.config["roi"]) == (False, 2, None)
    assert [path.name for path in found.files] == ["inference.json", "a.json", "b.yaml"]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("refin=false", "refine"),
        ("evaluator#decolate=true", "decollate"),
        ("handlers#9=null", "one of 0, 1"),
        ("refine", "id=value"),
        ("=3", "id=value"),
    ],
)
def test_overrides_that_name_nothing(override, reason):
    with pytest.raises(ConfigError, match=reason):
        read_settings(SLUG, overrides=[override])


@pytest.mark.parametrize(
    "override", ["evaluator#decollate=true", "handlers#1#labels=null", "refine_options::mode=disp"]
)
def test_parts_of_entries(override):
    name = override.partition("=")[0]
    if "mode" in name:  # an empty mapping of options knows no names
        with pytest.raises(ConfigError):
            read_settings(SLUG, overrides=[override])
    else:
        assert name in read_settings(SLUG, overrides=[override]).overrides


@pytest.mark.parametrize("content", ["[]", "3", "{", "", '{"a": 1, "a": 2}', "\xff", '\xef\xbb\xbf{"a": 1}'])
def test_files_that_are_no_config(tmp_path, content):
    """None that MONAI's parser would not read later, such as one with a byte-order mark."""
    (tmp_path / "a.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError):
        read_settings(SLUG, [tmp_path / "a.json"])


def test_unknown_bundle():
    with pytest.raises(BundleError):
        read_settings("nothing")


def test_changes_are_named():
    before, now = {"a": 1, "b": [1, 2], "c": 3}, {"a": 2, "b": [1, 2], "d": "x" * 99}
    text = changed_settings(before, now)
    assert text.startswith("a: 1 before, 2 now; c: 3 before, nothing now; d: nothing before, xxx")
    assert "b:" not in text
    assert len(text) < 130
    assert changed_settings(before, before) == ""
    assert changed_settings({}, dict.fromkeys("abcdef", 1)).endswith("and 2 more")
