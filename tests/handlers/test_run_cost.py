import time

import numpy as np
import pytest
from ignite.engine import Engine

from monai_cortex.handlers.run_cost import RunCost


def test_cost_of_a_run_without_subjects():
    cost = RunCost()
    held = np.ones(10**8, np.uint8)
    time.sleep(0.02)
    found = cost.metrics(Engine(lambda *_: None))
    assert 0.02 <= found.pop("run/seconds") < 5
    assert found.pop("run/peak_memory_mb") > held.nbytes / 1e6
    assert set(found) <= {"run/peak_gpu_mb"}


def test_subjects_share_the_time():
    engine, cost = Engine(lambda *_: None), RunCost()
    engine.state.subjects = [{}, {}]
    time.sleep(0.05)
    found = cost.metrics(engine)
    assert found["run/subjects"] == 2
    assert found["run/seconds_per_subject"] * 2 == pytest.approx(found["run/seconds"], abs=2e-3)
