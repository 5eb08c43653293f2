"""Training pairs: changed at random, and pairs still."""

import pytest
import torch

from monai_cortex.data import cardiac_subjects
from monai_cortex.transforms import cardiac_preprocessing, cardiac_training_items, registration_pair_augmentation


def test_motion_stays_true(moving_pair, motion_error):
    transform = registration_pair_augmentation((14, 14), intensity=0.0).set_random_state(0)
    results = [transform(moving_pair) for _ in range(30)]
    assert max(map(motion_error, results)) < 1e-12
    assert max(motion_error(item, "true_inverse", "moving_image", "fixed_image") for item in results) < 1e-12
    assert {item["direction"] for item in results} == {"ed2es", "es2ed"}
    assert {item["valid"].shape for item in results} == {(1, 14, 14, 6)}


def test_intensities_of_each_image_by_itself(moving_pair):
    image = torch.linspace(-1, 1, 16 * 16 * 6).reshape(1, 16, 16, 6)
    valid = torch.ones(1, 16, 16, 6)
    valid[..., 5] = 0
    item = {"fixed_image": image, "moving_image": image.clone(), "valid": valid}
    transform = registration_pair_augmentation(None, flip=0.0, swap=0.0, intensity=1.0).set_random_state(0)
    result = transform(item)
    for key in ("fixed_image", "moving_image"):
        assert -1 <= result[key].min()
        assert result[key].max() <= 1
        assert (result[key][..., 5] == -1).all()
        assert 0.02 < (result[key] - image)[..., :5].abs().mean() < 0.6
    assert (result["fixed_image"] - result["moving_image"]).abs().mean() > 0.02


def test_nothing_where_nothing_is_wanted(moving_pair):
    result = registration_pair_augmentation(None, 0.0, 0.0, 0.0)(moving_pair)
    assert all(torch.equal(result[key].as_tensor(), moving_pair[key].as_tensor()) for key in ("valid", "fixed_image"))


@pytest.mark.parametrize("truth", [False, True])
def test_training_items(synthetic_hearts, truth):
    subjects = cardiac_subjects(synthetic_hearts)
    items = cardiac_training_items(subjects, cardiac_preprocessing(), {}, truth=truth)
    first, second = items[0], items[0]
    assert ("true_displacement" in first) == truth
    assert "fixed_full" not in first
    assert first["fixed_image"].shape == first["moving_label"].shape == (1, 96, 96, first["valid"].shape[-1])
    assert not torch.equal(first["fixed_image"].as_tensor(), second["fixed_image"].as_tensor())


def test_without_changes_items_stay_as_they_are(synthetic_hearts):
    items = cardiac_training_items(cardiac_subjects(synthetic_hearts), cardiac_preprocessing())
    assert items[0]["fixed_image"].shape[:3] == (1, 128, 128)
    assert torch.equal(items[0]["fixed_image"].as_tensor(), items[0]["fixed_image"].as_tensor())


def test_equal_seeds_give_equal_items(synthetic_hearts):
    def draw():
        items = cardiac_training_items(
            cardiac_subjects(synthetic_hearts),
            cardiac_preprocessing(),
            {"patch": (64, 64)},
        )
        items.transform.set_random_state(3)
        return [items[0]["moving_image"].as_tensor() for _ in range(3)]

    for one, other in zip(draw(), draw(), strict=True):
        assert torch.equal(one, other)
