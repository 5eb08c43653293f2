"""Lists of timesteps for samplers of few steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.networks.schedulers.inference_steps import bridge_steps, even_steps, next_step


def test_ten_bridge_steps_are_the_published_ones():
    assert bridge_steps(1000, 10).tolist() == [999, 874, 749, 624, 499, 374, 249, 124, 1, 0]


@pytest.mark.parametrize("steps", [bridge_steps, even_steps])
@given(timesteps=st.integers(2, 1200), share=st.floats(0, 1))
def test_steps_fall_from_the_last_timestep_to_zero(steps, timesteps, share):
    number = 2 + int(share * (timesteps - 2))
    found = steps(timesteps, number)
    assert found.dtype == torch.int64
    assert (found[0], found[-1]) == (timesteps - 1, 0)
    assert (found.diff() < 0).all()
    assert len(found) <= number


@pytest.mark.parametrize("steps", [bridge_steps, even_steps])
def test_one_and_all(steps):
    assert steps(1000, 1).tolist() == [999]
    assert steps(1000, 2).tolist() == [999, 0]
    assert steps(1000, 1000).tolist() == list(range(999, -1, -1))


@pytest.mark.parametrize("number", [3, 10, 50, 200])
def test_numbers_of_steps_are_those_asked_for(number):
    assert len(bridge_steps(1000, number)) == len(even_steps(1000, number)) == number


def test_even_steps_are_even():
    strides = -even_steps(1000, 50).diff()
    assert strides.max() - strides.min() <= 1


def test_next_step_is_looked_up():
    steps = torch.tensor([9, 4, 3, 0])
    assert [next_step(steps, t) for t in (9, 4, 3, 0)] == [4, 3, 0, None]
    with pytest.raises(ValueError, match="5"):
        next_step(steps, 5)
