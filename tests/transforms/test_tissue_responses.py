import math

import pytest
import torch

from monai_cortex.data import Response, write_response
from monai_cortex.errors import ConfigError, GradientError, InputFileError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import TissueResponses, TissueResponsesD, TissueResponsesd, TissueResponsesDict

WHITE, GRAY, FLUID = 60, 20, 20
S0 = {"wm": 500.0, "gm": 700.0, "csf": 1500.0}
DIFFUSIVITY = {"gm": 0.8e-3, "csf": 3e-3}


@pytest.fixture(scope="module")
def scan(make_scan):
    return make_scan(1000.0, 2500.0)


@pytest.fixture(scope="module")
def truth(scan, make_responses):
    """Zonal coefficients of each tissue, (S, 5)."""
    white = make_responses(scan, s0=S0["wm"])[0]
    others = {name: make_responses(scan, s0=S0[name], isotropic=(d,))[1] for name, d in DIFFUSIVITY.items()}
    return {"wm": white} | others


@pytest.fixture(scope="module")
def volume(scan, tensor_signal, random_axes):
    """Single fibers, gray matter, fluid with half a percent of noise, and nonsense outside the mask: dwi and mask."""
    pytest.importorskip("dipy")
    parts = [S0["wm"] * tensor_signal(scan, random_axes(WHITE))]
    for name, count in (("gm", GRAY), ("csf", FLUID)):
        decay = S0[name] * torch.exp(-DIFFUSIVITY[name] * scan.bvalues)
        parts.append(decay[:, None].expand(-1, count))
    signal = torch.cat(parts, 1)
    generator = torch.Generator().manual_seed(0)
    signal = signal + 2.5 * torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    outside = 3000 * torch.rand(len(signal), 20, generator=generator, dtype=torch.float64)
    mask = torch.ones(1, 12, 10, 1)
    mask[:, 10:] = 0
    return torch.cat([signal, outside], 1).reshape(-1, 12, 10, 1).float(), mask


def estimate(scan, volume, tissues, **options):
    return TissueResponses(tissues, **options)(volume[0], scan.bvalues, scan.directions, scan.shell, volume[1])


def test_responses_of_pure_voxels_are_recovered(scan, volume, truth):
    tissues = ("wm", "gm", "csf")
    found = estimate(scan, volume, tissues)
    assert found.shape == (3, 3, 5)
    for row, name in zip(found, tissues, strict=True):
        torch.testing.assert_close(row[:, 0], truth[name][:, 0], rtol=0.03, atol=5.0)
        torch.testing.assert_close(row, truth[name], rtol=0.05, atol=0.02 * truth[name][0, 0].item())
    assert found[0, 0, 0].item() == pytest.approx(500 * math.sqrt(4 * math.pi), rel=0.01)


def test_fiber_response_is_oblate(scan, volume):
    """Least signal along the fiber: degree 2 is negative, more so relative to degree 0 on the higher shell."""
    white = estimate(scan, volume, ("wm",))[0]
    assert (white[1:, 1] < 0).all()
    assert white[2, 1] / white[2, 0] < white[1, 1] / white[1, 0]


def test_order_of_the_tissues_is_that_asked_for(scan, volume):
    first, second = (estimate(scan, volume, t) for t in (("wm", "gm", "csf"), ("wm", "csf", "gm")))
    torch.testing.assert_close(first, second[[0, 2, 1]])


def test_without_fluid_its_response_is_that_of_free_water(scan, volume):
    """Its b = 0 is not measured then; the decay exp(-b 0.003) is known."""
    dwi, mask = volume[0][:, :6], volume[1][:, :6]
    fluid = estimate(scan, (dwi, mask), ("wm", "csf"))[1]
    decay = torch.exp(-3e-3 * scan.shells)
    torch.testing.assert_close(fluid[:, 0] / fluid[0, 0], decay)
    assert fluid[0, 0].item() == pytest.approx(500 * math.sqrt(4 * math.pi), rel=0.01)
    assert (fluid[:, 1:] == 0).all()


def test_signal_of_free_water_at_b0_is_that_of_white_matter(scan, volume):
    dwi, mask = volume[0][:, :8], volume[1][:, :8]  # fibers of 500 and gray matter of 700
    white, water = estimate(scan, (dwi, mask), ("wm", "csf"))
    assert water[0, 0].item() == pytest.approx(white[0, 0].item(), rel=1e-6)


def test_degree_sets_the_number_of_coefficients(scan, volume, truth):
    found = estimate(scan, volume, ("wm", "csf"), degree=4)
    assert found.shape == (2, 3, 3)
    torch.testing.assert_close(found[0, :, 0], truth["wm"][:, 0], rtol=0.03, atol=5.0)
    fitted = estimate(scan, volume, ("wm", "csf"), degree=8)[0, :, :3]
    assert (found[0] - fitted)[1:].abs().max() > 1e-6  # fitted to its own degree, not cut from a higher one


def test_given_responses_need_no_estimate(scan, truth, monkeypatch):
    monkeypatch.delattr("monai_cortex.transforms.tissue_responses.DiffusionTensor")
    given = {"wm": truth["wm"], "csf": truth["csf"][:, :1]}
    table = [scan.bvalues, scan.directions, scan.shell]
    found = TissueResponses()(torch.ones(len(scan.shell), 1, 1, 1), *table, torch.ones(1, 1, 1, 1), given)
    torch.testing.assert_close(found, torch.stack([truth["wm"], truth["csf"]]), atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    "tissues", [("wm", "blood"), ("csf", "wm"), (), ("wm", "csf", "csf"), ("wm", "wm"), ["gm", "csf"]]
)
def test_unknown_tissues_are_refused(tissues):
    with pytest.raises(ConfigError, match="wm") as caught:
        TissueResponses(tissues)
    assert str(list(tissues)) in str(caught.value)


def test_more_tissues_than_shells_are_refused(make_scan):
    scan = make_scan(1000.0, nside=1)
    table = [scan.bvalues, scan.directions, scan.shell, torch.ones(1, 1, 1, 1)]
    with pytest.raises(GradientError, match="more tissues than shells") as caught:
        TissueResponses(("wm", "gm", "csf"))(torch.ones(len(scan.shell), 1, 1, 1), *table)
    assert "3 tissues (wm, gm, csf), 2 shells" in str(caught.value)


def test_too_few_voxels_are_refused(scan, volume):
    dwi, mask = volume
    few = torch.zeros_like(mask)
    few[:, 0, :9] = 1
    with pytest.raises(GradientError, match="too few voxels") as caught:
        estimate(scan, (dwi, few), ("wm", "csf"))
    assert "9 voxels" in str(caught.value)


def entries(scan, volume):
    table = {"bvalues": scan.bvalues, "directions": scan.directions, "shell": scan.shell, "shells": scan.shells}
    return table | {"dwi": volume[0], "mask": volume[1], "subject": "s1"}


def test_pair_agrees(scan, volume):
    data = entries(scan, volume)
    assert_pair_agrees(lambda x: x, TissueResponsesd(), data, "dwi")
    result = TissueResponsesd()(data)
    torch.testing.assert_close(result["responses"], estimate(scan, volume, ("wm", "csf")))
    assert result["response_source"] == {"wm": "estimated", "csf": "estimated"}
    assert TissueResponsesD is TissueResponsesDict is TissueResponsesd


def test_response_files_come_first(scan, volume, truth, tmp_path):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response((2 * truth["wm"]).numpy()))
    result = TissueResponsesd()(entries(scan, volume) | {"response_wm": str(path)})
    torch.testing.assert_close(result["responses"][0], 2 * truth["wm"])
    torch.testing.assert_close(result["responses"][1], estimate(scan, volume, ("wm", "csf"))[1])
    assert result["response_source"]["wm"] in ("file", "response_wm.txt")
    assert result["response_source"]["csf"] == "estimated"


def test_response_file_without_b0_takes_it_from_the_scan(scan, volume, truth, tmp_path):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(truth["wm"][1:].numpy()))
    found = TissueResponsesd(tissues=["wm"])(entries(scan, volume) | {"response_wm": str(path)})["responses"][0]
    torch.testing.assert_close(found[1:], truth["wm"][1:])
    inside = volume[0][scan.shell == 0][:, volume[1][0] > 0].double()
    assert found[0, 0].item() == pytest.approx(math.sqrt(4 * math.pi) * inside.mean().item(), rel=1e-6)
    assert (found[0, 1:] == 0).all()


@pytest.mark.parametrize("rows", [1, 4])
def test_response_file_with_other_shells_is_refused(scan, volume, tmp_path, rows):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(torch.ones(rows, 5).numpy()))
    with pytest.raises(InputFileError) as caught:
        TissueResponsesd()(entries(scan, volume) | {"response_wm": str(path)})
    message = str(caught.value)
    assert f"{rows} rows" in message
    assert "3 rows" in message
    assert "[0.0, 1000.0, 2500.0]" in message
    assert "s1" in message
    assert str(path) in message
