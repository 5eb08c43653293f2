import numpy as np
import pytest
import torch

from monai_cortex.handlers.engine_output import losses, scalars, subjects


def test_only_single_numbers_are_scalars():
    values = {
        "a": 1,
        "b": torch.tensor([2.5]),
        "c": np.float32(0.5),
        "d": {"e": torch.tensor(3), "f": {"g": 4.0}},
        "h": torch.ones(2),
        "i": "text",
        "j": None,
    }
    assert scalars(values, "val/") == {"val/a": 1, "val/b": 2.5, "val/c": 0.5, "val/d/e": 3, "val/d/f/g": 4}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (torch.tensor(2.0), {"loss": 2}),
        (2.0, {"loss": 2}),
        ({"loss": torch.tensor(2.0), "pred": torch.ones(3)}, {"loss": 2}),
        ([{"loss": torch.tensor(2.0)}, {"loss": torch.tensor(2.0)}], {"loss": 2}),
        ({"loss": {"image": 1.0, "smoothness": torch.tensor(0.5)}}, {"loss/image": 1, "loss/smoothness": 0.5}),
        ({"pred": torch.ones(3)}, {}),
        (torch.ones(3), {}),
        ([], {}),
        (None, {}),
    ],
)
def test_loss_is_found_in_every_shape_of_output(output, expected):
    assert losses(output) == expected


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"subject": ["a", "b"]}, "a, b"),
        ([{"subject": "a"}, {"subject_id": "b"}, {"image": 1}], "a, b"),
        ({"subject": torch.tensor([1, 2])}, "tensor(1), tensor(2)"),
        ({"image": torch.ones(2)}, ""),
        (torch.ones(2), ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_subjects_of_a_batch(batch, expected):
    assert subjects(batch) == expected
