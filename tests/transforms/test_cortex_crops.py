"""Crops of subjects: three of four in the ribbon, for validation always the same."""

import pytest
import torch
from monai.transforms import Transform

from monai_cortex.transforms import training_crops, validation_crops

SHAPE, PATCH = (40, 38, 36), 9


class Ball(Transform):
    """A thin shell as the ribbon, and coordinates as the image: a crop tells where it is from. Counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, item):
        self.calls += 1
        index = torch.stack(torch.meshgrid(*map(torch.arange, SHAPE), indexing="ij")).float()
        radius = (index - 18).norm(dim=0)
        ribbon = torch.where((radius - 9).abs() < 1, 1.0, -1.0)[None]
        number = (index[0] * 1600 + index[1] * 40 + index[2])[None]
        channels = {"image": number, "source": ribbon, "condition": torch.cat([index, ribbon])}
        return {**item, **channels, "ribbon": ribbon, "white": ["a mesh"]}


def crops(dataset):
    """Of all subjects: training gives a list for each, validation single crops."""
    items = [dataset[index] for index in range(len(dataset))]
    return [crop for item in items for crop in (item if isinstance(item, list) else [item])]


def test_crops_hold_the_channels_only():
    for kind in (training_crops, validation_crops):
        found = crops(kind([{"subject": "a"}], Ball(), PATCH, 2))
        assert len(found) == 2
        for crop in found:
            assert set(crop) == {"image", "source", "condition"}
            assert crop["image"].shape == crop["source"].shape == (1, PATCH, PATCH, PATCH)
            assert crop["condition"].shape == (4, PATCH, PATCH, PATCH)


def test_channels_of_a_crop_come_from_one_place():
    dataset = training_crops([{"subject": "a"}], Ball(), PATCH, 8)
    dataset.set_random_state(0) if hasattr(dataset, "set_random_state") else None
    for crop in crops(dataset):
        i, j, k = crop["condition"][:3]
        assert torch.equal(crop["image"][0], i * 1600 + j * 40 + k)
        assert torch.equal(crop["source"], crop["condition"][3:])


def test_three_of_four_are_centered_in_the_ribbon():
    dataset = training_crops([{"subject": "a"}], Ball(), PATCH, 50)
    found = [crop for _ in range(8) for crop in dataset[0]]
    middle = PATCH // 2
    share = sum(float(crop["source"][0, middle, middle, middle]) > 0 for crop in found) / len(found)
    assert share == pytest.approx(0.75, abs=0.08)


def test_training_crops_are_flipped_along_each_axis():
    found = crops(training_crops([{"subject": "a"}], Ball(), PATCH, 40))
    ways = torch.stack([crop["condition"][axis].diff(dim=axis).mean() for crop in found for axis in range(3)])
    ways = ways.reshape(-1, 3)
    assert set(ways.flatten().tolist()) == {-1.0, 1.0}
    assert ((ways > 0).float().mean(0) - 0.5).abs().max() < 0.3


def test_preprocessing_runs_once_for_each_subject():
    ball = Ball()
    dataset = training_crops([{"subject": "a"}, {"subject": "b"}], ball, PATCH, 2)
    for _ in range(3):
        crops(dataset)
    assert ball.calls == 2


def test_without_cache_it_runs_each_time():
    ball = Ball()
    dataset = training_crops([{"subject": "a"}], ball, PATCH, 2, cache_rate=0.0)
    before = ball.calls
    for _ in range(3):
        crops(dataset)
    assert ball.calls == before + 3


def test_training_crops_differ_each_time():
    dataset = training_crops([{"subject": "a"}], Ball(), PATCH, 2)
    assert not torch.equal(dataset[0][0]["image"], dataset[0][0]["image"])


def test_validation_crops_are_always_the_same_and_not_flipped():
    data = [{"subject": "a"}, {"subject": "b"}]
    torch.manual_seed(1)
    dataset = validation_crops(data, Ball(), PATCH, 4)
    first = crops(dataset)
    torch.manual_seed(2)
    for again in (crops(dataset), crops(validation_crops(data, Ball(), PATCH, 4))):
        for one, other in zip(first, again, strict=True):
            assert torch.equal(one["image"], other["image"])
    for crop in first:
        assert all((crop["condition"][axis].diff(dim=axis) > 0).all() for axis in range(3))
    assert not torch.equal(first[0]["image"], first[1]["image"])


def test_subjects_without_a_condition_are_cropped_too():
    class Bare(Ball):
        def __call__(self, item):
            return {name: value for name, value in super().__call__(item).items() if name != "condition"}

    for kind in (training_crops, validation_crops):
        assert set(crops(kind([{"subject": "a"}], Bare(), PATCH, 1))[0]) == {"image", "source"}


def test_brains_smaller_than_a_crop_are_continued_outwards():
    """Zeros would be cortex to the network, and crops of several sizes make no batch."""
    for kind in (training_crops, validation_crops):
        for crop in crops(kind([{"subject": "a"}], Ball(), 48, 3)):
            assert crop["condition"].shape == (4, 48, 48, 48)
            assert crop["source"].unique().tolist() == [-1, 1]
