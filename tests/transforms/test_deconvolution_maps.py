import math

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.response import deconvolution_design
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import DeconvolutionMaps, DeconvolutionMapsD, DeconvolutionMapsd, DeconvolutionMapsDict

GRID = (3, 2, 2)


@pytest.fixture(scope="module")
def case(make_scan, make_responses, random_axes):
    """Twelve voxels, each with one fiber and some water, explained without error; scale 1, 2, ..., 12."""
    scan = make_scan(1000.0, nside=2)
    axes = random_axes(12)
    fibers = real_harmonics(axes, 8, even=True).T.float()
    water = torch.linspace(0.1, 0.6, 12)[None]
    prediction = torch.cat([fibers, water]).reshape(-1, *GRID)
    design = deconvolution_design(scan.directions, scan.shell, make_responses(scan), 8).float()
    dwi = torch.einsum("gn,nijk->gijk", design, prediction)
    scale = torch.arange(1.0, 13.0).reshape(1, *GRID)
    return {
        "pred": prediction,
        "dwi": dwi,
        "design": design,
        "mask": torch.ones(1, *GRID),
        "scale": scale,
        "axes": axes,
    }


def maps_of(case, transform, **changes):
    inputs = case | changes
    return transform(*(inputs[name] for name in ("pred", "dwi", "design", "mask", "scale")))


def test_tissues_are_multiplied_by_the_scale(case):
    maps = maps_of(case, DeconvolutionMaps())
    torch.testing.assert_close(maps.tissues["wm"], case["pred"][:45] * case["scale"])
    torch.testing.assert_close(maps.tissues["csf"], case["pred"][45:] * case["scale"])
    assert list(maps.tissues) == ["wm", "csf"]


def test_first_peak_lies_along_the_fiber_and_the_others_are_nan(case):
    maps = maps_of(case, DeconvolutionMaps(threshold=0.5, peaks=4))
    assert maps.peaks.shape == (12, *GRID)
    first = maps.peaks[:3].flatten(1).T.double()
    amplitude = first.norm(dim=1)
    cosine = ((first / amplitude[:, None]) * case["axes"]).sum(1).abs()
    assert cosine.min() > math.cos(math.radians(0.1))
    height = real_harmonics(case["axes"], 8, even=True).square().sum(1)  # of the stick at its axis
    torch.testing.assert_close(amplitude, height * case["scale"].flatten().double(), rtol=1e-5, atol=0)
    assert maps.peaks[3:].isnan().all()


def test_lower_threshold_keeps_more_peaks_the_highest_first(case):
    """Truncated at degree 8, a stick has side lobes of about a fifth of its height."""
    maps = maps_of(case, DeconvolutionMaps(threshold=0.02, peaks=3))
    heights = maps.peaks.unflatten(0, (3, 3)).norm(dim=1)
    assert heights[1].isfinite().any()
    present = heights[:2].isfinite().all(0)
    assert (heights[0] >= heights[1])[present].all()


def test_exact_prediction_leaves_no_residual(case):
    assert maps_of(case, DeconvolutionMaps()).residual.max() < 1e-3


def test_residual_is_in_percent_of_the_signal_at_b0(case):
    """One of N volumes off by e, b = 0 measured as s: 100 e / (s sqrt(N)), whatever the scale."""
    dwi = case["dwi"].clone()
    dwi[7, 1, 1, 0] += 0.3
    baseline = dwi[:2, 1, 1, 0].mean().item()
    residual = maps_of(case, DeconvolutionMaps(amounts="predicted"), dwi=dwi).residual
    assert residual.shape == (1, *GRID)
    assert residual[0, 1, 1, 0].item() == pytest.approx(100 * 0.3 / baseline / math.sqrt(len(dwi)), rel=1e-4)
    residual[0, 1, 1, 0] = 0
    assert residual.max() < 1e-3


def test_rounding_of_the_response_at_b0_does_not_hide_the_residual(case):
    """Quadrature and files leave 1e-12 of the response in the higher degrees at b = 0."""
    design = case["design"].clone()
    design[:2, 1:45] += 1e-12
    dwi = case["dwi"] + 0.1
    expected = maps_of(case, DeconvolutionMaps(), dwi=dwi).residual
    assert expected.min() > 1
    torch.testing.assert_close(maps_of(case, DeconvolutionMaps(), dwi=dwi, design=design).residual, expected)


def test_outside_the_mask_everything_is_zero(case):
    mask = case["mask"].clone()
    mask[0, 0] = 0
    masked, full = maps_of(case, DeconvolutionMaps(), mask=mask), maps_of(case, DeconvolutionMaps())
    for part, whole in zip(
        (*masked.tissues.values(), masked.peaks, masked.residual),
        (*full.tissues.values(), full.peaks, full.residual),
        strict=True,
    ):
        assert (part[:, 0] == 0).all()
        torch.testing.assert_close(part[:, 1:], whole[:, 1:], equal_nan=True)


def test_empty_voxels_have_no_peak_and_no_residual(case):
    nothing = {"pred": torch.zeros_like(case["pred"]), "dwi": torch.zeros_like(case["dwi"])}
    maps = maps_of(case, DeconvolutionMaps(), **nothing)
    assert maps.peaks.isnan().all()
    assert (maps.residual == 0).all()


def test_empty_mask_gives_empty_maps(case):
    maps = maps_of(case, DeconvolutionMaps(), mask=torch.zeros_like(case["mask"]))
    assert maps.peaks.shape == (15, *GRID)
    assert (maps.peaks == 0).all()
    assert (maps.residual == 0).all()


def test_tissues_without_water_need_no_more_columns(case):
    inputs = {"pred": case["pred"][:45], "design": case["design"][:, :45]}
    maps = maps_of(case, DeconvolutionMaps(tissues=["wm"], amounts="predicted"), **inputs)
    assert list(maps.tissues) == ["wm"]
    baseline = case["dwi"][:2].mean(0)
    misfit = (torch.einsum("gn,nijk->gijk", inputs["design"], inputs["pred"]) - case["dwi"]).square().mean(0).sqrt()
    torch.testing.assert_close(maps.residual[0], 100 * misfit / baseline)


def test_pair_agrees(case):
    data = {name: value for name, value in case.items() if name != "axes"}
    transform = DeconvolutionMapsd(peaks=2, threshold=0.3)
    assert_pair_agrees(lambda x: x, transform, data, "pred")
    maps, result = maps_of(case, DeconvolutionMaps(peaks=2, threshold=0.3)), transform(data)
    expected = {"wmfod": maps.tissues["wm"], "csf": maps.tissues["csf"], "peaks": maps.peaks, "residual": maps.residual}
    for name, value in expected.items():
        torch.testing.assert_close(result[name], value, equal_nan=True)
    assert DeconvolutionMapsD is DeconvolutionMapsDict is DeconvolutionMapsd


def test_prefix_keeps_two_methods_apart(case):
    data = {name: value for name, value in case.items() if name != "axes"} | {"csd": case["pred"]}
    result = DeconvolutionMapsd(keys="csd", prefix="csd_")(data)
    assert set(result) - set(data) == {"csd_wmfod", "csd_csf", "csd_peaks", "csd_residual"}


def test_amounts_that_explain_the_signal_are_found(case):
    """Half the fibers and twice the water of what is there."""
    wrong = torch.cat([case["pred"][:45] / 2, 2 * case["pred"][45:]])
    maps = maps_of(case, DeconvolutionMaps(), pred=wrong)
    torch.testing.assert_close(maps.prediction, case["pred"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(maps.tissues["wm"], case["pred"][:45] * case["scale"], atol=1e-4, rtol=1e-5)
    assert maps.residual.max() < 1e-2
    kept = maps_of(case, DeconvolutionMaps(amounts="predicted"), pred=wrong)
    assert torch.equal(kept.prediction, wrong)
    assert kept.residual.min() > 1


def test_amounts_do_not_turn_the_peaks(case):
    wrong = torch.cat([case["pred"][:45] / 2, 2 * case["pred"][45:]])
    directions = [
        torch.nn.functional.normalize(maps_of(case, DeconvolutionMaps(amounts=a), pred=wrong).peaks[:3], dim=0)
        for a in ("signal", "b0", "predicted")
    ]
    torch.testing.assert_close(directions[0], directions[2])
    torch.testing.assert_close(directions[1], directions[2])


def test_all_tissues_are_scaled_alike_to_the_signal_at_b0(case):
    wrong = torch.cat([case["pred"][:45] / 2, 2 * case["pred"][45:]])
    maps = maps_of(case, DeconvolutionMaps(amounts="b0"), pred=wrong)
    explained = torch.einsum("gn,nijk->gijk", case["design"], maps.prediction)[:2]
    torch.testing.assert_close(explained, case["dwi"][:2])
    ratio = maps.prediction / wrong
    torch.testing.assert_close(ratio[45], ratio[0])


def test_other_amounts_are_refused():
    with pytest.raises(ConfigError, match="'guess'"):
        DeconvolutionMaps(amounts="guess")
