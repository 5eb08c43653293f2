import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.metrics import orientation_difference

ONE = torch.ones(1, 1, 1, dtype=torch.bool)


def peaks(*vectors):
    """First peaks of voxels along the first axis, (3, P, 1, 1)."""
    return torch.tensor(vectors, dtype=torch.float64).T[:, :, None, None]


@pytest.mark.parametrize("degrees", [0, 1e-3, 24, 45, 89.999, 90])
@pytest.mark.parametrize("sign", [1, -1])
def test_angle_is_that_between_the_lines(degrees, sign):
    radian = math.radians(degrees)
    second = peaks([sign * 0.7 * math.cos(radian), 0, sign * 0.7 * math.sin(radian)])
    found = orientation_difference(peaks([2.0, 0, 0]), second, ONE)
    assert found.tolist() == pytest.approx([degrees], abs=1e-6)


@given(st.floats(0, 180), st.floats(1e-3, 1e3))
def test_angle_is_folded_at_ninety_and_ignores_amplitudes(degrees, amplitude):
    radian = math.radians(degrees)
    second = peaks([0, amplitude * math.cos(radian), amplitude * math.sin(radian)])
    found = orientation_difference(peaks([0, 0.2, 0]), second, ONE)
    assert found.item() == pytest.approx(min(degrees, 180 - degrees), abs=1e-5)


def test_missing_peaks_count_ninety_or_not_at_all():
    nan = math.nan
    first = peaks([1, 0, 0], [nan, nan, nan], [1, 0, 0], [nan, nan, nan], [0, 0, 0])
    second = peaks([1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [nan, nan, nan])
    found = orientation_difference(first, second, torch.ones(5, 1, 1, dtype=torch.bool))
    assert found.tolist() == [0, 90, 90]


def test_only_the_first_peaks_of_the_chosen_voxels_are_compared():
    first = torch.cat([peaks([1, 0, 0], [0, 1, 0], [0, 0, 1]), torch.full((6, 3, 1, 1), 7.0)])
    second = torch.cat([peaks([0, 1, 0], [0, 1, 1], [0, 0, 1]), torch.full((3, 3, 1, 1), math.nan)])
    where = torch.tensor([False, True, True]).view(3, 1, 1)
    assert orientation_difference(first, second, where).tolist() == pytest.approx([45, 0])
    assert orientation_difference(first, second, ~where).tolist() == pytest.approx([90])


def test_no_voxel_gives_no_angle():
    assert orientation_difference(peaks([1, 0, 0]), peaks([1, 0, 0]), ~ONE).shape == (0,)
