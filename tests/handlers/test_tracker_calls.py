import logging
import time

from monai_cortex.handlers.tracker_calls import TrackerCalls


def fail():
    raise OSError("gone\nsecond line")


def test_result_comes_back():
    assert TrackerCalls()(lambda: 3) == 3


def test_failures_warn_once_and_are_counted(caplog):
    calls = TrackerCalls()
    with caplog.at_level(logging.WARNING):
        assert calls(fail) is calls(fail) is None
    assert [record.getMessage() for record in caplog.records] == [
        "tracking has failed (OSError: gone); the run goes on without it"
    ]
    assert calls.undelivered == 2
    assert calls(lambda: 3) == 3


def test_a_call_that_hangs_costs_the_patience_once():
    calls = TrackerCalls(patience=0.2)
    start = time.monotonic()
    for _ in range(5):
        assert calls(lambda: time.sleep(5)) is None
    assert 0.2 <= time.monotonic() - start < 1
    assert calls(lambda: 3) is None
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
    assert calls(lambda: time.sleep(0.2) or "done", allowance=5) == "done"
    assert calls.undelivered == 0
