import math

import pytest
import torch

from monai_cortex.errors import GradientError
from monai_cortex.geometry.harmonics import even_count, fit_degree, real_harmonics
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import ShellHarmonics, ShellHarmonicsD, ShellHarmonicsd, ShellHarmonicsDict


def test_constant_shells_keep_their_means(make_scan):
    """The smoothing leaves degree 0 alone, so constants are exact for any directions."""
    scan = make_scan(1000.0, 2000.0)
    dwi = torch.tensor([5.0, 3.0, 0.5], dtype=torch.float64)[scan.shell].view(-1, 1, 1, 1).expand(-1, 2, 1, 3)
    features = ShellHarmonics()(dwi, scan.directions, scan.shell, scan.shells)
    assert features.shape == (3 * 45, 2, 1, 3)
    expected = torch.zeros(3, 45, 2, 1, 3, dtype=torch.float64)
    expected[:, 0] = math.sqrt(4 * math.pi) * torch.tensor([5.0, 3.0, 0.5]).double().view(3, 1, 1, 1)
    torch.testing.assert_close(features.unflatten(0, (3, 45)), expected, atol=1e-10, rtol=0)


def test_volumes_at_b0_are_averaged(make_scan):
    scan = make_scan(1000.0)
    dwi = torch.zeros(len(scan.shell), 1, 1, 1)
    dwi[0], dwi[1] = 1.0, 4.0
    features = ShellHarmonics(degree=2)(dwi, scan.directions, scan.shell, scan.shells)
    torch.testing.assert_close(features[:, 0, 0, 0], 2.5 * math.sqrt(4 * math.pi) * torch.eye(12)[0])


def test_shell_signal_of_degree_two_comes_back_smoothed_by_less_than_two_percent(make_scan):
    scan = make_scan(1000.0)
    coefficients = torch.tensor([2.0, 0.1, -0.3, 0.2, 0.5, -0.1], dtype=torch.float64)
    weighted = scan.shell == 1
    dwi = torch.ones(len(scan.shell), 1, 1, 1, dtype=torch.float64)
    dwi[weighted, 0, 0, 0] = real_harmonics(scan.directions[weighted], 2, even=True) @ coefficients
    features = ShellHarmonics(degree=4)(dwi, scan.directions, scan.shell, scan.shells)[15:, 0, 0, 0]
    ratio = features[1:6] / coefficients[1:]
    assert ratio.min() > 0.95  # penalty 0.006 * 36 against 96 / (4 pi) = 7.6 samples a sr
    assert ratio.max() < 0.99


@pytest.mark.parametrize(("kept", "degree"), [(96, 8), (48, 8), (47, 6), (29, 4), (28, 4), (15, 2), (6, 0)])
def test_degree_falls_with_the_number_of_directions(make_scan, kept, degree):
    scan = make_scan(1000.0)
    assert fit_degree(kept) >= degree
    generator = torch.Generator().manual_seed(0)
    chosen = torch.cat([torch.arange(2), 2 + torch.randperm(96, generator=generator)[:kept]])
    dwi = torch.rand(2 + kept, 1, 1, 1, generator=generator)
    features = ShellHarmonics()(dwi, scan.directions[chosen], scan.shell[chosen], scan.shells)[45:, 0, 0, 0]
    assert features.shape == (45,)
    count = even_count(degree)
    assert (features[count:] == 0).all()
    assert (features[:count] != 0).all()


@pytest.mark.parametrize("found", [[0.0, 1000.0], [5.0, 999.0], [0.0, 1010.0], [0.0, 1080.0], [0.0, 920.0]])
def test_trained_shells_are_accepted_within_tolerance(make_scan, found):
    scan = make_scan(1000.0, nside=1)
    dwi = torch.ones(len(scan.shell), 1, 1, 1)
    assert ShellHarmonics([0, 1000])(dwi, scan.directions, scan.shell, torch.tensor(found)).shape == (90, 1, 1, 1)


def test_high_shell_is_accepted_within_tolerance(make_scan):
    scan = make_scan(1000.0, 3000.0, nside=1)
    found = torch.tensor([0.0, 999.0, 2999.0])
    dwi = torch.ones(len(scan.shell), 1, 1, 1)
    assert len(ShellHarmonics([0, 1000, 3000], degree=2)(dwi, scan.directions, scan.shell, found)) == 18


@pytest.mark.parametrize("found", [[0.0, 2000.0], [0.0, 1081.0], [0.0, 919.0], [0.0, 1000.0, 2999.0], [0.0]])
def test_other_shells_are_refused_with_both_values(make_scan, found):
    scan = make_scan(1000.0, nside=1)
    dwi = torch.ones(len(scan.shell), 1, 1, 1)
    with pytest.raises(GradientError) as caught:
        ShellHarmonics([0, 1000])(dwi, scan.directions, scan.shell, torch.tensor(found))
    message = str(caught.value)
    assert str([round(b) for b in found]) in message
    assert "[0, 1000]" in message
    assert "80" in message


def test_pair_agrees(make_scan):
    scan = make_scan(1000.0)
    dwi = torch.rand(len(scan.shell), 2, 1, 2, generator=torch.Generator().manual_seed(0))
    data = {"dwi": dwi, "directions": scan.directions, "shell": scan.shell, "shells": scan.shells}
    transform = ShellHarmonicsd(shells=[0, 1000], degree=6)
    assert_pair_agrees(lambda x: x, transform, data, "dwi")
    expected = ShellHarmonics(degree=6)(dwi, scan.directions, scan.shell, scan.shells)
    assert expected.dtype == torch.float32
    torch.testing.assert_close(transform(data)["features"], expected)
    with pytest.raises(GradientError):
        ShellHarmonicsd(shells=[0, 3000])(data)
    assert ShellHarmonicsD is ShellHarmonicsDict is ShellHarmonicsd
