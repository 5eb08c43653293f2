"""Numbers in documents are those of the evidence files, and evidence is that of what is shipped."""

import json
import re
from pathlib import Path

import pytest

from monai_cortex.data import sha256
from monai_cortex.zoo.structure import measured_rows

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "docs" / "evidence"
BUNDLE = ROOT / "bundles" / "shd_deconvolution"
README = BUNDLE / "docs" / "README.md"


def record(name):
    return json.loads((EVIDENCE / f"{name}.json").read_text())


@pytest.mark.parametrize(
    "slug", ["cor2vox_synthesis", "fsdiffreg_cardiac", "shd_deconvolution", "spherical_diffusion_registration"]
)
def test_every_measured_row_of_the_bundle_stands_in_the_evidence(slug):
    text = (ROOT / "bundles" / slug / "docs" / "README.md").read_text()
    evidence = "\n".join(path.read_text() for path in EVIDENCE.glob(f"{slug}_*.md"))
    found = measured_rows(text)
    assert len(found) > 5
    assert [row for row in found if row not in evidence] == []


def decimals(text):
    return set(re.findall(r"\d+\.\d+", text))


def quoted():
    """Pages that rows of README's table lead to, with numbers of this method, of its peer and of the paper."""
    text = (ROOT / "README.md").read_text().partition("## Methods")[2].partition("## Ten promises")[0]
    for line in text.splitlines():
        if page := re.search(r"^\|.*\]\(docs/evidence/(\w+)\.md\)", line):
            yield page[1], [decimals(cell) for cell in line.strip("| ").split("|")[2:5]]


@pytest.mark.parametrize(("page", "numbers"), list(quoted()))
def test_every_number_of_the_readme_stands_in_a_row_of_the_page_beside_it(page, numbers):
    lines = (EVIDENCE / f"{page}.md").read_text().splitlines()
    for cell in numbers[:2]:
        assert cell
        assert any(decimals(line) >= cell for line in lines if line[:1] == "|"), cell
    (published,) = (line for line in lines if line.startswith("| published |"))
    assert decimals(published) >= numbers[2]


def test_readme_quotes_each_method():
    assert len(list(quoted())) == 5


@pytest.mark.parametrize(
    ("name", "weights"), [("clinical_30", "model"), ("multishell_3x64", "multishell"), ("hardi_64", "hardi")]
)
def test_phantom_evidence_is_that_of_the_shipped_weights(name, weights):
    condition = record("shd_deconvolution_phantom")["conditions"][name]
    assert condition["weights_sha256"] == sha256(BUNDLE / "models" / f"{weights}.pt")


def test_sample_evidence_is_that_of_the_shipped_weights():
    found = record("shd_deconvolution_sample")
    assert found["weights_sha256"] == sha256(BUNDLE / "models" / "model.pt")
    page = (EVIDENCE / "shd_deconvolution_sample.md").read_text()
    assert f"{found['subject']['residual_percent']:.2f} | {found['subject']['angle_to_csd_degree']:.1f} |" in page


def test_registration_evidence_is_that_of_the_shipped_weights():
    found = record("spherical_diffusion_registration_subjects")
    weights = ROOT / "bundles" / "spherical_diffusion_registration" / "models" / "model.pt"
    assert found["weights_sha256"] == sha256(weights)


@pytest.mark.parametrize("path", sorted(EVIDENCE.glob("*.json")), ids=lambda path: path.stem)
def test_every_record_has_its_page_and_its_command(path):
    page = path.with_suffix(".md").read_text()
    command = page.split("| command | `")[1].split("`")[0]
    assert (ROOT / command.split()[1]).is_file()
