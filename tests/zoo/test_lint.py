"""The rules themselves are tested with the tool that prints them; here what other code calls."""

from monai_cortex.zoo.lint import config_files, lint, listing, read_configs


def test_broken_config_is_a_finding_and_stops_no_other(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    (bundle / "configs" / "broken.json").write_text("{")
    loaded, findings = read_configs(bundle)
    assert [path.name for path in config_files(bundle)] == ["broken.json", "inference.json", "metadata.json"]
    assert loaded["broken"] == {}
    assert loaded["inference"]["bundle_root"] == "."
    assert [finding.file for finding in findings] == ["tiny_image_segmentation/configs/broken.json"]


def test_lint_and_listing(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path, part={"_target_": "os.system"})
    assert "inference.json: part::_target_: os.system" in listing(bundle)
    assert any(finding.what == "target 'os.system'" for finding in lint(bundle))
