import json
from pathlib import Path

import pytest

from monai_cortex.data import bundle_folder
from monai_cortex.errors import ConfigError, CortexError

OPTIONS = {"refine": False, "spacing": None, "roi": None, "labels": None, "device": "cpu"}


@pytest.fixture
def session(forked_workers, write_pairs, tmp_path):
    from monai_cortex.cohort.method_session import MethodSession, Setup

    write_pairs(tmp_path / "data", range(2))
    root = bundle_folder("fsdiffreg_cardiac")

    def make(**options):
        places = {"dataset_dir": str(tmp_path / "data"), "output_dir": str(tmp_path / "run"), "bundle_root": root}
        return MethodSession(Setup([f"{root}/configs/inference.json"], {**OPTIONS, **places, **options}))

    return make


def _results(folder):
    """Bytes by name, without the metrics, which tell times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "metrics.json"}


@pytest.mark.filterwarnings("ignore")
def test_subjects_do_not_depend_on_each_other(session, tmp_path):
    """Equal bytes first and last, before and after a failure; one subject is in the folder at a time."""
    made = session(score_time=500, score_draws=1)
    facts = made.run("sub-00")
    first = _results(tmp_path / "run" / "sub-00")
    assert facts["seconds"] > 0
    assert facts["device"] == "cpu"
    assert facts["peak_memory_mb"] > 10
    made.run("sub-01")
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["sub-01"]
    whole = (tmp_path / "data" / "sub-01" / "fixed.nii.gz").read_bytes()
    (tmp_path / "data" / "sub-01" / "fixed.nii.gz").write_bytes(whole[:-10])
    with pytest.raises((CortexError, RuntimeError)):
        made.run("sub-01")
    assert not (tmp_path / "run" / "sub-01").exists()
    made.run("sub-00")
    assert _results(tmp_path / "run" / "sub-00") == first
    assert json.loads((tmp_path / "run" / "report.json").read_text())["subjects"][0]["subject"] == "sub-00"


@pytest.mark.filterwarnings("ignore")
def test_settings_may_leave_a_subject_out(session):
    with pytest.raises(ConfigError, match="leave the subject out"):
        session().run("sub-09")


@pytest.mark.filterwarnings("ignore")
def test_warnings_are_gathered(session, tmp_path):
    import logging

    made = session()
    run = made._engine.run

    def warn():
        logging.getLogger("monai_cortex.data.some").warning("%d open edges", 3)
        logging.getLogger("monai_cortex.data.some").info("nothing")
        run()

    made._engine.run = warn
    assert made.run("sub-00")["warnings"] == ["3 open edges"]
    assert Path(tmp_path / "run" / "sub-00").is_dir()


@pytest.mark.filterwarnings("ignore")
def test_memory_of_the_gpu_that_does_not_suffice(session, tmp_path):
    """The engine fails as on a full GPU; what is built anew for the CPU is real."""
    import torch

    made = session()

    def full():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB.")

    made._engine.run = full
    facts = made.run("sub-00")
    assert facts["device"] == "cpu"
    assert "computed on the CPU" in facts["warnings"][0]
    assert (tmp_path / "run" / "sub-00" / "warp.nii.gz").is_file()
    assert made._device == "cpu"
    made.run("sub-01")
    assert made._device is None
