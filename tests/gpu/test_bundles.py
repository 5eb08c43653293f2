"""Inference of each bundle with its shipped weights, at its smallest."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.utils import set_determinism

from monai_cortex.cohort.method_session import MethodSession, Setup
from monai_cortex.data import bundle_folder, sample_target, write_samples

HEART = {"refine": False, "roi": [16, 16], "spacing": [1.5, 1.5, 3.15]}
BRAIN = {"num_inference_steps": 2, "measure": False}
SPHERE = {"refine": False, "level": 4, "hemispheres": ["lh"]}


@pytest.fixture(autouse=True)
def _free():
    """Seeds and deterministic algorithms end with the test that asked for them."""
    yield
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def same(device, tmp_path):
    """Run one subject of a bundle on the CPU and on the device, and compare a volume or the points of a surface."""

    def compare(slug, data, file, tolerance, **changes):
        found, root = [], bundle_folder(slug)
        for place in ("cpu", str(device)):
            places = {"bundle_root": root, "dataset_dir": str(data), "output_dir": str(tmp_path / "run")}
            session = MethodSession(Setup([f"{root}/configs/inference.json"], changes | places | {"device": place}))
            subject = session.subjects[0]
            assert torch.device(session.run(subject)["device"]).type == torch.device(place).type
            found.append(_values(nib.load(tmp_path / "run" / subject / file)))
            shutil.rmtree(tmp_path / "run")
        assert np.abs(found[0]).max() > 0
        np.testing.assert_allclose(found[1], found[0], rtol=0, atol=tolerance * np.abs(found[0]).max())

    return compare


def _values(image):
    return image.agg_data("pointset") if isinstance(image, nib.GiftiImage) else image.get_fdata()


def test_shd_deconvolution(same, scans):
    same("shd_deconvolution", scans, "wmfod.nii.gz", 1e-3)


def test_fsdiffreg_cardiac(same, write_pairs, tmp_path):
    same("fsdiffreg_cardiac", write_pairs(tmp_path / "in", [1]), "warp.nii.gz", 1e-3, **HEART)


@pytest.mark.filterwarnings("ignore:.*inside the white but outside the pial:UserWarning")
def test_cor2vox_synthesis(same, synthetic_people):
    same("cor2vox_synthesis", synthetic_people, "synth_T1w.nii.gz", 5e-3, **BRAIN)


def test_spherical_diffusion_registration(same, tmp_path):
    slug = "spherical_diffusion_registration"
    write_samples(slug, tmp_path / "in")
    target = sample_target(tmp_path)
    same(slug, tmp_path / "in", "surf/lh.sphere.mcx.reg.surf.gii", 1e-3, target_dir=target, **SPHERE)
