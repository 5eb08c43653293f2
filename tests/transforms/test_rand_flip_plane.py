"""Mirrored and transposed pairs are pairs still."""

import itertools

import pytest
import torch

from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import RandFlipPlane, RandFlipPlaneD, RandFlipPlaned, RandFlipPlaneDict

IMAGES = ("fixed_image", "moving_image", "fixed_label", "moving_label", "valid", "place")


@pytest.mark.parametrize("change", list(itertools.product([False, True], repeat=3)))
def test_displacement_still_takes_one_image_to_the_other(moving_pair, motion_error, affine_error, change):
    transform = RandFlipPlane()
    transform.mirrored, transform.exchanged = change[:2], change[2]
    result = {key: transform(moving_pair[key], randomize=False) for key in IMAGES}
    for key in ("true_displacement", "true_inverse"):
        result[key] = transform(moving_pair[key], vectors=True, randomize=False)
    assert motion_error(result) < 1e-12
    assert motion_error(result, "true_inverse", "moving_image", "fixed_image") < 1e-12
    assert affine_error(result["place"]) < 1e-12
    assert torch.equal(result["fixed_image"].as_tensor(), moving_pair["fixed_image"].as_tensor()) == (not any(change))


def test_twice_is_identity(moving_pair):
    transform = RandFlipPlane()
    transform.mirrored = (True, True)
    field = moving_pair["true_displacement"]
    twice = transform(transform(field, True, False), True, False)
    assert torch.equal(twice.as_tensor(), field.as_tensor())
    torch.testing.assert_close(torch.as_tensor(twice.affine), torch.as_tensor(field.affine))


def test_what_is_not_square_keeps_its_axes():
    transform = RandFlipPlane(prob=1.0)
    image = torch.rand(1, 4, 5, 3)
    assert torch.equal(transform(image), image.flip(1, 2))


def test_each_change_has_its_probability():
    transform = RandFlipPlane(0.3).set_random_state(0)
    draws = []
    for _ in range(1000):
        transform.randomize()
        draws.append([*transform.mirrored, transform.exchanged])
    shares = torch.tensor(draws).double().mean(0)
    assert ((shares - 0.3).abs() < 0.05).all()


def test_one_draw_for_the_whole_pair(moving_pair, motion_error):
    transform = RandFlipPlaned(prob=0.5).set_random_state(1)
    seen = set()
    for _ in range(20):
        result = transform(moving_pair)
        assert motion_error(result) < 1e-12
        assert result["subject"] == "a"
        seen.add((*transform.transform.mirrored, transform.transform.exchanged))
    assert len(seen) > 4
    again = RandFlipPlaned(prob=0.5).set_random_state(1)
    first = RandFlipPlaned(prob=0.5).set_random_state(1)(moving_pair)["valid"]
    assert torch.equal(again(moving_pair)["valid"], first)


def test_pair_agrees(moving_pair):
    data = {key: moving_pair[key].as_tensor() for key in ("fixed_image", "moving_image", "place")}
    assert_pair_agrees(RandFlipPlane(), RandFlipPlaned("fixed_image"), data, "fixed_image")
    assert RandFlipPlaneD is RandFlipPlaneDict is RandFlipPlaned
