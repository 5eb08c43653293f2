"""Exchanged pairs are pairs still."""

import torch

from monai_cortex.transforms import RandSwapPair, RandSwapPairD, RandSwapPaird, RandSwapPairDict


def test_all_that_belongs_to_the_images_is_exchanged(moving_pair, motion_error):
    result = RandSwapPaird(prob=1.0)(moving_pair)
    for one, other in (("fixed_image", "moving_image"), ("fixed_label", "moving_label")):
        assert torch.equal(result[one], moving_pair[other])
        assert torch.equal(result[other], moving_pair[one])
    assert motion_error(result) < 1e-12
    assert motion_error(result, "true_inverse", "moving_image", "fixed_image") < 1e-12
    assert result["direction"] == "es2ed"
    assert moving_pair["direction"] == "ed2es"


def test_half_of_a_pair_is_left_alone(moving_pair):
    del moving_pair["true_inverse"]
    result = RandSwapPaird(prob=1.0)(moving_pair)
    assert all(result[key] is moving_pair[key] for key in moving_pair)


def test_without_labels_images_are_exchanged(moving_pair):
    pair = {key: moving_pair[key] for key in ("fixed_image", "moving_image")} | {"direction": "moving2fixed"}
    result = RandSwapPaird(prob=1.0)(pair)
    assert result["fixed_image"] is pair["moving_image"]
    assert result["direction"] == "moving2fixed"


def test_probability_and_seed(moving_pair):
    def directions():
        transform = RandSwapPaird(prob=0.3).set_random_state(0)
        return [transform(moving_pair)["direction"] for _ in range(500)]

    assert 0.2 < directions().count("es2ed") / 500 < 0.4
    assert directions() == directions()
    assert RandSwapPaird(prob=0.0)(moving_pair)["direction"] == "ed2es"


def test_pair_agrees():
    array, dictionary = RandSwapPair(0.5).set_random_state(3), RandSwapPaird("a", "b", 0.5).set_random_state(3)
    for _ in range(10):
        result = dictionary({"a": 1, "b": 2})
        assert array(1, 2) == (result["a"], result["b"])
        assert array(1, 2, randomize=False) == (result["a"], result["b"])
    assert RandSwapPairD is RandSwapPairDict is RandSwapPaird
