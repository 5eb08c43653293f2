import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.utils import set_determinism

from monai_cortex.data import bundle_folder, write_samples

TINY = {"steps": 4, "epochs": 2, "val_interval": 1, "channels": [2, 2, 2]}


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    """Seeds and deterministic algorithms end with the test that asked for them."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def workflow():
    """Make a stock workflow of a bundle's configs, by name and overrides, initialized as the client does."""

    def make(*names, slug="shd_deconvolution", **overrides):
        files = [f"{bundle_folder(slug)}/configs/{name}.json" for name in names]
        kind = "train" if "train" in names else "infer"
        made = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **overrides)
        made.initialize()
        return made

    return make


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """A dataset folder with the sample scan, cut to 6 x 6 x 4 voxels to be quick."""
    from monai_cortex.data import read_volume, write_volume

    folder = tmp_path_factory.mktemp("scans")
    write_samples("shd_deconvolution", folder)
    subject = folder / "small_64D"
    for name, kind in (("dwi", np.int16), ("mask", np.uint8)):
        volume = read_volume(subject / f"{name}.nii.gz", constant=True)
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [2, 2, 3]
        write_volume(subject / f"{name}.nii.gz", volume.values[2:8, 2:8, 3:7], affine, dtype=kind)
    return folder


@pytest.fixture(scope="session")
def trained(workflow, scans, tmp_path_factory):
    """Output folder of a tiny training."""
    out = tmp_path_factory.mktemp("trained")
    workflow("train", dataset_dir=str(scans), output_dir=str(out), **TINY).run()
    return out


@pytest.fixture(scope="session")
def tiny():
    return dict(TINY)
