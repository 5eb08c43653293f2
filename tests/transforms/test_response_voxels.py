import pytest
import torch

from monai_cortex.errors import GradientError
from monai_cortex.transforms.response_voxels import (
    Volumes,
    decay_voxels,
    highest,
    low_shell_tensor,
    tensor_voxels,
)

FIBERS, MIXED, GRAY, FLUID = 400, 40, 260, 250  # voxels, in this order


@pytest.fixture(scope="module")
def axes(random_axes):
    return random_axes(FIBERS)


@pytest.fixture(scope="module")
def brain(tensor_signal, axes):
    """Noise-free fibers, gray matter mixed with fluid, gray matter and fluid, all voxels of a tissue different.

    Fibers are less and less anisotropic, from 0.87 to 0.4; mixed voxels are almost round, less and less so, and gray
    matter is less and less flat. Diffusivities rise, of mixed voxels from 1.1e-3 to 1.3e-3 mm^2/s, of gray matter from
    0.7e-3 to 0.9e-3, of fluid from 2.5e-3 to 3e-3.
    """

    def ramp(low, high, count):
        return torch.linspace(low, high, count, dtype=torch.float64)

    def simulate(scan):
        fibers = tensor_signal(scan, axes, 1.7e-3, ramp(0.2e-3, 0.8e-3, FIBERS))
        between, gray = ramp(1.1e-3, 1.3e-3, MIXED), ramp(0.7e-3, 0.9e-3, GRAY)
        mixed = tensor_signal(scan, axes[:MIXED], between * ramp(0.999, 0.99, MIXED), between)
        flat = tensor_signal(scan, axes[:GRAY], gray * ramp(0.9, 0.98, GRAY), gray)
        water = tensor_signal(scan, axes[:FLUID], ramp(2.5e-3, 3e-3, FLUID), ramp(2.5e-3, 3e-3, FLUID))
        return Volumes(100 * torch.cat([fibers, mixed, flat, water], 1).T, scan.bvalues, scan.directions, scan.shell)

    return simulate


@pytest.fixture(scope="module")
def one_shell(make_scan, brain):
    return brain(make_scan(1000.0))


@pytest.fixture(scope="module")
def two_shells(make_scan, brain):
    return brain(make_scan(1000.0, 3000.0))


def numbers(choice):
    return set(choice.voxels.tolist())


@pytest.mark.parametrize("choose", [tensor_voxels, decay_voxels])
def test_the_most_anisotropic_fibers_are_chosen_with_their_axes(two_shells, axes, choose):
    white = choose(two_shells)["wm"]
    assert white.voxels.tolist() == list(range(20))
    torch.testing.assert_close((white.axes * axes[:20]).sum(1).abs(), torch.ones(20, dtype=torch.float64))


def test_tensor_takes_the_roundest_tissue_and_the_fastest_fluid(one_shell):
    """A tenth of each, 30 of 300 round solid voxels and 25 of 250 fluid ones; mixed voxels are the roundest."""
    chosen = tensor_voxels(one_shell)
    gray, fluid = chosen["gm"], chosen["csf"]
    assert numbers(gray) == set(range(FIBERS, FIBERS + 30))
    assert fluid.voxels.tolist() == list(range(949, 924, -1))
    assert gray.axes is fluid.axes is None


@pytest.mark.parametrize("shells", [(1000.0,), (1000.0, 3000.0)])
def test_decay_leaves_mixtures_out(make_scan, brain, shells):
    """Gray matter comes from the middle of its class, which holds 300 voxels with the mixed ones."""
    chosen = decay_voxels(brain(make_scan(*shells)))
    gray = numbers(chosen["gm"])
    first = FIBERS + MIXED
    assert 20 <= len(gray) <= 30
    assert gray < set(range(first + GRAY // 2, first + GRAY))
    assert max(gray) - min(gray) == len(gray) - 1
    fluid = chosen["csf"].voxels.tolist()
    assert fluid == sorted(fluid, reverse=True)
    assert fluid[0] == 949
    assert chosen["gm"].axes is chosen["csf"].axes is None


def test_scale_and_order_of_the_voxels_do_not_matter(two_shells):
    order = torch.randperm(950, generator=torch.Generator().manual_seed(0))
    moved = two_shells._replace(signal=7 * two_shells.signal[order])
    for choose in (tensor_voxels, decay_voxels):
        expected, found = choose(two_shells), choose(moved)
        assert {t: set(order[c.voxels].tolist()) for t, c in found.items()} == {
            t: numbers(c) for t, c in expected.items()
        }


FIBER_VOXELS, GRAY_VOXELS, FLUID_VOXELS = range(FIBERS), range(440, 700), range(700, 950)
LEFT = {
    "fibers": ([*FIBER_VOXELS], {"wm"}),
    "nine of gray matter": ([*FIBER_VOXELS, *GRAY_VOXELS[:9]], {"wm"}),
    "no fluid": ([*FIBER_VOXELS, *GRAY_VOXELS], {"wm", "gm"}),
    "nine of fluid": ([*FIBER_VOXELS, *GRAY_VOXELS, *FLUID_VOXELS[-9:]], {"wm", "gm"}),
    "no gray matter": ([*FIBER_VOXELS, *FLUID_VOXELS], {"wm", "csf"}),
    "nine fibers": ([*FIBER_VOXELS[:9], *FLUID_VOXELS], {"csf"}),
    "nothing": ([], set()),
}


@pytest.mark.parametrize("choose", [tensor_voxels, decay_voxels])
@pytest.mark.parametrize("left", LEFT)
def test_tissues_of_too_few_voxels_are_left_out(two_shells, choose, left):
    kept, tissues = LEFT[left]
    assert set(choose(two_shells._replace(signal=two_shells.signal[kept]))) == tissues


@pytest.mark.parametrize(("count", "tissues"), [(9, {"wm"}), (10, {"wm", "gm"})])
def test_ten_voxels_are_enough(two_shells, count, tissues):
    kept = [*FIBER_VOXELS, *GRAY_VOXELS[:count]]
    assert set(tensor_voxels(two_shells._replace(signal=two_shells.signal[kept]))) == tissues


@pytest.mark.parametrize("count", [7, 12, 30])
@pytest.mark.parametrize("choose", [tensor_voxels, decay_voxels])
def test_voxels_without_signal_are_left_out(one_shell, choose, count):
    """Rounding must not make anisotropic tissue of them."""
    generator = torch.Generator().manual_seed(count)
    table = one_shell.part(torch.arange(98) < 2 + count)
    directions = torch.nn.functional.normalize(torch.randn(2 + count, 3, generator=generator).double(), dim=1)
    empty = table._replace(signal=torch.zeros(100, 2 + count, dtype=torch.float64), directions=directions)
    assert choose(empty) == {}


def test_too_few_directions_are_refused(one_shell):
    few = one_shell.part(torch.arange(98) < 7)
    with pytest.raises(GradientError, match="too few directions") as caught:
        tensor_voxels(few)
    assert "found: 5 weighted volumes" in str(caught.value)
    assert "expected: 6 directions" in str(caught.value)


@pytest.mark.parametrize(
    ("count", "chosen"), [(0, 0), (9, 0), (10, 10), (19, 19), (20, 20), (209, 20), (210, 21), (2990, 299), (3500, 300)]
)
def test_a_tenth_is_chosen_but_20_to_300(count, chosen):
    """Of twice as many voxels, of which every other one is a candidate."""
    score = torch.randn(2 * count, generator=torch.Generator().manual_seed(0))
    candidates = torch.arange(2 * count) % 2 == 1
    found = highest(score, candidates)
    assert len(found) == chosen
    assert candidates[found].all()
    expected = score[1::2].sort(descending=True).values[:chosen]
    torch.testing.assert_close(score[found], expected, rtol=0, atol=0)


def test_share_and_most_are_the_callers():
    score, candidates = torch.arange(1000.0), torch.ones(1000, dtype=torch.bool)
    assert highest(score, candidates, 0.5).tolist() == list(range(999, 699, -1))
    assert highest(score, candidates, 0.5, 450).tolist() == list(range(999, 549, -1))
    assert highest(torch.zeros(1000), candidates).tolist() == list(range(100))


@pytest.mark.parametrize(
    ("nside", "solid", "share"), [(4, 1, 0.1), (4, 208, 0.1), (4, 500, 2000 / 96 / 500), (4, 3000, 0.01), (1, 500, 0.1)]
)
def test_fibers_give_2000_measurements(make_scan, brain, nside, solid, share):
    assert brain(make_scan(1000.0, nside=nside)).fibers(solid) == pytest.approx(share)


@pytest.mark.parametrize(
    ("shells", "highest_low", "water"),
    [
        ((1000.0,), 1000, 2e-3),
        ((700.0, 1500.0, 1501.0), 1500, 2e-3),
        ((1600.0, 3000.0), 1600, 2e-3 * 1500 / 1600),
        ((3000.0,), 3000, 1e-3),
    ],
)
def test_tensor_is_of_the_low_shells(make_scan, brain, shells, highest_low, water):
    volumes = brain(make_scan(*shells))
    torch.testing.assert_close(volumes.low(), volumes.bvalues <= highest_low)
    assert volumes.water() == pytest.approx(water)
    diffusivity = torch.tensor([-1e-4, 0.0, 1e-4, 0.99 * min(water, 1.5e-3), 1.01 * min(water, 1.5e-3)])
    assert volumes.solid(diffusivity).tolist() == [False, False, True, True, False]


def test_tensor_of_the_low_shell_is_not_that_of_all(make_scan, tensor_signal, axes):
    """Above, kurtosis would lower the diffusivity, here by a floor of noise."""
    scan = make_scan(1000.0, 3000.0)
    signal = tensor_signal(scan, axes[:5]).T
    signal[:, scan.shell == 2] = 0.2
    fit = low_shell_tensor(Volumes(signal, scan.bvalues, scan.directions, scan.shell))
    torch.testing.assert_close(fit.diffusivity, torch.full((5,), 0.7e-3, dtype=torch.float64))


def test_all_shells_serve_where_the_low_one_has_too_few_directions(two_shells):
    kept = (two_shells.shell != 1) | (torch.arange(len(two_shells.shell)) < 2 + 5)
    assert two_shells.part(kept).low().all()
    kept[7] = True
    volumes = two_shells.part(kept)
    torch.testing.assert_close(volumes.low(), volumes.shell < 2)


@pytest.fixture
def classes(make_scan):
    """Isotropic voxels by the logarithms of their decay on two shells, all different within a class.

    Where the first shell decays more the second decays less, by three times as much.
    """
    scan = make_scan(1000.0, 2000.0)

    def simulate(*pairs):
        spread = [torch.linspace(-1e-3, 1e-3, count, dtype=torch.float64) for _, count in pairs]
        decay = torch.cat([d + s for (d, _), s in zip(pairs, spread, strict=True)])
        second = torch.cat([2 * d - 3 * s for (d, _), s in zip(pairs, spread, strict=True)])
        shells = torch.stack([torch.zeros_like(decay), decay, second], 1)
        return Volumes(100 * torch.exp(-shells[:, scan.shell]), scan.bvalues, scan.directions, scan.shell)

    return simulate


def test_decay_splits_mixtures_off_each_class(classes):
    """A tenth of the pure voxels: the 31 nearest the median of 319 of gray matter, the highest mean decays of 300."""
    chosen = decay_voxels(classes((0.3, 50), (0.8, 319), (1.2, 50), (2.2, 100), (3.0, 300)))
    assert numbers(chosen["gm"]) == set(range(50 + 144, 50 + 175))
    assert chosen["csf"].voxels.tolist() == list(range(519, 549))


def test_ten_voxels_of_fluid_must_be_left_when_mixtures_are_split_off(classes):
    volumes = classes((0.8, 100), (2.5, 9), (3.0, 9))
    assert set(tensor_voxels(volumes)) == {"wm", "gm", "csf"}
    assert set(decay_voxels(volumes)) == {"wm", "gm"}
