import copy
import math
import os
import signal
import time

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import CheckpointLoader, LrScheduleHandler, StatsHandler

from monai_cortex.errors import CheckpointError, ResourceError, TrainingError
from monai_cortex.handlers import CheckpointWriter, ResumeTraining, SeedEpochs, load_weights


def read(path):
    return torch.load(path, weights_only=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def start(training, folder, epochs=2, resume=False, seed=0, **options):
    """A training with everything that a bundle has; returned before it runs."""
    run = training(epochs, [SeedEpochs(3)], seed=seed, **options)
    ResumeTraining(folder, run.save, enabled=resume).attach(run.trainer)
    CheckpointWriter(folder, run.save).attach(run.trainer)
    LrScheduleHandler(run.lr_scheduler, print_lr=False).attach(run.trainer)
    return run


def test_a_training_leaves_model_and_checkpoint(training, tmp_path):
    run = start(training, tmp_path)
    run.trainer.run()
    assert names(tmp_path) == ["checkpoint.pt", "model.pt", "model.pt.json"]
    assert equal(read(tmp_path / "model.pt"), dict(run.network.state_dict()))
    content = read(tmp_path / "checkpoint.pt")
    kept = {"trainer", "seed", "tracking_run", "random_state", "exact", "bundle"}
    assert set(content) == {"network", "optimizer", "lr_scheduler"} | kept
    assert content["trainer"]["iteration"] == 6
    assert content["lr_scheduler"]["last_epoch"] == 2  # the scheduler that was attached later has made its step
    assert content["seed"] is not None
    assert str(tmp_path).encode() not in (tmp_path / "checkpoint.pt").read_bytes()
    load_weights(training().network, tmp_path / "model.pt")
    load_weights(training().network, tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_training_equals_an_uninterrupted_one(training, tmp_path, workers):
    whole = start(training, tmp_path / "whole", 4, num_workers=workers)
    whole.trainer.run()
    start(training, tmp_path / "parts", 2, num_workers=workers).trainer.run()
    rest = start(training, tmp_path / "parts", 4, resume=True, seed=99, num_workers=workers)
    rest.trainer.run()
    assert rest.trainer.state.epoch == 4
    assert rest.losses == whole.losses[6:]
    assert equal(read(tmp_path / "parts" / "model.pt"), read(tmp_path / "whole" / "model.pt"))
    assert rest.optimizer.param_groups[0]["lr"] == whole.optimizer.param_groups[0]["lr"] == 0.01 / 16


def test_a_training_begins_with_the_weights_it_is_given(training, tmp_path):
    start(training, tmp_path / "first").trainer.run()
    given, run = tmp_path / "first" / "model.pt", training(1, seed=7)
    seen = []
    ResumeTraining(tmp_path, run.save, enabled=False, start=given).attach(run.trainer)
    run.trainer.add_event_handler(Events.EPOCH_STARTED, lambda _: seen.append(copy.deepcopy(run.network.state_dict())))
    run.trainer.run()
    assert equal(seen[0], read(given))
    unlike = training(1, seed=7)
    ResumeTraining(tmp_path, unlike.save, enabled=False, start="null").attach(unlike.trainer)
    unlike.trainer.run()
    assert not equal(read(given), dict(unlike.network.state_dict()))


def test_weights_to_begin_with_must_fit(training, tmp_path):
    run = training()
    torch.save({"other": torch.zeros(2)}, tmp_path / "other.pt")
    ResumeTraining(tmp_path, run.save, enabled=False, start=tmp_path / "other.pt").attach(run.trainer)
    with pytest.raises(CheckpointError, match="other.pt"):
        run.trainer.run()


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_finished_training_is_not_repeated(training, tmp_path, epochs):
    start(training, tmp_path).trainer.run()
    before = read(tmp_path / "model.pt")
    again = start(training, tmp_path, epochs, resume=True, seed=99)
    again.trainer.run()
    assert again.losses == []
    assert again.trainer.state.epoch == 2
    assert equal(read(tmp_path / "model.pt"), before)


def test_epochs_count_when_their_length_changes(training, tmp_path):
    start(training, tmp_path).trainer.run()
    run = training(3)
    run.trainer.state.epoch_length = 2
    ResumeTraining(tmp_path, run.save).attach(run.trainer)
    run.trainer.run()
    assert len(run.losses) == 2
    assert (run.trainer.state.epoch, run.trainer.state.iteration) == (3, 6)


def test_interval_counts_epochs_and_the_last_one_is_always_written(training, tmp_path):
    run, written = training(5), []
    CheckpointWriter(tmp_path / "c.pt", run.save, interval=2).attach(run.trainer)
    stamps = set()

    @run.trainer.on(Events.EPOCH_STARTED)
    def look(engine):
        if (tmp_path / "c.pt").exists() and (stamp := (tmp_path / "c.pt").stat().st_mtime_ns) not in stamps:
            stamps.add(stamp)
            written.append(read(tmp_path / "c.pt")["trainer"]["iteration"] // 3)

    run.trainer.run()
    assert written == [0, 2, 4]
    assert read(tmp_path / "c.pt")["trainer"]["iteration"] == 15


def test_best_metrics_are_kept(training, tmp_path):
    run = training()
    validator = run.validate()
    validator.state.best_metric, validator.state.best_metric_epoch = 0.75, 1
    run.trainer.state.best_metric, run.trainer.state.best_metric_epoch = torch.tensor(0.5), 2
    CheckpointWriter(tmp_path, {**run.save, "validator": validator, "trainer": run.trainer}).attach(run.trainer)
    run.trainer.run()
    later = training(3)
    other = later.validate()
    ResumeTraining(tmp_path, {**later.save, "validator": other}).attach(later.trainer)
    later.trainer.run()
    assert (other.state.best_metric, other.state.best_metric_epoch) == (0.75, 1)
    assert (later.trainer.state.best_metric, later.trainer.state.best_metric_epoch) == (0.5, 2)
    assert other.state.metrics["runs_count"] == 1


def test_failure_leaves_interrupted_and_no_model(training, tmp_path):
    run = start(training, tmp_path)
    StatsHandler(output_transform=lambda output: None).attach(run.trainer)
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 4 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    assert names(tmp_path) == ["checkpoint.pt", "interrupted.pt"]
    assert read(tmp_path / "interrupted.pt")["trainer"]["iteration"] == 5
    rest = start(training, tmp_path, resume=True)
    rest.trainer.run()
    assert len(rest.losses) == 3
    assert names(tmp_path) == ["checkpoint.pt", "model.pt", "model.pt.json"]


def test_a_failure_in_the_first_epoch_costs_no_more_than_that(training, tmp_path):
    run = start(training, tmp_path)
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 1 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    assert names(tmp_path) == ["checkpoint.pt", "interrupted.pt"]
    rest = start(training, tmp_path, resume=True, seed=99)
    rest.trainer.run()
    assert len(rest.losses) == 6
    whole = start(training, tmp_path / "whole")
    whole.trainer.run()
    assert rest.losses == whole.losses


def test_interrupted_stands_in_where_there_is_no_checkpoint(training, tmp_path):
    run = start(training, tmp_path)
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 1 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    (tmp_path / "checkpoint.pt").unlink()
    rest = start(training, tmp_path, resume=True)
    rest.trainer.run()
    assert len(rest.losses) == 4
    assert rest.trainer.state.iteration == 6


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.whole), 2])
@pytest.mark.parametrize("iteration", [pytest.param(2, marks=pytest.mark.whole), 3, 5, 8])
def test_training_that_was_asked_to_stop_repeats_nothing(training, tmp_path, workers, iteration):
    """Epochs of 4 iterations over data of 3 batches: the order is drawn anew within an epoch, too."""

    def begin(folder, **how):
        run = start(training, folder, 3, num_workers=workers, **how)
        run.trainer.state.epoch_length = 4
        return run

    whole = begin(tmp_path / "whole")
    whole.trainer.run()
    stopped = begin(tmp_path / "parts")
    at = Events.ITERATION_STARTED(once=iteration)
    stopped.trainer.add_event_handler(at, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as caught:
        stopped.trainer.run()
    assert caught.value.code == 143
    assert read(tmp_path / "parts" / "interrupted.pt")["trainer"]["iteration"] == iteration
    rest = begin(tmp_path / "parts", resume=True, seed=99)
    rest.trainer.run()
    assert stopped.losses + rest.losses == whole.losses
    assert len(whole.losses) == 12
    assert (tmp_path / "parts" / "model.pt").read_bytes() == (tmp_path / "whole" / "model.pt").read_bytes()


def test_every_epoch_begins_the_data_anew(training, tmp_path):
    """Epochs shorter than the data: what an epoch sees must not depend on where the one before has ended."""

    def begin(folder, epochs, **how):
        run = start(training, folder, epochs, **how)
        run.trainer.state.epoch_length = 2
        return run

    whole = begin(tmp_path / "whole", 4)
    whole.trainer.run()
    begin(tmp_path / "parts", 1).trainer.run()
    rest = begin(tmp_path / "parts", 4, resume=True)
    rest.trainer.run()
    assert rest.losses == whole.losses[2:]


def test_a_new_training_says_that_it_replaces_an_older_one(training, tmp_path, caplog):
    run = start(training, tmp_path)
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 4 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    start(training, tmp_path).trainer.run()
    assert "checkpoint.pt and interrupted.pt of an earlier one will be replaced" in caplog.text
    assert names(tmp_path) == ["checkpoint.pt", "model.pt", "model.pt.json"]


def test_damaged_interrupted_costs_the_checkpoint_nothing(training, tmp_path, caplog):
    start(training, tmp_path).trainer.run()
    (tmp_path / "interrupted.pt").write_bytes(b"half")
    rest = start(training, tmp_path, 3, resume=True)
    rest.trainer.run()
    assert len(rest.losses) == 3
    assert "interrupted.pt" in caplog.text


@pytest.mark.parametrize("epoch", [1, 2])
def test_weights_that_are_not_finite_are_not_written(training, tmp_path, epoch):
    run = start(training, tmp_path)

    @run.trainer.on(Events.ITERATION_COMPLETED(once=3 * epoch))
    def poison(engine):
        run.network.layer[0].bias.data[1] = math.nan

    with pytest.raises(TrainingError, match=rf"layer\.0\.bias of network, epoch {epoch}"):
        run.trainer.run()
    assert names(tmp_path) == ["checkpoint.pt"]
    assert read(tmp_path / "checkpoint.pt")["trainer"]["iteration"] == 3 * (epoch - 1)


def test_full_disk_stops_the_training_and_keeps_the_checkpoint(training, tmp_path, monkeypatch):
    run = start(training, tmp_path, 3)
    save = torch.save

    def full(content, file):
        if content["trainer"]["iteration"] > 3:
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError):
        run.trainer.run()
    assert names(tmp_path) == ["checkpoint.pt"]
    assert read(tmp_path / "checkpoint.pt")["trainer"]["iteration"] == 3


def test_a_kill_in_the_middle_of_a_save_leaves_a_checkpoint(training, tmp_path, child, wait):
    run = training(10**6)
    ballast = torch.nn.Linear(2000, 1000)  # 8 MB, so that most of the time goes into saving
    path = tmp_path / "checkpoint.pt"
    CheckpointWriter(tmp_path, {**run.save, "ballast": ballast}).attach(run.trainer)
    seen = []
    for delay in (0.0, 0.013, 0.029):
        path.unlink(missing_ok=True)
        pid = child(run.trainer.run)
        wait(path.exists)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        content = read(path)
        seen.append(content["trainer"]["iteration"] % 3)
        assert torch.equal(content["ballast"]["weight"], ballast.weight)
        assert not (tmp_path / "model.pt").exists()
    assert seen == [0, 0, 0]
    rest = training(content["trainer"]["iteration"] // 3 + 1)
    ResumeTraining(tmp_path, rest.save).attach(rest.trainer)
    CheckpointWriter(tmp_path, rest.save).attach(rest.trainer)
    rest.trainer.run()
    assert len(rest.losses) == 3
    assert names(tmp_path) == ["checkpoint.pt", "model.pt", "model.pt.json"]


def test_sigterm_saves_the_state_and_leaves_with_143(training, tmp_path, child, mark, wait):
    run = training(10**6)
    run.network.hook = lambda: time.sleep(0.01)
    CheckpointWriter(tmp_path, run.save, interval=10**6).attach(run.trainer)
    mark(run.trainer, 4, tmp_path / "ready")
    pid = child(run.trainer.run)
    wait((tmp_path / "ready").exists)
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143
    assert names(tmp_path) == ["checkpoint.pt", "interrupted.pt", "ready"]
    assert read(tmp_path / "interrupted.pt")["trainer"]["iteration"] >= 4


@pytest.mark.parametrize("missing", ["network", "trainer", "optimizer"])
def test_incomplete_checkpoint_is_refused(training, tmp_path, missing):
    start(training, tmp_path).trainer.run()
    content = read(tmp_path / "checkpoint.pt")
    del content[missing]
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match=f"no {missing}"):
        start(training, tmp_path, resume=True).trainer.run()


def test_model_alone_cannot_be_resumed(training, tmp_path):
    start(training, tmp_path).trainer.run()
    run = training()
    ResumeTraining(tmp_path / "model.pt", run.save).attach(run.trainer)
    with pytest.raises(CheckpointError, match="weights only"):
        run.trainer.run()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        start(training, tmp_path / "elsewhere", resume=True).trainer.run()


def test_state_of_another_optimizer_is_refused(training, tmp_path):
    start(training, tmp_path).trainer.run()
    run = training()
    run.save["optimizer"] = torch.optim.Adam([{"params": [p]} for p in run.network.parameters()])
    ResumeTraining(tmp_path, run.save).attach(run.trainer)
    with pytest.raises(CheckpointError, match="Adam"):
        run.trainer.run()


def test_monais_own_loader_reads_it(training, tmp_path):
    start(training, tmp_path).trainer.run()
    run = training()
    CheckpointLoader(str(tmp_path / "model.pt"), {"network": run.network}).attach(run.trainer)
    run.trainer.run()


def test_settings_are_checked(training, tmp_path):
    run = training()
    with pytest.raises(ValueError, match="at least 1, got 0"):
        CheckpointWriter(tmp_path, run.save, interval=0)
    with pytest.raises(ValueError, match="needs the network 'unet'"):
        CheckpointWriter(tmp_path, run.save, weights="unet")


def test_what_cannot_be_stored_is_known_before_training(training, tmp_path):
    class Odd:
        def state_dict(self):
            return {"a": object()}

    run = training()
    CheckpointWriter(tmp_path, {**run.save, "odd": Odd()}).attach(run.trainer)
    with pytest.raises(ValueError, match="got object"):
        run.trainer.run()
    assert run.losses == []


def test_plain_engines_resume_too(tmp_path):
    network = torch.nn.Linear(1, 1)

    def build():
        engine = Engine(lambda engine, batch: 0.0)
        CheckpointWriter(tmp_path, {"network": network}).attach(engine)
        return engine

    build().run([1, 2], max_epochs=2)
    engine = build()
    ResumeTraining(tmp_path, {"network": network}).attach(engine)
    epochs = []
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: epochs.append(engine.state.epoch))
    engine.run([1, 2], max_epochs=4)
    assert epochs == [3, 4]


def test_words_of_a_command_line_switch_resuming(training, tmp_path):
    """There is nothing to resume from, which only matters where it is asked for."""
    run = training()
    ResumeTraining(tmp_path, run.save, enabled="false").attach(run.trainer)
    run.trainer.run()
    again = training()
    ResumeTraining(tmp_path, again.save, enabled="True").attach(again.trainer)
    with pytest.raises(CheckpointError):
        again.trainer.run()
