import logging
import time

from monai_cortex.handlers.tracker_calls import TrackerCalls


def fail():
    raise OSError("gone\nsecond line")


def test_calls_that_are_done_say_so():
    done = []
    assert TrackerCalls()(lambda: done.append(3)) is True
    assert done == [3]


def test_failures_warn_once_and_are_counted(caplog):
    calls = TrackerCalls()
    with caplog.at_level(logging.WARNING):
        assert calls(fail) is calls(fail) is False
    assert [record.getMessage() for record in caplog.records] == [
        "tracking has failed (OSError: gone); the run goes on and keeps what was not delivered"
    ]
    assert calls.undelivered == 2
    assert calls(lambda: 3)


def test_a_call_that_hangs_costs_the_patience_once():
    calls = TrackerCalls(patience=0.2)
    start = time.monotonic()
    for _ in range(5):
        assert not calls(lambda: time.sleep(5))
    assert 0.2 <= time.monotonic() - start < 1
    assert not calls(lambda: 3)
    assert calls.undelivered == 6


def test_failures_use_the_patience_up():
    calls = TrackerCalls(patience=0.25)
    tried = []

    def slow():
        tried.append(1)
        time.sleep(0.1)
        fail()

    for _ in range(9):
        calls(slow)
    assert len(tried) == 3


def test_an_upload_may_take_its_time():
    calls = TrackerCalls(patience=0.1)
    assert calls(lambda: time.sleep(0.2), allowance=5)
    assert calls.undelivered == 0
