import os
import signal
import time
from contextlib import contextmanager

import pytest
from ignite.engine import Engine, Events

from monai_cortex.errors import ResourceError
from monai_cortex.handlers.engine_run import Terminated, during_run, named_worker_loss, orderly_termination


def plain(step=lambda engine, batch: None):
    return Engine(step)


def test_contexts_enclose_the_run_the_last_outermost():
    engine, story = plain(), []

    @contextmanager
    def tell(name):
        story.append(f"{name} in")
        yield
        story.append(f"{name} out")

    engine.add_event_handler(Events.COMPLETED, lambda: story.append("completed"))
    for name in "ab":
        during_run(engine, lambda name=name: tell(name))
    assert engine.run([1], max_epochs=2).epoch == 2
    assert story == ["b in", "a in", "completed", "a out", "b out"]
    engine.run([1], max_epochs=2)
    assert len(story) == 10


def test_context_sees_what_handlers_of_exceptions_hide():
    engine, seen = plain(lambda engine, batch: 1 / 0), []

    @contextmanager
    def watch():
        try:
            yield
        except ZeroDivisionError as error:
            seen.append(error)
            raise

    @engine.on(Events.EXCEPTION_RAISED)
    def first(engine, error):
        raise error

    during_run(engine, watch)
    with pytest.raises(ZeroDivisionError):
        engine.run([1])
    assert len(seen) == 1


def test_sigterm_ends_after_the_iteration():
    done = []

    def step(engine, batch):
        if batch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        done.append(batch)

    engine = plain(step)
    during_run(engine, lambda: orderly_termination(engine))
    with pytest.raises(Terminated) as caught:
        engine.run([1, 2, 3])
    assert done == [1, 2]
    assert caught.value.code == 143
    assert caught.value.orderly
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_iteration_that_is_too_long_is_broken_off():
    def step(engine, batch):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)

    engine = plain(step)
    during_run(engine, lambda: orderly_termination(engine, patience=0.05))
    start = time.monotonic()
    with pytest.raises(Terminated):
        engine.run([1])
    assert time.monotonic() - start < 5


def test_sigterm_after_the_last_iteration_is_not_lost():
    engine = plain()

    @contextmanager
    def late():
        yield
        os.kill(os.getpid(), signal.SIGTERM)

    during_run(engine, late)
    during_run(engine, lambda: orderly_termination(engine))
    with pytest.raises(Terminated):
        engine.run([1])


def test_at_the_end_of_an_epoch_its_handlers_come_first():
    engine, done = plain(lambda engine, batch: os.kill(os.getpid(), signal.SIGTERM) if batch == 2 else None), []
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: done.append(engine.state.epoch))
    during_run(engine, lambda: orderly_termination(engine))
    with pytest.raises(Terminated) as caught:
        engine.run([1, 2], max_epochs=3)
    assert caught.value.orderly
    assert done == [1]


def test_an_error_after_the_signal_is_no_failure():
    """A batch system signals data workers, too, and torch reports their end as an error."""

    def step(engine, batch):
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Terminated.")

    engine = plain(step)
    during_run(engine, lambda: orderly_termination(engine))
    with pytest.raises(Terminated) as caught:
        engine.run([1])
    assert not caught.value.orderly


def test_loss_of_a_data_worker_is_named():
    message = "DataLoader worker (pid 7) is killed by signal: Killed. \nmore"
    with pytest.raises(ResourceError, match=r"pid 7\) is killed by signal"), named_worker_loss():
        raise RuntimeError(message)
    with pytest.raises(RuntimeError, match="another"), named_worker_loss():
        raise RuntimeError("another")


def test_a_new_run_starts_unburdened():
    first, second = plain(lambda engine, batch: os.kill(os.getpid(), signal.SIGTERM)), plain()
    for engine in (first, second):
        during_run(engine, lambda engine=engine: orderly_termination(engine))
    with pytest.raises(Terminated):
        first.run([1])
    assert second.run([1, 2]).iteration == 2


def test_somebody_elses_handler_is_left_alone():
    calls = []
    previous = signal.signal(signal.SIGTERM, lambda *_: calls.append(1))
    try:
        with orderly_termination(plain()):
            os.kill(os.getpid(), signal.SIGTERM)
        assert calls == [1]
    finally:
        signal.signal(signal.SIGTERM, previous)
