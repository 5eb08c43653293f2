import sys

import pytest
import torch
from ignite.engine import Engine
from monai.utils import set_determinism

from monai_cortex.handlers import Session, plain_errors


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    plain_errors.cache_clear()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    plain_errors.cache_clear()
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


def draws(seed):
    """What the epochs of a run draw."""
    found = []
    engine = Engine(lambda *_: found.append(torch.rand(1).item()))
    Session(seed).attach(engine)
    engine.run([0, 1], max_epochs=2)
    return found


def test_equal_seeds_draw_equal_numbers_and_others_do_not():
    assert draws(7) == draws(7)
    assert not set(draws(7)) & set(draws(8))


def test_every_epoch_draws_its_own_numbers():
    assert len(set(draws(7))) == 4


def test_errors_are_plain_from_then_on():
    before = sys.excepthook
    Session(0)
    assert sys.excepthook is not before
