import pytest

from monai_cortex.data import OwnItems


@pytest.mark.parametrize(("count", "number"), [(5, 2), (4, 2), (3, 1), (2, 3)])
def test_processes_share_the_items_and_none_is_without(as_process, count, number):
    parts = []
    for rank in range(number):
        with as_process(rank, number):
            own = OwnItems(range(count))
            assert len(own) == len(list(own)) > 0
            parts.append(list(own))
    assert sorted({item for part in parts for item in part}) == list(range(count))
    assert sum(map(len, parts)) == max(count, number)
