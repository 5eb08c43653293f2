import random

import numpy as np
import torch

from monai_cortex.handlers.checkpoint_file import read_checkpoint, write_checkpoint
from monai_cortex.handlers.random_state import random_state, restore_random_state


def draw():
    return random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()  # noqa: NPY002


def test_state_goes_through_a_checkpoint(tmp_path):
    np.random.randn()  # noqa: NPY002  # the second of two normal numbers waits in the generator
    write_checkpoint(tmp_path / "a.pt", random_state())
    first = draw()
    assert draw() != first
    restore_random_state(read_checkpoint(tmp_path / "a.pt"))
    assert draw() == first
