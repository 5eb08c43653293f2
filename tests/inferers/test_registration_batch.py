"""Batches for MONAI's engines, and the stiffness that is drawn."""

import math

import pytest
import torch

from monai_cortex.inferers import RegistrationBatch


@pytest.fixture
def batch():
    return {"fixed": torch.rand(5, 2, 42), "moving": torch.rand(5, 2, 42), "subject": list("abcde")}


def test_maps_go_where_the_networks_take_them(batch):
    inputs, target, (moving, stiffness), names = RegistrationBatch()(batch, "cpu", non_blocking=True)
    assert inputs is batch["fixed"]
    assert moving is batch["moving"]
    assert stiffness.shape == (5,)
    assert target is None
    assert names == {}


def test_precision_is_that_of_the_maps(batch):
    _, _, (_, stiffness), _ = RegistrationBatch()({name: batch[name].double() for name in ("fixed", "moving")})
    assert stiffness.dtype == torch.float64


@pytest.mark.parametrize("limits", [(0.25, 4.0), (4.0, 0.25)])
def test_draws_are_log_uniform(limits):
    torch.manual_seed(0)
    many = {name: torch.zeros(20000, 1, 1) for name in ("fixed", "moving")}
    logs = RegistrationBatch(limits)(many)[2][1].log() / math.log(4)
    assert logs.min() >= -1 - 1e-6
    assert logs.max() <= 1 + 1e-6
    quarters = torch.histc(logs, 4, -1, 1) / 20000
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.02, rtol=0)


@pytest.mark.parametrize("single", [0.5, 2, (0.5,), [2.0]])
def test_single_number_is_for_all(batch, single):
    expected = single if isinstance(single, (int, float)) else single[0]
    torch.testing.assert_close(RegistrationBatch(single)(batch)[2][1], torch.full((5,), float(expected)))


def test_seed_decides(batch):
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(RegistrationBatch()(batch)[2][1])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("wrong", [0, -1.0, (0.0, 1.0), (1.0, -2.0), math.nan])
def test_impossible_stiffness_is_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        RegistrationBatch(wrong)


def test_processes_draw_their_rows_of_one_batch(batch, as_process):
    def stiffness(rows):
        torch.manual_seed(0)
        return RegistrationBatch()({name: batch[name][rows] for name in ("fixed", "moving")})[2][1]

    whole = stiffness(slice(4))
    for rank in range(2):
        rows = slice(2 * rank, 2 * rank + 2)
        with as_process(rank, 2):
            assert torch.equal(stiffness(rows), whole[rows])
