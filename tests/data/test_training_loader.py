import pytest
import torch
from monai.data import Dataset
from monai.transforms import Compose, RandGaussianNoise

from monai_cortex.data.training_loader import TrainingLoader


def noisy(count):
    """Numbers 0, 100, 200 ... with noise below 50, of a dataset within a dataset."""
    transform = Compose([RandGaussianNoise(prob=1.0, std=1.0)])
    inner = Dataset([torch.full((1,), 100.0 * number) for number in range(count)], transform)
    return Dataset(inner, transform)


def passes(loader, count=2, seed=3):
    torch.manual_seed(seed)
    return [[batch.flatten().tolist() for batch in loader] for _ in range(count)]


@pytest.mark.parametrize(("count", "batch_size"), [(5, 4), (4, 4), (1, 4), (9, 2)])
def test_processes_see_together_what_one_sees(as_process, count, batch_size):
    whole = passes(TrainingLoader(noisy(count), batch_size))
    parts = []
    for rank in range(2):
        with as_process(rank, 2):
            loader = TrainingLoader(noisy(count), batch_size // 2)
            assert len(loader) == len(whole[0])
            parts.append(passes(loader))
    assert [[a + b for a, b in zip(*both, strict=True)] for both in zip(*parts, strict=True)] == whole


def test_a_pass_goes_through_the_data_and_fills_its_last_batch():
    first, second = ([round(value / 100) for batch in part for value in batch] for part in passes(loader_of(5, 2)))
    assert sorted(first[:5]) == list(range(5))
    assert first[5] == first[0]
    assert len(first) == 6
    assert first != second


def loader_of(count, batch_size, **options):
    return TrainingLoader(noisy(count), batch_size, **options)


def test_items_are_changed_the_same_way_whoever_loads_them():
    here = passes(loader_of(3, 2))
    assert passes(loader_of(3, 2, num_workers=1)) == here
    assert passes(loader_of(3, 2), seed=4) != here
    values = [value for part in here for batch in part for value in batch]
    assert len(set(values)) == len(values)  # also where an item fills a batch up


def test_generators_go_on_alike_in_all_processes(as_process):
    after = set()
    for rank, number in ((0, 1), (0, 2), (1, 2)):
        with as_process(rank, number):
            passes(loader_of(5, 4 // number))
            after.add(float(torch.rand(1)))
    assert len(after) == 1


def test_no_data_is_no_batch():
    assert passes(loader_of(0, 2), 1) == [[]]


def test_a_batch_has_items():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        loader_of(3, 0)
