import numpy as np
import pytest
import torch

from monai_cortex.data import (
    GradientTable,
    Response,
    diffusion_subjects,
    write_fsl_gradients,
    write_response,
    write_volume,
)
from monai_cortex.errors import GradientError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.transforms import deconvolution_crops, deconvolution_preprocessing

AFFINE = np.diag([-2.0, 2.0, 2.0, 1.0])


@pytest.fixture
def case(make_scan, make_responses, tensor_signal, random_axes, tmp_path):
    """Twelve single fibers of S0 from 300 to 1400 with their responses on disk: the items and the fibers."""
    scan, axes = make_scan(1000.0), random_axes(12)
    signal = (tensor_signal(scan, axes) * torch.linspace(300, 1400, 12)).T.reshape(3, 2, 2, -1)
    folder = tmp_path / "s1"
    folder.mkdir()
    write_volume(folder / "dwi.nii.gz", signal.numpy(), AFFINE)
    table = GradientTable(scan.bvalues.numpy(), scan.directions.numpy())
    write_fsl_gradients(folder / "dwi.bval", folder / "dwi.bvec", table, AFFINE)
    responses = make_responses(scan, s0=600.0)
    write_response(folder / "response_wm.txt", Response(responses[0].numpy(), scan.shells.numpy()))
    write_response(folder / "response_csf.txt", Response(responses[1, :, :1].numpy(), scan.shells.numpy()))
    return diffusion_subjects(tmp_path), axes, signal


def test_fibers_explain_the_scan_that_was_read(case):
    """Sticks times scale are the truth; only what degree 8 leaves out of the tensor's signal may differ."""
    items, axes, signal = case
    data = deconvolution_preprocessing(shells=[0, 1000])(items[0])
    torch.testing.assert_close(data["scale"].flatten(), torch.linspace(300, 1400, 12) / 600, rtol=0.01, atol=0)
    sticks = real_harmonics(axes, 8, even=True).T.float() * (torch.linspace(300, 1400, 12) / 600)
    fibers = torch.cat([sticks, torch.zeros(1, 12)])
    predicted = (data["design"] @ (fibers / data["scale"].flatten())).reshape(98, 3, 2, 2)
    torch.testing.assert_close(predicted, data["dwi"], atol=2e-3, rtol=0)
    expected = signal.movedim(-1, 0).float() / 600 / data["scale"]
    torch.testing.assert_close(data["dwi"], expected, rtol=1e-4, atol=1e-6)


def test_shapes_and_types_are_those_of_training(case):
    data = deconvolution_preprocessing(degree=6)(case[0][0])
    assert data["features"].shape == (4 * 45, 3, 2, 2)
    without = deconvolution_preprocessing(degree=6, linear=False)(case[0][0])["features"]
    torch.testing.assert_close(data["features"][: 2 * 45], without)
    assert data["design"].shape == (98, 28 + 1)
    assert data["mask"].shape == data["scale"].shape == (1, 3, 2, 2)
    assert {data[name].dtype for name in ("features", "dwi", "design", "mask", "scale")} == {torch.float32}
    assert data["subject"] == "s1"
    assert set(data["response_source"]) == {"wm", "csf"}


def test_tissues_and_shells_reach_their_transforms(case):
    assert deconvolution_preprocessing(tissues=["wm"])(case[0][0])["design"].shape == (98, 45)
    with pytest.raises(RuntimeError) as caught:
        deconvolution_preprocessing(shells=[0, 3000])(case[0][0])
    assert isinstance(caught.value.__cause__, GradientError)


def test_policy_for_values_that_are_not_finite_reaches_the_reader(case):
    items, _, signal = case
    signal[1, 1, 1, 5] = torch.nan
    write_volume(items[0]["dwi"], signal.numpy(), AFFINE)
    with pytest.raises(RuntimeError, match="LoadDiffusiond"):
        deconvolution_preprocessing()(items[0])
    assert deconvolution_preprocessing(nonfinite="mask")(items[0])["mask"].sum() == 11


def whole(*size, voxel=(1, 2, 3)):
    """A preprocessed scan whose maps tell where a voxel was; one voxel in the mask."""
    place = torch.arange(float(size[0] * size[1] * size[2])).reshape(1, *size)
    mask = torch.zeros(1, *size)
    mask[0][voxel] = 1
    return {"features": place, "dwi": torch.cat([place, -place]), "mask": mask, "design": torch.ones(2, 1), "other": 0}


def test_crops_are_cut_alike_and_hold_the_mask():
    scan = whole(14, 12, 13, voxel=(3, 4, 5))
    crops = deconvolution_crops(patch=4, number=6)(scan)
    assert len(crops) == 6
    for crop in crops:
        assert set(crop) == {"features", "dwi", "mask", "design"}
        assert crop["features"].shape == crop["mask"].shape == (1, 4, 4, 4)
        assert crop["mask"].sum() == 1
        assert crop["features"][crop["mask"] > 0].item() == scan["features"][0, 3, 4, 5]
        torch.testing.assert_close(torch.as_tensor(crop["dwi"][:1]), torch.as_tensor(crop["features"]))
        torch.testing.assert_close(torch.as_tensor(crop["dwi"][1:]), -torch.as_tensor(crop["features"]))
        torch.testing.assert_close(crop["design"], scan["design"])


def test_crops_hold_a_mask_at_the_border():
    """A crop without any voxel of the mask has no loss."""
    crops = deconvolution_crops(patch=4, number=8).set_random_state(0)(whole(9, 8, 10, voxel=(0, 7, 4)))
    assert [crop["mask"].sum().item() for crop in crops] == [1] * 8


def test_crops_differ_and_follow_the_seed():
    scan = whole(9, 9, 9) | {"mask": torch.ones(1, 9, 9, 9)}

    def corners(seed):
        crops = deconvolution_crops(patch=4, number=8).set_random_state(seed)(scan)
        return [crop["features"][0, 0, 0, 0].item() for crop in crops]

    assert len(set(corners(0))) > 1
    assert corners(0) == corners(0)
    assert corners(0) != corners(1)


def test_smaller_scan_gives_what_it_has():
    crop = deconvolution_crops(patch=6)(whole(3, 7, 6))[0]
    assert crop["features"].shape == (1, 3, 6, 6)
    assert crop["mask"].sum() == 1
