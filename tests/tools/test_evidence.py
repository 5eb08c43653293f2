"""Numbers in documents are those of the evidence files."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def record():
    return json.loads((ROOT / "docs" / "evidence" / "shd_deconvolution_sample.json").read_text())


@pytest.mark.parametrize(
    "page", ["bundles/shd_deconvolution/docs/README.md", "docs/evidence/shd_deconvolution_sample.md"]
)
def test_pages_quote_what_was_measured(record, page):
    text, subject = (ROOT / page).read_text(), record["subject"]
    assert f"{subject['residual_percent']:.2f} | {subject['angle_to_csd_degree']:.1f} |" in text
    assert f"{subject['csd_residual_percent']:.2f} |" in text


def test_readme_rounds_what_was_measured(record):
    text, subject = (ROOT / "README.md").read_text(), record["subject"]
    assert (
        f"residual {subject['residual_percent']:.1f} % of b = 0 against {subject['csd_residual_percent']:.1f} %" in text
    )


def test_evidence_is_that_of_the_shipped_weights(record):
    from monai_cortex.data import sha256

    assert sha256(ROOT / "bundles" / "shd_deconvolution" / "models" / "model.pt") == record["weights_sha256"]
