import pytest

from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.request import CohortRequest
from monai_cortex.cohort.settings import Settings


@pytest.fixture
def folder(tmp_path):
    made = CohortFolder(tmp_path / "out")
    made.prepare()
    return made


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "bundle", (), {}, {}, {"a": 1}, "digest")


@pytest.fixture
def item(tmp_path):
    """A subject with two files."""
    place = tmp_path / "data" / "sub-1"
    place.mkdir(parents=True)
    for name in ("fixed", "moving"):
        (place / f"{name}.nii.gz").write_text(name)
    return {"subject": "sub-1", "labels": None, **{n: str(place / f"{n}.nii.gz") for n in ("fixed", "moving")}}


@pytest.fixture
def request_for(tmp_path):
    def make(**options):
        return CohortRequest("fsdiffreg_cardiac", tmp_path / "data", tmp_path / "out", **options)

    return make


@pytest.fixture
def results(tmp_path):
    """Write what a run over one subject leaves in its work folder."""

    def write(subject="sub-1", metrics='{"dice": 0.5, "network_s": 1.5, "subject": "sub-1"}'):
        work = tmp_path / "out" / ".cohort" / "work" / "run"
        (work / subject / "surf").mkdir(parents=True)
        (work / subject / "metrics.json").write_text(metrics)
        (work / subject / "surf" / "lh.sphere").write_bytes(b"sphere")
        (work / "report.html").write_text("<p>page</p>")
        return work

    return write
