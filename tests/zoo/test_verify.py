"""A verdict is about one content; our bundles pass, without running anything and with."""

from pathlib import Path

import pytest

from monai_cortex.errors import ConfigError
from monai_cortex.zoo.verify import require_verified, verify_bundle

BUNDLES = sorted(path.parents[1] for path in Path(__file__).parents[2].glob("bundles/*/configs/metadata.json"))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_our_bundles_pass_by_reading(bundle):
    verdict = verify_bundle(bundle, run=False)
    assert [str(problem) for problem in verdict.problems] == []
    assert any("_target_: monai_cortex." in line for line in verdict.code)


_ONE = "fsdiffreg_cardiac"


@pytest.mark.parametrize(
    "bundle",
    [pytest.param(path, marks=() if path.name == _ONE else pytest.mark.whole, id=path.name) for path in BUNDLES],
)
def test_our_bundles_pass_when_tried(bundle):
    assert [str(problem) for problem in verify_bundle(bundle).problems] == []


def test_requirement_raises_the_first_problem(write_bundle, tmp_path):
    require_verified(write_bundle(tmp_path))
    with pytest.raises(ConfigError, match="allow-list"):
        require_verified(write_bundle(tmp_path, part={"_target_": "os.getcwd"}))


def test_numbers_without_evidence_are_found(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path / "bundles")
    (bundle / "docs" / "README.md").write_text("## Measured\n| x | 1.5 | y | z |\n## Limits\n")
    assert verify_bundle(bundle, run=False).problems == []
    evidence = tmp_path / "docs" / "evidence"
    evidence.mkdir(parents=True)
    (evidence / f"{bundle.name}_a.md").write_text("| x | 1.6 | y | z |\n")
    assert "stands in no evidence" in str(verify_bundle(bundle, run=False).problems[0])
    (evidence / f"{bundle.name}_a.md").write_text("| x | 1.5 | y | z |\n")
    assert verify_bundle(bundle, run=False).problems == []
