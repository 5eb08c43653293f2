import pytest

from monai_cortex.cohort.shard import Shard, parse_shard, slurm_shard
from monai_cortex.errors import ConfigError

NAMES = [f"sub-{number:03d}" for number in range(200)]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_share_the_subjects(count):
    shares = [[name for name in NAMES if Shard(index, count).holds(name)] for index in range(1, count + 1)]
    assert sorted(name for share in shares for name in share) == NAMES
    assert all(len(share) > len(NAMES) / count / 2 for share in shares)


def test_share_depends_on_the_name_alone():
    """Known digits of SHA-256: the first 8 bytes of "sub-01" are 0x3e.., and stay so on every machine."""
    import hashlib

    number = int(hashlib.sha256(b"sub-01").hexdigest()[:16], 16)
    assert [index for index in range(1, 6) if Shard(index, 5).holds("sub-01")] == [number % 5 or 5]


def test_counting_from_zero_names_the_same_shares():
    assert parse_shard("0/4") == Shard(4, 4)
    assert parse_shard("3/4") == Shard(3, 4)
    assert str(Shard(3, 4)) == "3/4"


@pytest.mark.parametrize("text", ["", "1", "5/4", "0/0", "-1/4", "a/b", "1/4/2", "1.0/4"])
def test_other_texts_are_refused(text):
    with pytest.raises(ConfigError, match="i/n"):
        parse_shard(text)


@pytest.mark.parametrize(
    ("task", "first", "last", "count", "index"), [(1, 1, 4, 4, 1), (0, 0, 3, 4, 1), (3, 0, 3, 4, 4), (20, 10, 30, 3, 2)]
)
def test_task_of_a_slurm_array(task, first, last, count, index):
    numbers = {"TASK_ID": task, "TASK_MIN": first, "TASK_MAX": last, "TASK_COUNT": count}
    environment = {f"SLURM_ARRAY_{name}": str(value) for name, value in numbers.items()}
    assert parse_shard("slurm", environment) == Shard(index, count)


@pytest.mark.parametrize(
    "numbers",
    [{}, {"TASK_ID": "1"}, {"TASK_ID": "x", "TASK_COUNT": "2"}]
    + [{"TASK_ID": "7", "TASK_COUNT": "2", "TASK_MIN": "3", "TASK_MAX": "11"}],
)
def test_no_task_of_a_regular_array(numbers):
    with pytest.raises(ConfigError, match="Slurm array"):
        slurm_shard({f"SLURM_ARRAY_{name}": value for name, value in numbers.items()})
