import math

import pytest
import torch
from ignite.engine import Engine

from monai_cortex.errors import TrainingError
from monai_cortex.handlers import CheckpointWriter, StopOnNonFinite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_training_stops_in_the_iteration_and_names_it(training, value):
    run = training(handlers=[StopOnNonFinite()])
    run.network.hook = lambda: run.network.layer[2].bias.data.fill_(value) if len(run.losses) == 4 else None
    with pytest.raises(TrainingError, match="epoch 2, iteration 5") as caught:
        run.trainer.run()
    assert len(run.losses) == 5
    ids = run.trainer.state.batch["subject"]
    assert len(ids) == 2
    assert f"subject {', '.join(ids)}" in str(caught.value)


def test_weights_stay_finite_and_the_last_checkpoint_good(training, tmp_path):
    """Label and not weight is at fault, so a stop before the backward pass saves the weights."""
    run = training(handlers=[StopOnNonFinite()])
    CheckpointWriter(tmp_path, run.save).attach(run.trainer)
    run.trainer.loss_function = lambda p, y: run.loss(p, y) * (math.nan if len(run.losses) == 5 else 1)
    with pytest.raises(TrainingError):
        run.trainer.run()
    assert all(torch.isfinite(value).all() for value in run.network.state_dict().values())
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["trainer"]["iteration"] == 3
    assert not (tmp_path / "model.pt").exists()


def test_plain_engines_are_watched_too():
    engine = Engine(lambda engine, batch: math.nan if batch == 2 else 1.0)
    StopOnNonFinite().attach(engine)
    with pytest.raises(TrainingError, match="iteration 3"):
        engine.run([0, 1, 2, 3])


def test_a_part_of_the_loss_is_enough():
    engine = Engine(lambda engine, batch: {"loss": {"image": 1.0, "smoothness": math.inf}})
    StopOnNonFinite().attach(engine)
    with pytest.raises(TrainingError, match="loss/smoothness inf"):
        engine.run([0])


def test_finite_training_goes_through(training):
    run = training(handlers=[StopOnNonFinite()])
    run.trainer.run()
    assert len(run.losses) == 6
