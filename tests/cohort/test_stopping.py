import os
import signal
import threading
from contextlib import nullcontext

import pytest

from monai_cortex.cohort.stopping import stoppable, undisturbed


def _signalled(number, steps=(), shielded=False):
    """Send ourselves a signal in a stoppable block, which may have a part that belongs together, and an end."""
    with stoppable():
        try:
            with undisturbed() if shielded else nullcontext():
                os.kill(os.getpid(), number)
                steps.append("rest")
            steps.append("more")
        finally:
            os.kill(os.getpid(), number)
            steps.append("end")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_block_and_another_one_does_not_disturb_that(number, code, capfd):
    before, steps = signal.getsignal(number), []
    with pytest.raises(SystemExit) as stop:
        _signalled(number, steps)
    assert (stop.value.code, steps) == (code, ["end"])
    assert signal.getsignal(number) is before
    assert "finished subjects are kept" in capfd.readouterr().err


def test_signal_waits_for_what_belongs_together():
    steps = []
    with pytest.raises(SystemExit) as stop:
        _signalled(signal.SIGTERM, steps, shielded=True)
    assert (stop.value.code, steps) == (143, ["rest", "end"])
    with stoppable(), undisturbed():  # the signal is forgotten
        pass


def test_other_threads_are_left_alone():
    found = []
    before = signal.getsignal(signal.SIGTERM)

    def work():
        with stoppable():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
