import pytest
import torch

from monai_cortex.data import batch_count, own_rows, process_rank


def test_alone_without_torch_distributed():
    assert process_rank() == (0, 1)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_rows_of_all_processes_are_those_of_one(as_process, number):
    def drawn(rows):
        torch.manual_seed(5)
        first = own_rows(lambda count: torch.randn(count, 3), rows)
        return torch.cat([first, own_rows(torch.rand, rows)[:, None]], 1)

    parts = []
    for rank in range(number):
        with as_process(rank, number):
            parts.append(drawn(6 // number))
    assert torch.equal(torch.cat(parts), drawn(6))


def test_alone_a_count_is_at_least_one():
    assert batch_count(torch.tensor([0, 7])).tolist() == [1, 7]


@pytest.mark.parametrize(("counts", "share"), [((3, 5), 4.0), ((0, 5), 2.5), ((0, 0), 0.5)])
def test_processes_share_their_count(in_processes, counts, share):
    """Quotients of sums then have the batch's quotient as their mean."""
    assert in_processes(_count, counts) == [share, share]


def _count(rank, counts):
    own = torch.tensor(float(counts[rank]))
    with torch.no_grad():
        assert batch_count(own) == own.clamp_min(1)  # a validation asks nobody
    return float(batch_count(own))
