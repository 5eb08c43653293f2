import pytest
import torch

from monai_cortex.metrics import ReconstructionResidual, reconstruction_residual


@pytest.fixture
def batch():
    """Two subjects of three coefficients and five volumes on a 2 x 3 x 2 grid, the signal at random."""
    generator = torch.Generator().manual_seed(0)
    prediction, design = torch.randn(2, 3, 2, 3, 2, generator=generator), torch.randn(2, 5, 3, generator=generator)
    dwi = torch.randn(2, 5, 2, 3, 2, generator=generator)
    mask = torch.ones(2, 1, 2, 3, 2)
    mask[0, :, 0] = 0
    return prediction, {"dwi": dwi, "design": design, "mask": mask}


def items(batch):
    prediction, target = batch
    return list(prediction), [{name: value[i] for name, value in target.items()} for i in range(len(prediction))]


def test_residual_of_an_exact_prediction_is_zero(batch):
    prediction, target = batch
    dwi = torch.einsum("gn,nijk->gijk", target["design"][0], prediction[0])
    assert reconstruction_residual(prediction[0], dwi, target["design"][0], target["mask"][0]) < 1e-4


def test_residual_is_the_root_mean_square_in_percent(batch):
    """Six voxels in the mask, five volumes: errors of 0.3 and 0.4 give 100 * 0.5 / sqrt(30)."""
    prediction, target = batch
    dwi = torch.einsum("gn,nijk->gijk", target["design"][0], prediction[0])
    dwi[2, 1, 1, 1] += 0.3
    dwi[4, 1, 2, 0] -= 0.4
    dwi[:, 0] += 9  # outside
    found = reconstruction_residual(prediction[0], dwi, target["design"][0], target["mask"][0])
    assert found.item() == pytest.approx(50 / 30**0.5, rel=1e-5)


def test_list_form_gives_one_number_a_subject(batch):
    predictions, targets = items(batch)
    metric = ReconstructionResidual()
    found = metric(predictions, targets)
    expected = [
        reconstruction_residual(p, t["dwi"], t["design"], t["mask"]) for p, t in zip(predictions, targets, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected)[:, None])
    torch.testing.assert_close(metric.aggregate(), torch.stack(expected).mean())


def test_batch_that_was_not_decollated_is_refused(batch):
    """MONAI would hand over the prediction without its target."""
    with pytest.raises(ValueError, match="decollate"):
        ReconstructionResidual()(*batch)


def test_mean_is_over_all_subjects_so_far(batch):
    predictions, targets = items(batch)
    metric = ReconstructionResidual()
    rows = [metric([p], [t]) for p, t in zip(predictions, targets, strict=True)]
    torch.testing.assert_close(metric.aggregate(), torch.cat(rows).mean())
    metric.reset()
    last = metric(predictions[1:], targets[1:])
    torch.testing.assert_close(metric.aggregate(), last.mean())
