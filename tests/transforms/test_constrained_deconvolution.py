import math

import pytest
import torch

from monai_cortex.errors import ConfigError, GradientError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.peaks import fiber_peaks
from monai_cortex.geometry.response import deconvolution_design
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    ConstrainedDeconvolution,
    ConstrainedDeconvolutionD,
    ConstrainedDeconvolutiond,
    ConstrainedDeconvolutionDict,
    constrained_deconvolution,
)


@pytest.fixture(scope="module")
def case(make_scan, make_responses, tensor_signal, random_axes):
    """Six single fibers without noise, and the constrained deconvolution of five of them."""
    pytest.importorskip("dipy")
    scan, axes = make_scan(3000.0), random_axes(6)
    dwi = 500 * tensor_signal(scan, axes).reshape(-1, 3, 2, 1)
    mask = torch.ones(1, 3, 2, 1)
    mask[0, 2, 1] = 0
    data = {
        "dwi": dwi.float(),
        "bvalues": scan.bvalues,
        "directions": scan.directions,
        "responses": make_responses(scan, s0=500.0),
        "mask": mask,
    }
    return data, axes, ConstrainedDeconvolution()(**data)


def test_peak_lies_along_the_fiber(case):
    _, axes, coefficients = case
    assert coefficients.shape == (45, 3, 2, 1)
    assert coefficients.dtype == torch.float32
    found = fiber_peaks(coefficients.flatten(1)[:, :5], 1).directions[:, 0].double()
    cosine = (found * axes[:5]).sum(1).abs()
    assert cosine.min() > math.cos(math.radians(2))


def test_coefficients_are_in_the_basis_of_the_package(case, make_scan):
    """The forward model in MRtrix's basis explains the signal, in the same units, up to the constraint."""
    data, axes, coefficients = case
    scan = make_scan(3000.0)
    design = deconvolution_design(scan.directions, scan.shell, data["responses"][:1], 8)
    weighted = scan.shell == 1
    inside = coefficients.flatten(1)[:, :5].double()
    signal = data["dwi"].flatten(1)[:, :5].double()
    misfit = (design @ inside - signal)[weighted].square().mean().sqrt()
    assert misfit < 0.1 * signal[weighted].square().mean().sqrt()
    stick = real_harmonics(axes[:5], 8, even=True).T
    cosine = torch.nn.functional.cosine_similarity(inside, stick, dim=0)
    assert cosine.min() > 0.8


def test_voxels_outside_the_mask_are_zero(case):
    assert (case[2][:, 2, 1] == 0).all()


def test_missing_dipy_is_named_with_its_remedy(case, monkeypatch):
    monkeypatch.setattr(constrained_deconvolution, "optional_import", lambda name: (None, False))
    with pytest.raises(ConfigError, match="dipy") as caught:
        ConstrainedDeconvolution()(**case[0])
    assert "pip install" in str(caught.value)


def test_pair_agrees(case):
    data = case[0] | {"design": torch.zeros(98, 45 + 2)}
    assert_pair_agrees(lambda x: x, ConstrainedDeconvolutiond(), data, "dwi")
    result = ConstrainedDeconvolutiond()(data)
    torch.testing.assert_close(result["csd"][:45], case[2])
    assert result["csd"].shape == (47, 3, 2, 1)
    assert (result["csd"][45:] == 0).all()
    assert result["csd_time"] > 0
    assert ConstrainedDeconvolutionD is ConstrainedDeconvolutionDict is ConstrainedDeconvolutiond


def test_more_shells_are_refused_instead_of_mixed():
    dwi, bvalues, directions = torch.ones(3, 1, 1, 1), torch.tensor([0.0, 1000.0, 2000.0]), torch.eye(3)
    with pytest.raises(GradientError, match="3 shells"):
        ConstrainedDeconvolution()(dwi, bvalues, directions, torch.ones(1, 3, 5), torch.ones(1, 1, 1, 1))
