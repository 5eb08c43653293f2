import pytest
import torch
from monai.data import DataLoader

from monai_cortex.handlers.random_state import random_state
from monai_cortex.handlers.seeded_passes import SeededPasses


def loader(count=6):
    return DataLoader(list(range(count)), batch_size=2, shuffle=True)


def passes(seeded, count=2):
    return [[batch.tolist() for batch in seeded] for _ in range(count)]


def test_passes_differ_and_are_repeated_by_the_seed():
    first = passes(SeededPasses(loader(), 3))
    torch.rand(5)
    assert passes(SeededPasses(loader(), 3)) == first
    assert first[0] != first[1]
    assert passes(SeededPasses(loader(), 4)) != first


@pytest.mark.parametrize("seen", [1, 3, 4, 6])
def test_batches_that_were_seen_are_passed_over(seen):
    """Across the ends of passes, with the random numbers as they were then."""
    whole = [batch for part in passes(SeededPasses(loader(), 3), 3) for batch in part]
    state = random_state()
    wanted = torch.rand(1)
    resumed = SeededPasses(loader(), 3, seen, state)
    torch.rand(7)
    left = []
    for number, batch in enumerate(resumed):
        assert number or torch.equal(torch.rand(1), wanted)
        left.append(batch.tolist())
    left += [batch.tolist() for batch in resumed]
    assert left == whole[seen : seen + len(left)]
    assert len(left) >= 3


def test_without_data_there_is_no_waiting():
    assert list(SeededPasses([], 3, seen=2)) == []
