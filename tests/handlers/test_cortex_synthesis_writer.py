"""Files of a generated brain: all of them on the grid of the subject's image."""

import json
import math

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_cortex.data import synthesis_subjects
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.handlers import CortexSynthesisWriter
from monai_cortex.inferers.cortex_synthesis import SyntheticBrain
from monai_cortex.transforms import LoadCortexd, cortex_preprocessing

SAMPLING = {"num_inference_steps": 10, "eta": 1.0, "draws": 2}
DOSE = 0.5


def world(affine, shape):
    """Coordinates of all voxels in mm, scaled to [0, 1] roughly: an image that tells where it is."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    points = index @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]
    return 0.5 + points @ [0.002, 0.001, 0.0015] + 0.05


def with_brain(item, doses=(DOSE,)):
    affine, shape = item["image"].affine, item["image"].shape[1:]
    image = torch.from_numpy(world(affine, shape)).float()
    thinner = [Mesh(pial.vertices - DOSE * 0.5, pial.faces) for pial in item["pial"]]
    regions = [torch.ones(len(pial.vertices), dtype=torch.float64) for pial in item["pial"]]
    atrophied = {dose: (image - 0.1, thinner) for dose in doses}
    brain = SyntheticBrain(image, torch.full(shape, 0.05), atrophied, regions, 1.5)
    return {**item, "brain": brain, "synthesis": SAMPLING}


@pytest.fixture(scope="module")
def oblique(synthetic_people):
    """The first person in an image whose axes are those of no plane, and larger than the cortex."""
    item = LoadCortexd()(synthesis_subjects(synthetic_people)[0])
    turn = torch.linalg.matrix_exp(torch.tensor([[0, 0.3, -0.2], [-0.3, 0, 0.4], [0.2, -0.4, 0]]).double())
    affine = torch.eye(4).double()
    affine[:3, :3] = turn @ torch.diag(torch.tensor([-3.0, 3.5, 4.0]).double())
    shape, points = (60, 50, 45), torch.cat([mesh.vertices for mesh in item["pial"]])
    affine[:3, 3] = points.mean(0) - affine[:3, :3] @ (torch.tensor(shape).double() / 2)
    generator = torch.Generator().manual_seed(0)
    item["image"] = MetaTensor(torch.rand(1, *shape, generator=generator), affine=affine)
    return with_brain(Compose(cortex_preprocessing().transforms[1:])(item)), shape, affine.numpy()


@pytest.fixture(scope="module")
def written(oblique, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oblique")
    return folder, CortexSynthesisWriter("unused", measure=False).write(oblique[0], folder)


def test_files_are_those_of_the_bundle(written):
    names = ["synth_T1w", "synth_std", "white_sdf", "pial_sdf"]
    found = {path.name for path in written[0].iterdir()}
    assert {f"{name}{suffix}" for name in names for suffix in (".nii.gz", ".json")} | {"qc.png"} <= found
    series = {name for name in found if name.startswith("atrophy-")}
    assert any(name.endswith(".nii.gz") for name in series)
    assert (written[0] / "qc.png").read_bytes().startswith(b"\x89PNG")


def test_volumes_are_on_the_grid_of_the_image(written, oblique):
    _, shape, affine = oblique
    volumes = [path for path in written[0].glob("*.nii.gz") if nib.load(path).ndim == 3]
    assert len(volumes) >= 5
    for path in volumes:
        image = nib.load(path)
        assert image.shape == shape
        np.testing.assert_allclose(image.affine, affine, atol=1e-4)
        assert np.isfinite(image.get_fdata()).all()


def test_values_are_where_they_were_drawn(written, oblique):
    """The grid that was drawn on is a part of the image's; outside there is nothing."""
    item, shape, affine = oblique
    values = nib.load(written[0] / "synth_T1w.nii.gz").get_fdata()
    expected = world(affine, shape)
    assert item["image"][0].numel() < values.size
    inside = values > 0
    assert inside.sum() == pytest.approx(item["image"][0].numel(), rel=0.01)
    np.testing.assert_allclose(values[inside], expected[inside], atol=1e-3)


def test_distances_are_in_mm_and_positive_outside(written, oblique):
    item = oblique[0]
    values = nib.load(written[0] / "white_sdf.nii.gz").get_fdata()
    assert values.max() == pytest.approx(5, abs=1e-3)
    assert values.min() < -3
    assert (values[0, 0] > 4.9).all()
    inside = int((item["white_distance"] < 0).sum())
    assert (values < 0).sum() == pytest.approx(inside, rel=0.02)


def test_sidecars_say_what_the_files_are(written):
    for path in written[0].glob("*.nii.gz"):
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert sidecar
        assert "/tmp" not in json.dumps(sidecar)
    sidecar = json.loads((written[0] / "synth_std.json").read_text())
    text = json.dumps(sidecar)
    assert '"num_inference_steps": 10' in text
    assert '"eta": 1.0' in text
    assert "synthetic-0000/T1.mgz" in text


def test_surfaces_are_not_looked_for_unless_asked_for(written):
    assert not any("assd" in name or "thickness" in name for name in written[1])
    assert written[1]["deviation_in_ribbon"] == pytest.approx(0.05)


def test_true_image_shows_its_surfaces(synthetic_person, tmp_path):
    """The subject's own image in the place of a drawn one: errors are those of the voxels, similarity is complete."""
    item = with_brain(synthetic_person, doses=())
    image = (synthetic_person["image"][0].as_tensor() + 1) / 2
    item["brain"] = SyntheticBrain(image, None, {}, [], 1.0)
    metrics = CortexSynthesisWriter("unused").write(item, tmp_path)
    assert metrics["ssim_full"] == pytest.approx(1, abs=1e-4)
    assert metrics["white_assd_mm"] < 1
    assert metrics["pial_assd_mm"] < 1
    assert all(
        not isinstance(value, float) or math.isfinite(value) or name == "psnr_db" for name, value in metrics.items()
    )
    assert not (tmp_path / "synth_std.nii.gz").exists()


def test_person_without_an_image_gets_a_grid_of_its_own(synthetic_people, tmp_path):
    path = synthesis_subjects(synthetic_people)[0]
    item = cortex_preprocessing(spacing=3.0)({name: value for name, value in path.items() if name != "image"})
    metrics = CortexSynthesisWriter("unused", measure=False).write(with_brain(item, doses=()), tmp_path)
    image = nib.load(tmp_path / "synth_T1w.nii.gz")
    assert image.shape == tuple(item["full_shape"])
    np.testing.assert_allclose(image.affine, np.asarray(item["full_affine"]), atol=1e-4)
    assert not any("ssim" in name for name in metrics)


@pytest.mark.parametrize(("word", "expected"), [("false", False), ("True", True)])
def test_words_of_a_command_line_switch_measuring(word, expected):
    assert CortexSynthesisWriter("unused", measure=word).measure is expected
