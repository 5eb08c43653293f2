import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_cortex.metrics import FiberDetection, FiberDetectionMetric, fiber_detection

RATES = FiberDetection._fields[:7]


def at(degrees, length=1.0):
    """A vector in the x-y plane."""
    radian = math.radians(degrees)
    return [length * math.cos(radian), length * math.sin(radian), 0.0]


def rows(*voxels):
    """Voxels of lists of vectors as (P, number, 3), filled up with zeros."""
    number = max(1, *(len(voxel) for voxel in voxels))
    return torch.tensor([[*voxel, *[[0.0] * 3] * (number - len(voxel))] for voxel in voxels], dtype=torch.float64)


def rotation(generator):
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    return q * r.diagonal().sign()


def brute_force(peaks, truth):
    """The definition, one voxel and one fiber at a time; fibers are neither merged nor small, peaks at most ten."""
    counts, errors, clean = [], [], []
    for threshold in [0.05 * k for k in range(1, 20)]:
        tp = fp = fn = successes = 0
        angles = []
        for found, slots in zip(peaks, truth, strict=True):
            fibers = [f for f in slots if np.linalg.norm(f) > 0]
            if not fibers:
                continue
            highest = max(np.linalg.norm(p) for p in found)
            kept = [p for p in found if np.linalg.norm(p) >= threshold * highest and highest > 0]
            table = [
                [math.degrees(math.acos(min(1, abs(f @ p) / np.linalg.norm(f) / np.linalg.norm(p)))) for p in kept]
                for f in fibers
            ]
            pairs = 0
            for line in table:
                for j, angle in enumerate(line):
                    nearest = angle == min(line) and angle == min(other[j] for other in table)
                    pairs += nearest and angle < 25
            tp, fn, fp = tp + pairs, fn + len(fibers) - pairs, fp + len(kept) - pairs
            angles.append(sum(min(line, default=90) for line in table) / len(table))
            successes += pairs == len(fibers) == len(kept)
        counts.append((tp, fp, fn))
        errors.append(sum(angles) / len(angles))
        clean.append(successes / len(angles))
    f1 = [2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts]
    best = f1.index(max(f1))
    tp, fp, fn = counts[best]
    points = sorted([(tp / (tp + fn), -tp / max(1, tp + fp)) for tp, fp, fn in counts] + [(0, -1), (1, 0)])
    area = sum((b[0] - a[0]) * -(a[1] + b[1]) / 2 for a, b in zip(points, points[1:], strict=False))
    return area, f1[best], errors[best], clean[best], fn / (tp + fn), fp / max(1, tp + fp), 0.05 * (best + 1)


def test_perfect_peaks():
    truth = rows([at(0, 0.6), at(70, 0.4)], [at(20, 1.0)], [])
    found = fiber_detection(-3 * truth, truth)
    assert found[:6] == pytest.approx((1, 1, 0, 1, 0, 0))
    torch.testing.assert_close(found.thresholds, torch.linspace(0.05, 0.95, 19, dtype=torch.float64))
    # The second fiber's peak has 2/3 of the amplitude: from threshold 0.70 on it is missed, two of three are found.
    torch.testing.assert_close(found.recall, torch.tensor([1.0] * 13 + [2 / 3] * 6, dtype=torch.float64))
    torch.testing.assert_close(found.precision, torch.ones(19, dtype=torch.float64))


def test_one_spurious_peak():
    """Two voxels of one fiber each; one has a second peak of amplitude 0.52, which is gone from threshold 0.55 on."""
    found = fiber_detection(rows([at(10), at(80, 0.52)], [at(0)]), rows([at(0)], [at(0)]))
    assert found.precision.tolist() == pytest.approx([2 / 3] * 10 + [1] * 9)
    assert found.recall.tolist() == [1] * 19
    assert found[:7] == pytest.approx((1, 1, 5, 1, 0, 0, 0.55))


def test_spurious_peak_as_high_as_the_true_one():
    found = fiber_detection(rows([at(10), at(80)], [at(0)]), rows([at(0)], [at(0)]))
    # Precision 2/3 at recall 1 at all thresholds: the area is that of the line from (0, 1) to (1, 2/3).
    assert found[:7] == pytest.approx((5 / 6, 4 / 5, 5, 1 / 2, 0, 1 / 3, 0.05))


def test_no_peak_is_ninety_degrees():
    found = fiber_detection(rows([], []), rows([at(0)], [at(0, 0.5), at(90, 0.5)]))
    assert found[:7] == (0, 0, 90, 0, 1, 0, 0.05)


def test_missing_peaks_of_one_voxel():
    found = fiber_detection(rows([at(0)], []), rows([at(4)], [at(0), at(60)]))
    assert found[:6] == pytest.approx(((1 + 1) / 2 / 3 + 2 / 3 / 2, 1 / 2, (4 + 90) / 2, 1 / 2, 2 / 3, 0))


@pytest.mark.parametrize(("degrees", "rate"), [(24, 1), (24.999, 1), (25.001, 0), (26, 0), (154, 0), (156, 1)])
def test_match_is_closer_than_25_degrees(degrees, rate):
    found = fiber_detection(rows([at(degrees)]), rows([at(0)]))
    assert (found.f1, found.success, found.fnr, found.fpr) == (rate, rate, 1 - rate, 1 - rate)
    assert found.angular_error == pytest.approx(min(degrees, 180 - degrees))
    assert fiber_detection(rows([at(26)]), rows([at(0)]), match_angle=27).f1 == 1


def test_match_is_mutual():
    """One peak between two fibers is the nearest of both, and finds one."""
    found = fiber_detection(rows([at(12)]), rows([at(0, 0.5), at(22, 0.5)]))
    assert found[1:6] == pytest.approx((2 / 3, (12 + 10) / 2, 0, 1 / 2, 0))
    # The nearest peak of the second fiber belongs to the first, so its other peak, at 24 degrees, is false.
    found = fiber_detection(rows([at(10), at(44)]), rows([at(0, 0.5), at(20.5, 0.5)]), merge_angle=0)
    assert (found.fnr, found.fpr) == (1 / 2, 1 / 2)


def test_equally_near_peaks_find_a_fiber_once():
    found = fiber_detection(rows([at(10), at(-10), at(-10)]), rows([at(0)]))
    assert (found.fnr, found.fpr) == (0, 2 / 3)


@pytest.mark.parametrize(("amplitude", "counted"), [(0.5 - 1e-5, 9), (0.5, 10), (0.5 + 1e-5, 10)])
def test_peak_as_high_as_the_threshold_counts(amplitude, counted):
    peaks = rows([at(0, 4.0), at(60, 4 * amplitude)]).float()
    assert (fiber_detection(peaks, rows([at(0)])).precision < 1).sum() == counted


def test_only_the_highest_peaks_count():
    peaks = rows([at(80, 0.7), at(40, 0.8), at(0, 1.0)])
    truth = rows([at(80, 0.5), at(0, 0.5)])
    assert fiber_detection(peaks, truth, number=2).recall.max() == 1 / 2
    assert fiber_detection(peaks, truth, number=1).precision.min() == 1
    assert fiber_detection(peaks, truth).recall.max() == 1
    assert fiber_detection(rows([at(80)] + [at(0, 2)] * 10), truth).recall.max() == 1 / 2


@pytest.mark.parametrize(("fraction", "count"), [(0.149, 1), (0.15, 1), (0.151, 2)])
def test_small_fibers_do_not_count(fraction, count):
    for truth in (rows([at(0, 0.8), at(60, fraction)]), rows([at(0, 0.8), at(60, fraction)]).float()):
        assert fiber_detection(rows([at(0)]), truth).fnr == pytest.approx(1 - 1 / count)
    assert fiber_detection(rows([at(0)]), truth, minimum_fraction=0.2).fnr == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_close_fibers_are_merged_before_small_ones_are_left_out(sign):
    truth = rows([at(0, 0.1), at(14, sign * 0.1), at(90, 0.6)])
    found = fiber_detection(rows([at(7), at(90)]), truth)
    assert (found.f1, found.success) == (1, 1)
    assert found.angular_error == pytest.approx(0, abs=1e-6)
    assert fiber_detection(rows([at(90)]), truth, merge_angle=13).f1 == 1
    assert fiber_detection(rows([at(7), at(90)]), truth, merge_angle=13).fpr == 1 / 2


def test_merged_axis_is_weighted_by_fractions():
    expected = math.degrees(math.atan2(0.2 * math.sin(math.radians(10)), 0.6 + 0.2 * math.cos(math.radians(10))))
    assert fiber_detection(rows([at(expected)]), rows([at(0, 0.6), at(10, 0.2)])).angular_error < 1e-6


def test_closest_fibers_merge_first():
    """0, 9 and 21 degrees: 0 and 9 become 4.5, from where 21 is 16.5 away; 9 and 21 would make 15."""
    truth = rows([at(21, 0.3), at(0, 0.3), at(9, 0.3)])
    found = fiber_detection(rows([at(4.5), at(21)]), truth)
    assert (found.f1, found.angular_error) == (1, pytest.approx(0, abs=1e-6))


def test_merging_goes_on_until_none_is_close():
    """0 and 9 become 4.5, which is 14.5 from 19: one fiber at a third of the sum of the angles, nearly."""
    found = fiber_detection(rows([at(28 / 3)]), rows([at(19, 0.1), at(0, 0.1), at(9, 0.1)]))
    assert (found.f1, found.angular_error) == (1, pytest.approx(0, abs=0.1))


voxel_lists = st.integers(0, 2**32 - 1).flatmap(
    lambda seed: st.tuples(st.just(seed), st.integers(1, 6), st.integers(1, 10), st.integers(1, 3))
)


def scene(seed, voxels, number, fibers):
    """Random peaks, half of them near fibers, some missing, and random fibers, some missing, the first never."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    truth, peaks = normal(voxels, fibers, 3), normal(voxels, number, 3)
    truth = torch.nn.functional.normalize(truth, dim=-1)
    near = truth[:, torch.arange(number) % fibers] + 0.3 * peaks
    peaks = torch.where(normal(voxels, number, 1) > 0, near, peaks) * (normal(voxels, number, 1) > -0.7)
    truth[:, 1:] *= normal(voxels, fibers - 1, 1) > -0.5
    truth[1:] *= normal(voxels - 1, 1, 1) > -1
    return peaks, truth


@settings(max_examples=60, deadline=None)
@given(voxel_lists)
@example((0, 300, 10, 3))
def test_result_is_the_definition(sizes):
    peaks, truth = scene(*sizes)
    found = fiber_detection(peaks, truth, merge_angle=0)
    assert found[:7] == pytest.approx(brute_force(peaks.numpy(), truth.numpy()), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(voxel_lists)
def test_order_sign_scale_and_axes_do_not_matter(sizes):
    peaks, truth = scene(*sizes)
    generator = torch.Generator().manual_seed(sizes[0] + 1)
    axes = rotation(generator)
    scale = torch.rand(len(peaks), 1, 1, generator=generator) + 0.5
    signs = torch.where(torch.rand(peaks.shape[:2], generator=generator) < 0.5, -1, 1)[..., None]
    moved_peaks = (signs * scale * peaks @ axes.T)[:, torch.randperm(peaks.shape[1], generator=generator)]
    moved_truth = -(truth @ axes.T)[:, torch.randperm(truth.shape[1], generator=generator)]
    order = torch.randperm(len(peaks), generator=generator)
    expected, found = fiber_detection(peaks, truth), fiber_detection(moved_peaks[order], moved_truth[order])
    assert found[:7] == pytest.approx(expected[:7], abs=1e-6)
    torch.testing.assert_close(found.recall, expected.recall)
    torch.testing.assert_close(found.precision, expected.precision)


FORMS = {
    "rows": lambda v: v.flatten(0, 2),
    "channel first": lambda v: v.flatten(-2).movedim(-1, 0),
    "channel last": lambda v: v,
    "array": lambda v: v.numpy(),
    "single precision": lambda v: v.float(),
    "image": lambda v: MetaTensor(v.flatten(-2).movedim(-1, 0)),
}


@pytest.fixture
def volume():
    peaks, truth = scene(0, 24, 5, 2)
    return peaks.unflatten(0, (2, 3, 4)), truth.unflatten(0, (2, 3, 4))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", FORMS)
def test_all_forms_give_the_same(volume, form, other):
    peaks, truth = volume
    found = fiber_detection(FORMS[form](peaks), FORMS[other](truth))
    assert found[:7] == pytest.approx(fiber_detection(peaks, truth)[:7], abs=1e-5)
    assert type(found.recall) is torch.Tensor
    assert type(found.f1) is float


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_vectors_that_are_not_finite_are_none(volume, value):
    peaks, truth = volume
    expected = fiber_detection(peaks, truth)
    assert (peaks == 0).all(-1).any()
    assert (truth == 0).all(-1).any()
    peaks[(peaks == 0).all(-1)], truth[(truth == 0).all(-1)] = value, value
    assert fiber_detection(peaks, truth)[:7] == expected[:7]


def test_whole_numbers_are_vectors_too():
    assert fiber_detection([[[3, 0, 0], [0, 2, 0]]], np.array([[[0, 1, 0]]])).threshold == 0.05


def test_only_voxels_of_the_mask_count(volume):
    peaks, truth = volume
    inside = torch.zeros(2, 3, 4, dtype=torch.bool)
    inside[1, :2] = True
    expected = fiber_detection(peaks[inside], truth[inside])
    assert expected[:7] != pytest.approx(fiber_detection(peaks, truth)[:7])
    for mask in (inside, inside[None].float(), inside.flatten(), inside.numpy()):
        assert fiber_detection(peaks, truth, mask)[:7] == expected[:7]


@pytest.mark.parametrize(
    ("peaks", "truth", "mask", "message"),
    [
        ((5, 3, 3), (4, 3, 3), None, r"peaks are on a grid of \(5,\) voxels, truth on \(4,\)"),
        ((6, 2, 3, 4), (3, 3, 2, 4), None, r"\(2, 3, 4\) voxels, truth on \(3, 2, 4\)"),
        ((6, 2, 3, 4), (23, 2, 3), None, r"truth on \(23,\)"),
        ((6, 2, 3, 4), (24, 2, 3), (2, 4, 3), r"mask on \(2, 4, 3\)"),
        ((7, 2, 3, 4), (24, 2, 3), None, r"peaks have shape .*got \(7, 2, 3, 4\)"),
        ((24, 2, 3), (24, 2, 4), None, r"truth have shape .*got \(24, 2, 4\)"),
        ((24, 0, 3), (24, 2, 3), None, "peaks have shape"),
        ((0, 2, 3, 4), (24, 2, 3), None, "peaks have shape"),
        ((3,), (24, 2, 3), None, "peaks have shape"),
    ],
)
def test_other_sizes_are_refused(peaks, truth, mask, message):
    with pytest.raises(ValueError, match=message):
        fiber_detection(torch.ones(peaks), torch.ones(truth), None if mask is None else torch.ones(mask))


def test_truth_without_fibers_is_refused():
    with pytest.raises(ValueError, match="no voxel has a fiber"):
        fiber_detection(rows([at(0)]), rows([at(0, 0.1)]))
    with pytest.raises(ValueError, match="no voxel has a fiber"):
        fiber_detection(rows([at(0)]), rows([at(0)]), torch.zeros(1))


@pytest.mark.parametrize("name", RATES)
def test_metric_is_the_mean_over_subjects(volume, name):
    peaks, truth = (FORMS["channel first"](v) for v in volume)
    subjects = [peaks, peaks.flip(1)], [truth, truth]
    expected = [getattr(fiber_detection(p, t), name) for p, t in zip(*subjects, strict=True)]
    for given_as in (list, torch.stack):
        metric = FiberDetectionMetric(name)
        assert metric(*(given_as(part) for part in subjects)).flatten().tolist() == pytest.approx(expected)
        assert metric.aggregate().item() == pytest.approx(sum(expected) / 2)
    metric.reset()
    metric([peaks], [truth])
    assert metric.aggregate().item() == pytest.approx(expected[0])


def test_metric_takes_options_and_a_known_name(volume):
    peaks, truth = (FORMS["channel first"](v) for v in volume)
    metric = FiberDetectionMetric("f1", match_angle=5.0)
    metric([peaks], [truth])
    assert metric.aggregate().item() == pytest.approx(fiber_detection(peaks, truth, match_angle=5).f1)
    with pytest.raises(ValueError, match="f1"):
        FiberDetectionMetric("f2")
    with pytest.raises(ValueError, match="peaks alone"):
        FiberDetectionMetric("f1")(peaks[None])
