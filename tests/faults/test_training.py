"""Training that is killed, stopped, misled or out of space: nothing finished is lost, and it ends as if undisturbed."""

import json
import math
import os
import random
import resource
import signal
import time
from pathlib import Path

import pytest
import torch

from monai_cortex.errors import ResourceError, TrainingError
from monai_cortex.handlers import CheckpointWriter, ResumeTraining, SeedEpochs, StopOnNonFinite
from monai_cortex.handlers.checkpoint_file import read_checkpoint

BUNDLES = Path(__file__).parents[2] / "bundles"
EPOCHS = 5
FINAL = ("checkpoint.pt", "interrupted.pt", "model.pt")


@pytest.fixture(autouse=True)
def _quick():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def start(training):
    """A training with all that a bundle has, which goes on from what is in its folder."""

    def make(folder, epochs=EPOCHS, handlers=(), **options):
        resume = (folder / "checkpoint.pt").exists()
        # Other weights to begin with, where those of the checkpoint must take their place.
        run = training(epochs, [SeedEpochs(3), *handlers], seed=99 if resume else 0, **options)
        ResumeTraining(folder, run.save, enabled=resume).attach(run.trainer)
        CheckpointWriter(folder, run.save).attach(run.trainer)
        return run

    return make


def leaves(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_at_random_moments_until_it_is_done(start, child, tmp_path, rounds, number):
    """No file under a final name is ever partial, and the weights are those of a run that was never killed."""
    whole = start(tmp_path / "whole")
    whole.trainer.run()
    expected = (tmp_path / "whole" / "model.pt").read_bytes()
    for seed in range(rounds(1, 20)):
        folder, chance = tmp_path / str(seed), random.Random(seed)
        for attempt in range(100):
            run = start(folder)
            run.network.hook = lambda: time.sleep(0.01)
            pid = child(run.trainer.run)
            # The first kills strike training for sure; later attempts get longer and longer.
            time.sleep(chance.uniform(0, 0.1 + 0.05 * attempt))
            os.kill(pid, number)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            for name in FINAL:
                if (folder / name).exists():
                    read_checkpoint(folder / name)
            if code == 0:
                break
            assert code in (-number, 128 + number)
        assert (folder / "model.pt").read_bytes() == expected
        assert leaves(folder) == ["checkpoint.pt", "model.pt", "model.pt.json"]


def test_killed_in_the_middle_of_the_first_epoch_there_is_a_checkpoint(start, child, mark, wait, tmp_path):
    run = start(tmp_path / "out")
    run.network.hook = lambda: time.sleep(0.05)
    mark(run.trainer, 1, tmp_path / "ready")
    pid = child(run.trainer.run)
    wait((tmp_path / "ready").exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert read_checkpoint(tmp_path / "out" / "checkpoint.pt")["trainer"]["iteration"] == 0


def test_asked_to_stop_it_loses_no_iteration(start, child, mark, wait, tmp_path):
    """Exit code 143 soon after; the next one goes on behind the last iteration."""
    run = start(tmp_path / "out", 10**6)
    run.network.hook = lambda: time.sleep(0.01)
    mark(run.trainer, 4, tmp_path / "ready")
    pid = child(run.trainer.run)
    wait((tmp_path / "ready").exists)
    asked = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143
    assert time.monotonic() - asked < 30
    states = [read_checkpoint(path) for path in (tmp_path / "out").glob("*.pt")]
    last = max(state["trainer"]["iteration"] for state in states if state["exact"])
    assert last >= 4
    rest, begun = start(tmp_path / "out", last // 3 + 2), []
    rest.trainer.add_event_handler("ITERATION_STARTED", lambda: begun.append(rest.trainer.state.iteration))
    rest.trainer.run()
    assert begun[0] == last + 1


def test_second_training_in_one_folder_is_refused(start, child, mark, wait, tmp_path):
    run = start(tmp_path / "out", 10**6)
    run.network.hook = lambda: time.sleep(0.01)
    mark(run.trainer, 1, tmp_path / "ready")
    pid = child(run.trainer.run)
    wait((tmp_path / "ready").exists)
    second = start(tmp_path / "out")
    with pytest.raises(ResourceError, match=f"process {pid} of this machine"):
        second.trainer.run()
    assert second.losses == []
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    third = start(tmp_path / "out", 1)
    third.trainer.run()
    assert "model.pt" in leaves(tmp_path / "out")


def test_full_disk_keeps_the_checkpoint(start, child, tmp_path):
    """A limit on the size of files stands for the disk: it strikes in the middle of a write, too."""

    def fill():
        run = start(tmp_path / "out")
        ballast = torch.nn.Linear(1000, 100)
        run.save["ballast"] = ballast
        writer = CheckpointWriter(tmp_path / "out", run.save)
        writer.attach(run.trainer)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # noqa: E731
        run.trainer.add_event_handler("ITERATION_COMPLETED", lambda: run.trainer.state.iteration == 4 and limit())
        try:
            run.trainer.run()
        except ResourceError as error:
            raise SystemExit(42 if "MB free" in str(error) else 43) from error

    assert os.waitstatus_to_exitcode(os.waitpid(child(fill), 0)[1]) == 42
    assert read_checkpoint(tmp_path / "out" / "checkpoint.pt")["trainer"]["iteration"] == 3
    assert not (tmp_path / "out" / "model.pt").exists()
    assert not list((tmp_path / "out").glob(".*partial*"))


def test_loss_that_is_nan_stops_within_the_iteration(start, tmp_path):
    run = start(tmp_path, handlers=[StopOnNonFinite()])
    run.network.hook = lambda: run.network.layer[0].bias.data.fill_(math.nan) if len(run.losses) == 4 else None
    with pytest.raises(TrainingError, match="epoch 2, iteration 5") as caught:
        run.trainer.run()
    assert str(caught.value).count("sub-0") == 2
    content = read_checkpoint(tmp_path / "checkpoint.pt")
    assert content["trainer"]["iteration"] == 3
    assert all(torch.isfinite(value).all() for value in content["network"].values())
    assert leaves(tmp_path) == ["checkpoint.pt"]


def test_exception_leaves_interrupted_and_nothing_final(start, tmp_path):
    run = start(tmp_path)
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 4 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    assert leaves(tmp_path) == ["checkpoint.pt", "interrupted.pt"]
    assert not read_checkpoint(tmp_path / "interrupted.pt")["exact"]


class Deadly(torch.utils.data.Dataset):
    """Its fourth item kills the process that loads it."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        if index == 3 and torch.utils.data.get_worker_info():
            os.kill(os.getpid(), signal.SIGKILL)
        return self.data[index]


def test_killed_data_worker_is_named(start, tmp_path):
    run = start(tmp_path)
    loader = run.trainer.data_loader
    run.trainer.data_loader = type(loader)(Deadly(loader.dataset.data), batch_size=2, num_workers=1)
    begun = time.monotonic()
    with pytest.raises(ResourceError, match=r"DataLoader worker \(pid\(?s?\)? ?\d+\)"):
        run.trainer.run()
    assert time.monotonic() - begun < 30
    assert "model.pt" not in leaves(tmp_path)


@pytest.mark.parametrize("slug", sorted(path.name for path in BUNDLES.iterdir()))
def test_every_bundle_reads_its_training_set_first(slug):
    """One switch says what becomes of subjects that cannot be read; see tests/data/test_training_subjects.py."""
    config = json.loads((BUNDLES / slug / "configs" / "train.json").read_text())
    assert config["strict"] is True
    parts = [config.get(name, {}) for name in ("subjects", "pairs")] + [config.get("scans", {}).get("data", {})]
    (reader,) = [part for part in parts if isinstance(part, dict) and part.get("strict") == "@strict"]
    assert reader["_target_"] in ("monai_cortex.data.training_subjects", "monai_cortex.inferers.registration_pairs")
    assert reader.get("slug", slug) == slug
