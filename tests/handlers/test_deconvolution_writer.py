import json
import math

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import write_volume
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.handlers import DeconvolutionWriter
from monai_cortex.transforms import DeconvolutionMapsd

GRID = (4, 3, 3)
AFFINE = torch.tensor([[-2.0, 0, 0, 10], [0, 2, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1]], dtype=torch.float64)
AXIS = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)


@pytest.fixture(scope="module")
def item():
    """A subject with one fiber everywhere, explained up to an error of one in five volumes, on two shells."""
    generator = torch.Generator().manual_seed(0)
    design = torch.rand(5, 16, generator=generator)
    design[0, 1:15] = 0
    design[0, 0] = design[0, 15] = math.sqrt(4 * math.pi)
    fiber = torch.cat([real_harmonics(AXIS, 4, even=True).float(), torch.tensor([0.1])])
    prediction = fiber.view(-1, 1, 1, 1).expand(-1, *GRID).clone()
    dwi = torch.einsum("gn,nijk->gijk", design, prediction)
    dwi[2] += 0.2
    mask = torch.ones(1, *GRID)
    mask[:, 3] = 0
    data = {
        "subject": "s1",
        "sources": {"dwi": "s1/dwi.nii.gz", "bval": "s1/dwi.bval", "bvec": "s1/dwi.bvec"},
        "affine": AFFINE,
        "shells": torch.tensor([0.0, 999.6]),
        "shell": torch.tensor([0, 1, 1, 1, 1]),
        "nonfinite": 3,
        "gradient_notes": "vectors renormalized",
        "response_source": {"wm": "estimated", "csf": "estimated"},
        "pred": prediction,
        "dwi": dwi,
        "b0": 700 * dwi[:1],
        "design": design,
        "mask": mask,
        "scale": torch.full((1, *GRID), 2.0),
    }
    return DeconvolutionMapsd(peaks=2, amounts="predicted")(data)


@pytest.fixture(scope="module")
def written(item, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s1")
    return folder, DeconvolutionWriter("unused").write(item, folder)


def test_files_are_those_of_the_bundle(written):
    names = ["wmfod", "csf", "peaks", "residual"]
    expected = {f"{name}{suffix}" for name in names for suffix in (".nii.gz", ".json")} | {"qc.png"}
    assert {path.name for path in written[0].iterdir()} == expected
    assert (written[0] / "qc.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "volumes"), [("wmfod", 15), ("csf", 1), ("peaks", 6), ("residual", 1)])
def test_maps_lie_on_the_grid_of_the_scan(written, item, name, volumes):
    image = nib.load(written[0] / f"{name}.nii.gz")
    np.testing.assert_array_equal(image.affine, AFFINE.numpy())
    values = np.asarray(image.dataobj).reshape(*GRID, volumes)
    np.testing.assert_allclose(values, item[name].movedim(0, -1).numpy(), equal_nan=True)
    assert image.get_data_dtype() == np.float32


def test_sidecars_say_what_a_reader_must_know(written):
    notes = {
        name: json.loads((written[0] / f"{name}.json").read_text()) for name in ("wmfod", "csf", "peaks", "residual")
    }
    assert notes["wmfod"]["lmax"] == 4
    assert "MRtrix3" in notes["wmfod"]["convention"]
    assert "percent" in notes["residual"]["units"]
    assert "world axes" in notes["peaks"]["convention"]
    for note in notes.values():
        assert note["sources"] == ["s1/dwi.bval", "s1/dwi.bvec", "s1/dwi.nii.gz"]
        assert note["shells_s_per_mm2"] == [0, 1000]
        assert note["responses"] == {"wm": "estimated", "csf": "estimated"}


def test_metrics_are_measured_in_the_mask(written):
    """An error of 0.2 in one of five volumes is 100 * 0.2 / sqrt(5) percent of white matter at b = 0."""
    metrics = written[1]
    assert metrics["voxels"] == 27
    assert metrics["volumes"] == 5
    assert metrics["shells_s_per_mm2"] == [0, 1000]
    assert metrics["residual_percent"] == pytest.approx(20 / math.sqrt(5), abs=1e-3)
    assert "angle_to_csd_degree" not in metrics


def test_known_fibers_are_found_at_their_angle(item, tmp_path):
    """The one fiber everywhere is AXIS; the truth is turned away by 10 degrees in half of the voxels."""
    turned = torch.tensor(
        [math.sin(math.asin(0.6) + math.radians(10)), 0.0, math.cos(math.asin(0.6) + math.radians(10))]
    )
    fibers = AXIS.float().expand(*GRID, 3).clone()
    fibers[:, :, :1] = turned
    write_volume(tmp_path / "truth.nii.gz", fibers.numpy(), AFFINE.numpy())
    metrics = DeconvolutionWriter("unused").write(item | {"truth_fibers": str(tmp_path / "truth.nii.gz")}, tmp_path)
    assert metrics["fiber_f1"] == 1
    assert metrics["fiber_fpr"] == metrics["fiber_fnr"] == 0
    assert metrics["fiber_angular_error_degree"] == pytest.approx(10 / 3, abs=0.3)


def test_known_fibers_that_do_not_fit_are_refused_and_none_are_no_numbers(item, tmp_path):
    def measure(fibers):
        path = tmp_path / "truth.nii.gz"
        write_volume(path, fibers.astype(np.float32), AFFINE.numpy())
        return DeconvolutionWriter("unused").write(item | {"truth_fibers": str(path)}, tmp_path)

    with pytest.raises(InputFileError, match="do not fit"):
        measure(np.ones((3, 3, 3, 3)))
    outside = np.zeros((*GRID, 3))
    outside[3] = 1  # of the mask
    assert not any(name.startswith("fiber_") for name in measure(outside))


def test_another_method_is_compared_where_tissue_is_anisotropic(item, tmp_path):
    """In one of 27 voxels it is off by 90 degrees, in those of low anisotropy by more."""
    anisotropy = torch.full((1, *GRID), 0.7)
    anisotropy[:, 0] = 0.2
    across = torch.tensor([0.8, 0.0, -0.6])
    peaks = item["peaks"][:3].clone()
    peaks[:, 0] = across.view(3, 1, 1)
    peaks[:, 1, 1, 1] = 3 * across
    compared = {"csd": 0 * item["pred"], "csd_peaks": peaks, "csd_time": 1.23456, "anisotropy": anisotropy}
    metrics = DeconvolutionWriter("unused").write(item | compared, tmp_path)
    assert metrics["angle_to_csd_degree"] == pytest.approx(90 / 18, abs=1e-3)
    assert metrics["median_angle_to_csd_degree"] == pytest.approx(0, abs=0.01)
    assert metrics["csd_time_s"] == 1.235
    nothing = 100 * item["dwi"][:, :3].square().mean().sqrt().item()
    assert metrics["csd_residual_percent"] == pytest.approx(nothing, abs=1e-2)


def test_tissues_choose_the_files(item, tmp_path):
    only = {"pred": item["pred"][:15], "design": item["design"][:, :15]}
    DeconvolutionWriter("unused", tissues=["wm"]).write(item | only, tmp_path)
    assert not (tmp_path / "csf.nii.gz").exists()
    assert (tmp_path / "wmfod.nii.gz").is_file()
