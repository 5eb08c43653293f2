import math
import shutil

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.simulate import crossing_scene, simulate_diffusion, write_simulated_diffusion

NUMBERS = ("f1", "angular_error", "fpr")


@pytest.fixture(scope="module")
def peers(load_tool):
    return load_tool("evidence/deconvolution_peers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A crossing of 90 degrees with little noise."""
    place = tmp_path_factory.mktemp("scan") / "s1"
    write_simulated_diffusion(
        place, simulate_diffusion(1, "hardi_64", 100.0, scene=crossing_scene(0, 90), shape=(10, 10, 3))
    )
    return place


def test_truth_scores_its_own_fibers(peers, folder):
    found = peers.score_subject(folder, folder / "truth_wmfod.nii.gz", NUMBERS)
    assert found["f1"] > 0.97
    assert found["angular_error"] < 3


def test_peaks_have_the_amplitude_of_the_distribution(peers):
    axis = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    coefficients = real_harmonics(axis, 8, even=True)[:, None, None, None].float()
    (peaks,) = peers.peaks_of(coefficients, torch.ones(1, 1, 1, dtype=torch.bool))
    strongest = peaks[0]
    # A delta of degree 8 is 45 / (4 pi) high.
    assert strongest.norm().item() == pytest.approx(45 / (4 * math.pi), rel=1e-3)
    assert abs(strongest.double() @ axis).item() == pytest.approx(strongest.norm().item(), rel=1e-4)


@pytest.mark.parametrize("name", ["dipy CSD", "MRtrix3 csd", "RUMBA-TV (dipy)"])
def test_peers_find_a_clear_crossing(peers, folder, name):
    pytest.importorskip("dipy")
    if name.startswith("MRtrix3") and not shutil.which("dwi2fod"):
        pytest.skip("MRtrix3 is not installed")
    mask, fibers = peers.true_fibers(folder)
    found = peers.score(peers.peer_peaks(name, folder, mask), fibers, NUMBERS)
    assert found["f1"] > 0.85
    assert found["angular_error"] < 10
