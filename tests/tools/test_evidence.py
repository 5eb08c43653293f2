"""Numbers in documents are those of the evidence files, and evidence is that of what is shipped."""

import json
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


def test_readme_rounds_what_was_measured():
    text, conditions = (ROOT / "README.md").read_text(), record("shd_deconvolution_phantom")["conditions"]
    means = {
        method: sum(row["angular_error"] for row in found) / len(found)
        for method, found in conditions["clinical_30"]["rows"].items()
    }
    ours, best = means["SHD, shipped weights"], min(means["dipy CSD"], means["MRtrix3 csd"])
    assert f"angular error {ours:.1f} degrees against {best:.1f} of the better CSD" in text


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
    command = page.split("Command: `")[1].split("`")[0]
    assert (ROOT / command.split()[1]).is_file()
