from functools import partial

import pytest
import torch

from monai_cortex.errors import GradientError
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


@pytest.mark.parametrize(("degree", "limit"), [(10, 8), (8, 8)])
def test_degree_is_limited_by_the_directions(make_scan, make_responses, degree, limit):
    """Twelve directions determine at most 48 coefficients; degree 8 has 45."""
    scan = make_scan(1000.0, 2000.0, nside=1)
    count = int((scan.shell > 0).sum())
    assert count == 12
    build = partial(DeconvolutionDesign(degree), scan.directions, scan.shell, make_responses(scan))
    if degree > limit:
        with pytest.raises(GradientError, match="too high") as caught:
            build()
        assert f"lmax {degree}, 66 coefficients, from {count} directions" in str(caught.value)
        assert f"at most {limit}" in str(caught.value)
    else:
        assert build().shape[1] == 46
