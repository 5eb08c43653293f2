import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.direction_subset import spread_subset
from monai_cortex.transforms import InputDirections, InputDirectionsd


@pytest.fixture
def scan(make_scan):
    """Two volumes at b = 0, and 24 directions on each of two shells, in mixed order."""
    scan = make_scan(1000.0, 2000.0, nside=2)
    order = torch.randperm(len(scan.shell), generator=torch.Generator().manual_seed(0))
    scan.directions, scan.shell = scan.directions[order], scan.shell[order]
    return scan


@pytest.mark.parametrize("number", [1, 6, 23])
def test_each_shell_has_its_own_spread_subset(scan, number):
    chosen = InputDirections(number)(scan.directions, scan.shell)
    assert chosen.dtype == torch.int64
    assert (chosen.diff() > 0).all()
    assert scan.shell[chosen].bincount().tolist() == [2, number, number]
    for k in (1, 2):
        here = (scan.shell == k).nonzero()[:, 0]
        assert torch.equal(chosen[scan.shell[chosen] == k], here[spread_subset(scan.directions[here], number)])


@pytest.mark.parametrize("number", [0, -1])
def test_no_directions_are_refused(number):
    with pytest.raises(ConfigError, match=str(number)):
        InputDirections(number)


@pytest.mark.parametrize("number", [None, 24, 500])
def test_all_are_taken_without_a_smaller_number(scan, number):
    assert torch.equal(InputDirections(number)(scan.directions, scan.shell), torch.arange(50))


def test_signs_of_directions_do_not_matter(scan):
    transform = InputDirections(6)
    signs = torch.where(torch.arange(50) % 2 == 0, -1.0, 1.0).double()[:, None]
    assert torch.equal(transform(scan.directions * signs, scan.shell), transform(scan.directions, scan.shell))


def test_dictionary_version_adds_the_same_inputs(scan):
    item = {"directions": scan.directions, "shell": scan.shell, "other": 1}
    found = InputDirectionsd(number=6)(item)
    assert torch.equal(found["inputs"], InputDirections(6)(scan.directions, scan.shell))
    assert set(found) == {*item, "inputs"}
    assert "inputs" not in item


def test_missing_keys_are_an_error_unless_allowed(scan):
    with pytest.raises(KeyError):
        InputDirectionsd("missing")({"shell": scan.shell})
    assert InputDirectionsd("missing", allow_missing_keys=True)({"shell": scan.shell}).keys() == {"shell"}
