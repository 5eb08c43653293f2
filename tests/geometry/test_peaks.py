import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.healpix import healpix_directions
from monai_cortex.geometry.peaks import fiber_peaks

DEGREE = 12
AXES = torch.eye(3, dtype=torch.float64)
component = st.floats(-1, 1, allow_subnormal=False)
directions = st.one_of(
    st.sampled_from(AXES.tolist()),
    st.tuples(component, component, component).filter(lambda v: sum(c * c for c in v) > 1e-2),
).map(lambda v: torch.nn.functional.normalize(torch.tensor(v, dtype=torch.float64), dim=0))


def fod(fibers, weights, degree=DEGREE, width=60.0):
    """Sum of smoothed deltas, nearly free of side lobes, as a column (n, 1)."""
    band = harmonic_degrees(degree, even=True).double()
    basis = real_harmonics(fibers, degree, even=True) * (-band * (band + 1) / width).exp()
    return (torch.as_tensor(weights, dtype=torch.float64) @ basis)[:, None]


def evaluate(coefficients, where):
    degree = int((math.sqrt(8 * len(coefficients) + 1) - 3) / 2)
    return real_harmonics(where, degree, even=True) @ coefficients


def degrees_between(a, b):
    """Angle between lines, accurate near zero."""
    a, b = torch.broadcast_tensors(a, b)
    return torch.rad2deg(torch.atan2(torch.linalg.cross(a, b, dim=-1).norm(dim=-1), (a * b).sum(-1).abs()))


def ring(center, angle):
    """24 unit vectors at an angle [deg] around each center, (..., 24, 3)."""
    helper = AXES[center.abs().argmin(-1)]
    u = torch.nn.functional.normalize(torch.linalg.cross(center, helper, dim=-1), dim=-1)
    v = torch.linalg.cross(center, u, dim=-1)
    turn = torch.arange(24, dtype=torch.float64)[:, None] * math.pi / 12
    tangent = u[..., None, :] * turn.cos() + v[..., None, :] * turn.sin()
    return center[..., None, :] * math.cos(math.radians(angle)) + tangent * math.sin(math.radians(angle))


def random_fods(count):
    generator = torch.Generator().manual_seed(3)
    points = torch.nn.functional.normalize(torch.randn(count, 3, 3, generator=generator).double(), dim=-1)
    weights = 0.3 + torch.rand(count, 3, generator=generator).double()
    return torch.cat([fod(p, w) for p, w in zip(points, weights, strict=True)], 1)


@given(direction=directions, degree=st.sampled_from([4, 6, 8, 12]))
@settings(deadline=None, max_examples=50)
def test_band_limited_delta_is_found_within_a_tenth_of_a_degree(direction, degree):
    peaks = fiber_peaks(real_harmonics(direction, degree, even=True)[:, None])
    assert degrees_between(peaks.directions[0, 0].double(), direction) < 0.1
    height = (degree + 1) * (degree + 2) / (8 * math.pi)
    assert peaks.amplitudes[0, 0].item() == pytest.approx(height, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_orthogonal_fibers_are_found_exactly_and_sorted(seed, rotation_matrix):
    """At 90 deg an even kernel is flat, so neither fiber moves the peak of another."""
    fibers, weights = rotation_matrix(seed), [0.4, 1.0, 0.6]
    peaks = fiber_peaks(fod(fibers, weights), relative_threshold=0.2)
    order = [1, 2, 0]
    assert peaks.directions.shape == (1, 5, 3)
    assert peaks.amplitudes.shape == (1, 5)
    assert (degrees_between(peaks.directions[0, :3].double(), fibers[order]) < 0.1).all()
    along, across = evaluate(fod(AXES[:1], [1.0]), AXES[[0, 1]])[:, 0]
    expected = torch.tensor([weights[i] * along + (2.0 - weights[i]) * across for i in order], dtype=torch.float64)
    torch.testing.assert_close(peaks.amplitudes[0, :3].double(), expected, atol=0, rtol=1e-3)
    assert (peaks.amplitudes[0, 3:] == 0).all()
    assert (peaks.directions[0, 3:] == 0).all()


def test_peaks_are_local_maxima_that_report_their_own_height():
    coefficients = random_fods(12)
    peaks = fiber_peaks(coefficients)
    values, around = torch.zeros_like(peaks.amplitudes), []
    for voxel, column in enumerate(coefficients.T):
        where = peaks.directions[voxel].double()
        present = peaks.amplitudes[voxel] > 0
        torch.testing.assert_close(
            where[present].norm(dim=-1), torch.ones(int(present.sum())).double(), atol=1e-6, rtol=0
        )
        values[voxel][present] = evaluate(column, where[present]).to(values)
        around.append((evaluate(column, ring(where[present], 1.0)).amax(-1) / evaluate(column, where[present])).max())
    torch.testing.assert_close(values, peaks.amplitudes, atol=0, rtol=1e-5)
    assert torch.stack(around).max() < 1 + 1e-5


def test_first_peak_is_the_global_maximum():
    coefficients = random_fods(12)
    peaks = fiber_peaks(coefficients)
    highest = evaluate(coefficients, healpix_directions(32)).amax(0)
    assert (peaks.amplitudes[:, 0].double() > highest * (1 - 1e-5)).all()
    assert (peaks.amplitudes.diff(dim=1) <= 0).all()


def test_no_fiber_is_reported_twice():
    peaks = fiber_peaks(random_fods(12), relative_threshold=0.0)
    for where, amplitude in zip(*peaks, strict=True):
        found = where[amplitude > 0].double()
        apart = degrees_between(found[:, None], found) + 180 * torch.eye(len(found))
        assert len(found) < 2 or apart.min() >= 25 - 0.2


@pytest.mark.parametrize(("threshold", "count"), [(0.3, 3), (0.5, 2), (0.7, 1)])
def test_threshold_is_relative_to_the_largest_peak(threshold, count):
    coefficients = fod(AXES, [0.4, 1.0, 0.6])
    for scale in (1.0, 1e-3, 50.0):
        peaks = fiber_peaks(scale * coefficients, relative_threshold=threshold)
        assert (peaks.amplitudes > 0).sum() == count


@pytest.mark.parametrize(("separation", "count"), [(25.0, 2), (55.0, 2), (65.0, 1)])
def test_of_two_close_peaks_the_larger_one_stays(separation, count):
    fibers = torch.tensor([[1, 0, 0], [0.5, math.sqrt(0.75), 0]], dtype=torch.float64)
    peaks = fiber_peaks(fod(fibers, [0.7, 1.0]), relative_threshold=0.3, separation=separation)
    assert (peaks.amplitudes > 0).sum() == count
    assert degrees_between(peaks.directions[0, 0].double(), fibers[1]) < 2


@pytest.mark.parametrize("number", [1, 2, 5, 8])
def test_number_limits_the_peaks(number):
    peaks = fiber_peaks(fod(AXES, [0.4, 1.0, 0.6]), number=number, relative_threshold=0.2)
    assert peaks.directions.shape == (1, number, 3)
    assert (peaks.amplitudes > 0).sum() == min(number, 3)
    assert degrees_between(peaks.directions[0, 0].double(), AXES[1]) < 0.1


def test_voxels_do_not_see_each_other():
    coefficients = random_fods(4)
    coefficients[:, 2] = 0
    together = fiber_peaks(coefficients)
    for voxel in range(4):
        alone = fiber_peaks(coefficients[:, voxel : voxel + 1])
        torch.testing.assert_close(alone.amplitudes[0], together.amplitudes[voxel])
        torch.testing.assert_close(alone.directions[0], together.directions[voxel], atol=1e-5, rtol=0)
    assert (together.amplitudes[2] == 0).all()
    assert (together.directions[2] == 0).all()


def test_negative_functions_have_no_peaks():
    coefficients = torch.zeros(45, 1, dtype=torch.float64)
    coefficients[0] = -1
    assert (fiber_peaks(coefficients).amplitudes == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_peaks_turn_with_the_function(seed, rotation_matrix):
    rotation = rotation_matrix(seed)
    fibers = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0.1], [0.1, -1.0, 0.7]]).double(), dim=1)
    before, after = (fiber_peaks(fod(f, [1.0, 0.8]), relative_threshold=0.5) for f in (fibers, fibers @ rotation.T))
    turned = before.directions[0, :2].double() @ rotation.T
    assert (degrees_between(turned, after.directions[0, :2].double()) < 0.2).all()
    torch.testing.assert_close(before.amplitudes, after.amplitudes, atol=0, rtol=1e-4)


def test_single_precision_is_enough():
    single, double = (fiber_peaks(random_fods(4).to(t)) for t in (torch.float32, torch.float64))
    torch.testing.assert_close(single.amplitudes[:, 0].double(), double.amplitudes[:, 0].double(), atol=0, rtol=1e-4)
    assert (degrees_between(single.directions[:, 0].double(), double.directions[:, 0].double()) < 0.1).all()


@pytest.mark.parametrize("count", [2, 3, 10, 44])
def test_wrong_number_of_coefficients_is_refused(count):
    with pytest.raises(ValueError, match=str(count)):
        fiber_peaks(torch.ones(count, 1))
