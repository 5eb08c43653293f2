import pytest
import torch

from monai_cortex.handlers import TrainingHistory


class Loss(torch.nn.Module):
    """A loss that tells its terms."""

    def forward(self, prediction, label):
        fit, size = (prediction - label).square().mean(), prediction.abs().mean()
        self.latest = {"fit": fit.detach(), "size": size.detach()}
        return fit + 0.1 * size


def test_each_step_is_recorded_with_its_loss(training):
    history = TrainingHistory()
    run = training(epochs=2, handlers=[history])
    run.trainer.run()
    assert [row["step"] for row in history.records] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in history.records] == pytest.approx(run.losses)
    assert history.records[0].keys() == {"step", "loss", "learning_rate"}


def test_learning_rate_is_that_of_the_step(training):
    history = TrainingHistory()
    run = training(epochs=2, handlers=[history])

    @run.trainer.on("EPOCH_COMPLETED")
    def decay(_):
        run.lr_scheduler.step()

    run.trainer.run()
    assert [row["learning_rate"] for row in history.records] == pytest.approx([0.01] * 3 + [0.005] * 3)


def test_terms_of_the_loss_are_recorded(training):
    history = TrainingHistory()
    run = training(epochs=1, handlers=[history])
    run.trainer.loss_function = Loss()
    run.trainer.run()
    assert len(history.records) == 3
    for row in history.records:
        assert row["loss"] == pytest.approx(row["fit"] + 0.1 * row["size"])
        assert all(isinstance(value, (int, float)) for value in row.values())


def test_output_may_be_one_mapping_for_the_batch(training):
    """MONAI's trainer gives a list of items, or this where decollate is off."""
    history = TrainingHistory()
    run = training(epochs=1)

    @run.trainer.on("ITERATION_COMPLETED")
    def collate(engine):
        items = engine.state.output
        assert isinstance(items, list)
        engine.state.output = items[0]
        history(engine)
        engine.state.output = items

    run.trainer.run()
    assert [row["loss"] for row in history.records] == pytest.approx(run.losses)
