import torch

from monai_cortex.geometry.response import deconvolution_design
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    DeconvolutionDesign,
    DeconvolutionDesignD,
    DeconvolutionDesignd,
    DeconvolutionDesignDict,
)


def test_design_is_the_forward_model_in_single_precision(make_scan, make_responses):
    scan = make_scan(1000.0, 3000.0, nside=2)
    responses = make_responses(scan, isotropic=(3e-3, 0.8e-3))
    design = DeconvolutionDesign(degree=6)(scan.directions, scan.shell, responses)
    assert design.dtype == torch.float32
    assert design.shape == (2 + 48, 28 + 2)
    torch.testing.assert_close(design, deconvolution_design(scan.directions, scan.shell, responses, 6).float())


def test_pair_agrees(make_scan, make_responses):
    scan = make_scan(1000.0, nside=2)
    data = {"responses": make_responses(scan), "directions": scan.directions, "shell": scan.shell}
    transform = DeconvolutionDesignd(degree=4)
    assert_pair_agrees(lambda x: x, transform, data, "responses")
    torch.testing.assert_close(
        transform(data)["design"], DeconvolutionDesign(4)(scan.directions, scan.shell, data["responses"])
    )
    assert transform(data)["design"].shape == (26, 16)
    assert DeconvolutionDesignD is DeconvolutionDesignDict is DeconvolutionDesignd
