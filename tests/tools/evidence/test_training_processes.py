"""The page of two processes: times come from the client's own lines, and the verdict from the ratio."""

import pytest


@pytest.fixture
def tool(load_tool):
    return load_tool("evidence/training_processes")


def test_an_epoch_is_as_long_as_in_the_slower_process(tool):
    line = "INFO ignite.engine.engine.SupervisedTrainer: Epoch[{}] Complete. Time taken: 00:01:{:06.3f}\n"
    text = "".join(line.format(epoch, spent) for epoch, spent in ((1, 9), (1, 8), (2, 2.5), (2, 3.5), (3, 1), (3, 0.5)))
    text += "INFO ignite.engine.engine.SupervisedEvaluator: Epoch[2] Complete. Time taken: 01:00:00.000\n"
    assert tool._epochs(text) == [63.5, 61.0]  # the first one warms up


def test_the_page_says_what_is_met(tool):
    row = {"method": "one", "items": 4, "one_s": 4.0, "two_s": 2.0, "ratio": 0.5, "loss_gap": 1e-7}
    page = "\n".join(tool._lines([row, row | {"method": "two", "ratio": 0.9}]))
    assert "| one | 4 | 4.00 | 2.00 | 0.50 | yes | 1e-07 |" in page
    assert "| two | 4 | 4.00 | 2.00 | 0.90 | no |" in page
