"""Parts of pairs that hold the heart."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import RandCropHeart, RandCropHeartD, RandCropHeartd, RandCropHeartDict

EDGES = st.tuples(st.integers(0, 15), st.integers(0, 15)).map(lambda ends: (min(ends), max(ends) + 1))


def test_part_holds_the_heart_and_stays_a_pair(moving_pair, motion_error, affine_error):
    keys = [key for key in moving_pair if key not in ("subject", "direction")]
    transform = RandCropHeartd(keys, patch=(12, 10)).set_random_state(0)
    starts = set()
    for _ in range(20):
        result = transform(moving_pair)
        assert all(result[key].shape[1:] == (12, 10, 6) for key in keys)
        for key in ("fixed_label", "moving_label"):
            assert result[key].sum() == moving_pair[key].sum()
        assert motion_error(result) < 1e-12
        assert affine_error(result["place"]) < 1e-12
        starts.add(tuple(line.start for line in transform.transform.part))
    assert len(starts) > 4


@settings(max_examples=100, deadline=None)
@given(EDGES, EDGES, st.integers(1, 20), st.integers(0, 100))
def test_box_is_within_the_part_or_the_part_within_the_box(i, j, size, seed):
    transform = RandCropHeart((size, size)).set_random_state(seed)
    part = transform(torch.zeros(1, 16, 16, 4), [i, j, (0, 4)])
    assert part.shape == (1, min(size, 16), min(size, 16), 4)
    for (first, end), line in zip((i, j), transform.part[:2], strict=True):
        assert (line.start <= first and end <= line.stop) or (first <= line.start and line.stop <= end)


def test_without_labels_the_part_lies_anywhere(moving_pair):
    data = {"fixed_image": moving_pair["fixed_image"]}
    transform = RandCropHeartd(patch=(4, 4, 2)).set_random_state(0)
    starts = []
    for _ in range(300):
        assert transform(data)["fixed_image"].shape == (1, 4, 4, 2)
        starts.append([line.start for line in transform.transform.part])
    ends = torch.tensor(starts)
    assert ends.amin(0).tolist() == [0, 0, 0]
    assert ends.amax(0).tolist() == [12, 12, 4]


def test_empty_labels_are_no_labels(moving_pair):
    moving_pair |= {key: moving_pair[key] * 0 for key in ("fixed_label", "moving_label")}
    assert RandCropHeartd(patch=(4, 4))(moving_pair)["fixed_image"].shape == (1, 4, 4, 6)


def test_memory_of_the_whole_is_released(moving_pair):
    part = RandCropHeart((4, 4))(moving_pair["fixed_image"])
    assert part.untyped_storage().nbytes() == part.numel() * 8


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="patch"):
        RandCropHeart((0, 4))


def test_pair_agrees(moving_pair):
    data = {key: moving_pair[key].as_tensor() for key in ("fixed_image", "place")}
    assert_pair_agrees(RandCropHeart((4, 4)), RandCropHeartd("fixed_image", patch=(4, 4)), data, "fixed_image")
    assert RandCropHeartD is RandCropHeartDict is RandCropHeartd
