import math
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from monai_cortex.data import (
    GradientTable,
    Response,
    diffusion_subjects,
    read_response,
    write_mrtrix_gradients,
    write_response,
    write_volume,
)
from monai_cortex.errors import ConfigError, GradientError, InputFileError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    LoadDiffusiond,
    TissueResponses,
    TissueResponsesD,
    TissueResponsesd,
    TissueResponsesDict,
)

WHITE, GRAY, FLUID = 60, 20, 20
S0 = {"wm": 500.0, "gm": 700.0, "csf": 1500.0}
DIFFUSIVITY = {"gm": 0.8e-3, "csf": 3e-3}
FIBER_ROWS, GRAY_ROWS, FLUID_ROWS = [*range(6)], [6, 7], [8, 9]  # of ten voxels each
METHODS = ["auto", "tensor", "tournier", "dhollander"]


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


def needs_dipy(method):
    if method == "tournier":
        pytest.importorskip("dipy")


def part(volume, rows):
    """Rows of ten voxels of image and mask, which may be changed."""
    return volume[0][:, rows], volume[1][:, rows]


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("tissue", "diffusivity", "rows"),
    [
        ("csf", 3.0e-3, FIBER_ROWS),
        ("csf", 3.0e-3, [*FIBER_ROWS, *GRAY_ROWS]),
        ("gm", 0.8e-3, FIBER_ROWS),
        ("gm", 0.8e-3, [*FIBER_ROWS, *FLUID_ROWS * 5]),
    ],
)
def test_tissue_that_is_not_there_has_its_usual_decay_from_the_signal_of_white_matter(
    scan, volume, method, tissue, diffusivity, rows
):
    """Free water's exp(-0.003 b), or cortex's exp(-0.0008 b); b = 0 of the tissue itself is not measured then."""
    needs_dipy(method)
    white, found = estimate(scan, part(volume, rows), ("wm", tissue), method=method)
    torch.testing.assert_close(found[:, 0] / found[0, 0], torch.exp(-diffusivity * scan.shells))
    assert found[0, 0].item() == pytest.approx(white[0, 0].item(), rel=1e-9)
    assert found[0, 0].item() == pytest.approx(500 * math.sqrt(4 * math.pi), rel=0.01)
    assert (found[:, 1:] == 0).all()


def test_without_either_both_are_the_usual_ones(scan, volume, truth):
    found = estimate(scan, part(volume, FIBER_ROWS), ("wm", "gm", "csf"))
    swapped = estimate(scan, part(volume, FIBER_ROWS), ("wm", "csf", "gm"))
    torch.testing.assert_close(found, swapped[[0, 2, 1]])
    expected = torch.exp(-torch.tensor([[0.8e-3], [3.0e-3]], dtype=torch.float64) * scan.shells)
    torch.testing.assert_close(found[1:, :, 0] / found[:1, :1, 0], expected)


def test_nine_voxels_of_gray_matter_are_too_few(scan, volume):
    dwi, mask = part(volume, [*FIBER_ROWS, *GRAY_ROWS[:1]])
    for left_out, s0 in ((0, 700), (1, 500)):
        mask[0, 6, :left_out] = 0
        gray = estimate(scan, (dwi, mask), ("wm", "gm"), method="tensor")[1]
        assert gray[0, 0].item() == pytest.approx(s0 * math.sqrt(4 * math.pi), rel=0.01)


def test_degree_sets_the_number_of_coefficients(scan, volume, truth):
    found = estimate(scan, volume, ("wm", "csf"), degree=4)
    assert found.shape == (2, 3, 3)
    torch.testing.assert_close(found[0, :, 0], truth["wm"][:, 0], rtol=0.03, atol=5.0)
    fitted = estimate(scan, volume, ("wm", "csf"), degree=8)[0, :, :3]
    assert (found[0] - fitted)[1:].abs().max() > 1e-6  # fitted to its own degree, not cut from a higher one


def test_given_responses_need_no_estimate(scan, truth):
    """From a single voxel none could be made."""
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


@pytest.mark.parametrize("comment", [False, True])
def test_response_file_without_b0_takes_it_from_single_fibers(scan, volume, truth, tmp_path, comment):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(1.1 * truth["wm"][1:].numpy(), scan.shells[1:].numpy() - 60 if comment else None))
    found = TissueResponsesd(tissues=["wm"])(entries(scan, volume) | {"response_wm": str(path)})["responses"][0]
    torch.testing.assert_close(found[1:], 1.1 * truth["wm"][1:])
    assert found[0, 0].item() == pytest.approx(math.sqrt(4 * math.pi) * S0["wm"], rel=0.002)
    assert (found[0, 1:] == 0).all()


def test_fluid_file_without_b0_takes_it_from_fluid_or_white_matter(scan, volume, truth, tmp_path):
    path = tmp_path / "response_csf.txt"
    write_response(path, Response(truth["csf"][1:, :1].numpy()))
    data = entries(scan, volume) | {"response_csf": str(path)}
    found = TissueResponsesd()(data)["responses"][1]
    assert found[0, 0].item() == pytest.approx(math.sqrt(4 * math.pi) * S0["csf"], rel=0.01)
    torch.testing.assert_close(found[1:, 0], truth["csf"][1:, 0])
    white, dry = TissueResponsesd()(data | {"dwi": volume[0][:, :8], "mask": volume[1][:, :8]})["responses"]
    assert dry[0, 0] == white[0, 0]


@pytest.mark.parametrize("rows", [1, 4])
def test_response_file_with_another_number_of_rows_is_refused(scan, volume, tmp_path, rows):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(torch.ones(rows, 5).numpy()))
    with pytest.raises(InputFileError) as caught:
        TissueResponsesd()(entries(scan, volume) | {"response_wm": str(path)})
    for part in (f"{rows} rows", "3 rows", "[0, 1000, 2500]", "s1", str(path)):
        assert part in str(caught.value)


@pytest.mark.parametrize("shells", [[0, 1000, 2419], [0, 1081, 2500], [700, 2500], [81, 1000, 2500]])
def test_response_file_of_other_shells_is_refused(scan, volume, tmp_path, shells):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(torch.ones(len(shells), 5).numpy(), torch.tensor(shells).numpy()))
    with pytest.raises(InputFileError) as caught:
        TissueResponsesd()(entries(scan, volume) | {"response_wm": str(path)})
    assert str(shells) in str(caught.value)
    assert "[0, 1000, 2500]" in str(caught.value)


def test_response_file_of_the_same_shells_is_taken(scan, volume, tmp_path):
    path = tmp_path / "response_wm.txt"
    write_response(path, Response(torch.ones(3, 5).numpy(), torch.tensor([0, 1080, 2420]).numpy()))
    result = TissueResponsesd()(entries(scan, volume) | {"response_wm": str(path)})
    assert (result["responses"][0] == 1).all()


@pytest.mark.parametrize("method", ["fa", "", "Tensor"])
def test_unknown_method_is_refused(method):
    with pytest.raises(ConfigError, match="expected: auto, tensor, tournier, dhollander") as caught:
        TissueResponses(method=method)
    assert method in str(caught.value)
    with pytest.raises(ConfigError, match="method"):
        TissueResponsesd(method=method)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_recovers_every_tissue(scan, volume, truth, method):
    needs_dipy(method)
    found = estimate(scan, volume, ("wm", "gm", "csf"), method=method)
    torch.testing.assert_close(found[0, :, :3], truth["wm"][:, :3], rtol=0.02, atol=2.0)
    for row, tissue in zip(found[1:], ("gm", "csf"), strict=True):
        torch.testing.assert_close(row[:, 0], truth[tissue][:, 0], rtol=0.01, atol=5.0)
        assert (row[:, 1:] == 0).all()


def test_auto_is_dhollander_of_several_shells_and_tensor_of_one(scan, volume, make_scan):
    def same(scan, volume, method):
        first, second = (estimate(scan, volume, ("wm", "csf"), method=m) for m in ("auto", method))
        return torch.allclose(first, second, rtol=1e-9)

    one, low = make_scan(1000.0), scan.shell < 2
    assert [same(scan, volume, m) for m in ("dhollander", "tensor")] == [True, False]
    volume = volume[0][low], volume[1]
    assert [same(one, volume, m) for m in ("dhollander", "tensor")] == [False, True]


def test_tournier_chooses_other_fibers_than_the_tensor(scan, volume):
    pytest.importorskip("dipy")
    peaks, tensor = (estimate(scan, volume, ("wm",), method=method) for method in ("tournier", "tensor"))
    assert not torch.allclose(peaks, tensor, rtol=1e-6)


@pytest.fixture(scope="module")
def clinical(tensor_signal, make_responses, random_axes):
    """Phantom of 1500 voxels at SNR 30, Rician, two at b = 0 for eight directions at b = 1000; and true responses."""

    def simulate(count, isotropic=True, seed=0):
        generator = torch.Generator().manual_seed(seed)
        height = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        turn = torch.arange(count) * math.pi * (3 - math.sqrt(5))
        around = (1 - height**2).sqrt()
        spiral = torch.stack([around * turn.cos(), around * turn.sin(), height], 1)
        shell = torch.tensor([0] * 4 + [1] * count)
        directions = torch.cat([torch.zeros(4, 3, dtype=torch.float64), spiral])
        shells = torch.tensor([0.0, 1000], dtype=torch.float64)
        scan = SimpleNamespace(bvalues=shells[shell], directions=directions, shell=shell, shells=shells)
        first, second = tensor_signal(scan, random_axes(1000)).split(500, 1)
        parts = [first, 0.6 * first + 0.4 * second]
        for d, s0 in ((0.8e-3, 1.2), (3e-3, 2.5)) if isotropic else ():
            parts.append(s0 * torch.exp(-d * scan.bvalues)[:, None].expand(-1, 250))
        signal = 100 * torch.cat(parts, 1)
        real, imaginary = (
            100 / 30 * torch.randn(signal.shape, generator=generator, dtype=torch.float64) for _ in range(2)
        )
        dwi = torch.hypot(signal + real, imaginary).reshape(len(shell), -1, 10, 10).float()
        truth = 100 * torch.cat([make_responses(scan), make_responses(scan, s0=2.5)[1:]])
        return scan, (dwi, torch.ones(1, *dwi.shape[1:])), truth

    return simulate


@pytest.mark.parametrize("method", ["auto", "tournier"])
@pytest.mark.parametrize("count", [16, 30])
def test_choice_by_noise_does_not_bias_white_matter(clinical, count, method):
    """Taken from the measurements that chose them, R_2 would be 6 % too high at 16 directions, and 4 % at 30."""
    needs_dipy(method)
    scan, volume, truth = clinical(count)
    found = estimate(scan, volume, ("wm", "csf"), method=method)
    error = 100 * (found[0, 1, :2] / truth[0, 1, :2] - 1)
    assert abs(error[0]) < 1
    assert abs(error[1]) < 3
    assert found[0, 0, 0] == pytest.approx(truth[0, 0, 0].item(), rel=0.01)
    assert found[1, 0, 0] == pytest.approx(truth[2, 0, 0].item(), rel=0.01)


@pytest.mark.parametrize("count", [5, 6, 7])
def test_few_directions(clinical, count):
    """Six determine a tensor, but leave none to measure by alone."""
    scan, volume, truth = clinical(count)
    if count < 6:
        with pytest.raises(GradientError, match="5 weighted volumes"):
            estimate(scan, volume, ("wm",))
    else:
        found = estimate(scan, volume, ("wm",))
        assert found[0, 1, 0] == pytest.approx(truth[0, 1, 0].item(), rel=0.05)


def test_fluid_is_found_on_a_high_shell(make_scan, tensor_signal, random_axes):
    """Noise hides the decay of fluid: at b = 3000 its diffusivity seems to be 1.2e-3 mm^2/s."""
    scan = make_scan(3000.0)
    white = tensor_signal(scan, random_axes(150)) + 0.03
    gray = torch.exp(-0.8e-3 * scan.bvalues)[:, None].expand(-1, 75) + 0.03
    fluid = 2.5 * (torch.exp(-3e-3 * scan.bvalues)[:, None].expand(-1, 75) + 0.03)
    noise = 1 + 0.01 * torch.randn(len(white), 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dwi = (torch.cat([white, gray, fluid], 1) * noise).reshape(-1, 30, 10, 1)
    found = estimate(scan, (dwi, torch.ones(1, 30, 10, 1)), ("wm", "csf"))
    assert found[1, 0, 0].item() == pytest.approx(2.5 * 1.03 * math.sqrt(4 * math.pi), rel=0.01)


def run(*command, cwd):
    subprocess.run([*command, "-quiet", "-nthreads", "1"], cwd=cwd, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dwi2response") is None, reason="MRtrix3 is not installed")
def test_file_of_dwi2response_tournier(clinical, tmp_path):
    """It has one row, without b = 0, for the shell that MRtrix calls 999 or 1000."""
    scan, (dwi, mask), truth = clinical(30, isotropic=False)
    write_volume(tmp_path / "dwi.nii.gz", dwi.movedim(0, -1).numpy(), np.diag([2.0, 2, 2, 1]))
    write_volume(tmp_path / "mask.nii.gz", mask[0].numpy(), np.diag([2.0, 2, 2, 1]), dtype=np.uint8)
    write_mrtrix_gradients(tmp_path / "dwi.b", GradientTable(scan.bvalues.numpy(), scan.directions.numpy()))
    options = ["-grad", "dwi.b", "-mask", "mask.nii.gz", "-iter_voxels", "600", "-number", "100"]
    run("dwi2response", "tournier", "dwi.nii.gz", "wm.txt", *options, cwd=tmp_path)
    assert read_response(tmp_path / "wm.txt").coefficients.shape == (1, 6)
    data = entries(scan, (dwi, mask)) | {"response_wm": str(tmp_path / "wm.txt")}
    found = TissueResponsesd(tissues=["wm"])(data)["responses"][0]
    torch.testing.assert_close(found[:, 0], truth[0, :, 0], rtol=0.01, atol=0)
    torch.testing.assert_close(found[1, 1], truth[0, 1, 1], rtol=0.05, atol=0)


@pytest.mark.skipif(
    "MONAI_CORTEX_DEV_DATA" not in os.environ or shutil.which("dwi2response") is None,
    reason="needs the development data (MONAI_CORTEX_DEV_DATA) and MRtrix3",
)
def test_real_scan_against_mrtrix(tmp_path):
    source = Path(os.environ["MONAI_CORTEX_DEV_DATA"]) / "mrtrix_msmt"
    folder = tmp_path / "s1"
    folder.mkdir()
    grad = ["-export_grad_mrtrix", "dwi.b"]
    run("mrconvert", source / "dwi.mif", "dwi.nii.gz", "-datatype", "float32", *grad, cwd=folder)
    run("mrconvert", source / "mask.mif", "mask.nii.gz", "-datatype", "uint8", cwd=folder)
    files = ["wm.txt", "gm.txt", "csf.txt"]
    options = ["-grad", "dwi.b", "-mask", "mask.nii.gz", "-erode", "0"]
    run("dwi2response", "dhollander", "dwi.nii.gz", *files, *options, cwd=folder)
    theirs = [torch.as_tensor(read_response(folder / name).coefficients) for name in files]
    data = LoadDiffusiond()(diffusion_subjects(folder)[0])
    ours = TissueResponsesd(tissues=["wm", "gm", "csf"])(data)["responses"]
    for found, expected in zip(ours, theirs, strict=True):
        signal = expected[:, 0] / expected[0, 0]
        torch.testing.assert_close(found[:, 0] / found[0, 0], signal, rtol=0.05, atol=0.03)
        assert found[0, 0].item() == pytest.approx(expected[0, 0].item(), rel=0.15)
    ratio, expected = ours[0, 1:, 1] / ours[0, 1:, 0], theirs[0][1:, 1] / theirs[0][1:, 0]
    torch.testing.assert_close(ratio, expected, rtol=0.25, atol=0)
