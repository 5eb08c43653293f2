import math

import pytest
import torch

from monai_cortex.transforms.response_voxels import Volumes, low_shell_tensor, tensor_voxels
from monai_cortex.transforms.single_fiber_voxels import SingleFiberVoxels

CROSSINGS, SINGLES, GRAY, FLUID = 20, 20, 360, 50  # voxels, in this order
SINGLE = slice(CROSSINGS, CROSSINGS + SINGLES)


@pytest.fixture(scope="module")
def axes(random_axes):
    return random_axes(CROSSINGS + SINGLES)


@pytest.fixture(scope="module")
def volumes(make_scan, tensor_signal, axes):
    """Crossings at 60 degrees more anisotropic (0.75) than the single fibers (0.73), gray matter and fluid."""
    scan = make_scan(1000.0, 3000.0)
    first = axes[:CROSSINGS]
    across = torch.nn.functional.normalize(torch.linalg.cross(first, axes[SINGLE]), dim=1)
    second = first / 2 + math.sqrt(0.75) * across
    crossing = (tensor_signal(scan, first, 1.7e-3, 0.1e-3) + tensor_signal(scan, second, 1.7e-3, 0.1e-3)) / 2
    parts = [crossing, tensor_signal(scan, axes[SINGLE], 1.7e-3, 0.4e-3)]
    for diffusivity, count in ((0.8e-3, GRAY), (3e-3, FLUID)):
        parts.append(torch.exp(-diffusivity * scan.bvalues)[:, None].expand(-1, count))
    signal = 100 * torch.cat(parts, 1).T
    noise = torch.randn(signal.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Volumes(signal + 0.2 * noise, scan.bvalues, scan.directions, scan.shell)


@pytest.fixture(scope="module")
def choose(volumes):
    pytest.importorskip("dipy")
    return SingleFiberVoxels(volumes)


def numbers(choice):
    return set(choice.voxels.tolist())


def test_candidates_are_the_tenth_of_highest_anisotropy(volumes, choose):
    """Crossings first: a tensor cannot tell them from single fibers."""
    assert set(choose.candidates.tolist()) == set(range(CROSSINGS + SINGLES))
    anisotropy = low_shell_tensor(volumes).anisotropy
    assert anisotropy[:CROSSINGS].min() > anisotropy[SINGLE].max()
    assert numbers(tensor_voxels(volumes)["wm"]) == set(range(CROSSINGS))


def test_single_fibers_are_preferred_to_crossings_of_higher_anisotropy(volumes, choose):
    assert numbers(choose(volumes)["wm"]) == set(range(CROSSINGS, CROSSINGS + SINGLES))


def test_axes_lie_along_the_fibers(volumes, choose, axes):
    white = choose(volumes)["wm"]
    cosine = (white.axes * axes[white.voxels]).sum(1).abs()
    assert cosine.min() > math.cos(math.radians(1))
    assert white.axes.dtype == volumes.directions.dtype


def test_response_is_that_of_the_single_fibers(choose, make_scan, make_responses, volumes):
    """Of the highest shell: fitted to the chosen voxels, so it has their mean signal."""
    mean = volumes.signal[SINGLE][:, volumes.shell == 2].mean().item()
    assert choose.response.shape == (3, 5)
    assert choose.response[-1, 0].item() == pytest.approx(math.sqrt(4 * math.pi) * mean, rel=0.01)
    assert (choose.response[-1, :3].sign() == torch.tensor([1, -1, 1])).all()


def test_isotropic_tissues_are_those_of_the_tensor(volumes, choose):
    expected, found = tensor_voxels(volumes), choose(volumes)
    assert list(found) == ["wm", "gm", "csf"]
    for tissue in ("gm", "csf"):
        assert found[tissue].voxels.tolist() == expected[tissue].voxels.tolist()
        assert found[tissue].axes is None


def test_choice_from_part_of_the_volumes_keeps_to_single_fibers(volumes, choose):
    part = volumes.part(torch.arange(len(volumes.shell)) % 8 != 1)
    assert numbers(choose(part)["wm"]) == set(range(CROSSINGS, CROSSINGS + SINGLES))


def test_crossings_of_few_voxels_are_chosen_only_if_nothing_else_is_left(volumes):
    pytest.importorskip("dipy")
    few = volumes._replace(signal=volumes.signal[:CROSSINGS])
    assert numbers(SingleFiberVoxels(few)(few)["wm"]) == set(range(CROSSINGS))


@pytest.mark.parametrize("kept", [slice(0, 9), slice(CROSSINGS + SINGLES + GRAY, None)])
def test_white_matter_is_left_out_where_fewer_than_ten_voxels_are_solid(volumes, kept):
    pytest.importorskip("dipy")
    few = volumes._replace(signal=volumes.signal[kept])
    assert "wm" not in SingleFiberVoxels(few)(few)


def test_of_single_fibers_the_stronger_are_preferred(volumes):
    pytest.importorskip("dipy")
    signal = volumes.signal.clone()
    signal[:CROSSINGS] = 1.4 * signal[SINGLE]
    bright = volumes._replace(signal=signal)
    assert numbers(SingleFiberVoxels(bright)(bright)["wm"]) == set(range(CROSSINGS))
