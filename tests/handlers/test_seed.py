import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import RandGaussianNoised
from monai.utils import get_seed

from monai_cortex.handlers import SeedEpochs, seed_everything, start_session
from monai_cortex.handlers.error_messages import plain_errors


def draw():
    return torch.rand(2).tolist(), np.random.rand(2).tolist()  # noqa: NPY002


def test_equal_seeds_give_equal_numbers():
    assert seed_everything(5) == 5
    first = draw()
    seed_everything(6)
    second = draw()
    seed_everything(5)
    assert draw() == first != second
    assert get_seed() == 5
    assert torch.are_deterministic_algorithms_enabled()


def test_session_starts_with_seed_and_plain_errors(monkeypatch):
    monkeypatch.setattr("sys.excepthook", hook := lambda *_: None)
    plain_errors.cache_clear()
    assert start_session(3) == 3
    import sys

    assert sys.excepthook is not hook
    plain_errors.cache_clear()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_is_the_same_wherever_training_starts(training, workers):
    """Order of the data, random transforms and dropout; the reference is the second epoch of a run of two."""

    def losses(skip):
        run = training(epochs=2, handlers=[SeedEpochs(4)])
        noise = RandGaussianNoised("image", prob=1.0, mean=0.0, std=1.0)
        run.trainer.data_loader = DataLoader(
            Dataset(run.trainer.data_loader.dataset.data, noise), batch_size=2, shuffle=True, num_workers=workers
        )
        run.optimizer.param_groups[0]["lr"] = 0
        if skip:
            torch.rand(99)
            run.trainer.load_state_dict({"iteration": 3, "epoch_length": 3, "max_epochs": 2})
        run.trainer.run()
        return run.losses

    whole = losses(skip=False)
    assert len(whole) == 6
    assert losses(skip=True) == whole[3:]
    assert whole[:3] != whole[3:]
