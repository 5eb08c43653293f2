import math

import numpy as np
import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.simulate import PROTOCOLS, gradient_protocol, random_protocol, repulsed_directions


def smallest_angle(directions):
    """Between any two axes, in degree."""
    cosine = (directions @ directions.T).abs() - 2 * torch.eye(len(directions)).double()
    return math.degrees(math.acos(cosine.max().item()))


@pytest.mark.parametrize(("count", "angle"), [(2, 90.0), (3, 90.0), (6, math.degrees(math.atan(2)))])
def test_few_axes_are_those_of_regular_bodies(count, angle, generator):
    """Orthogonal frames, and the icosahedron's six axes at 63.43 degrees."""
    directions = repulsed_directions(count, generator)
    assert smallest_angle(directions) == pytest.approx(angle, abs=0.5)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(count).double())


@pytest.mark.parametrize("count", [30, 64])
def test_many_directions_are_far_apart(count, generator):
    """An axis of N claims a cap of the half sphere: no spacing exceeds the hexagonal one of area 2 pi / N."""
    packed = math.degrees(math.sqrt(2 / math.sqrt(3) * 2 * math.pi / count))
    chance = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator).double(), dim=1)
    found = smallest_angle(repulsed_directions(count, generator))
    assert 0.8 * packed < found < packed
    assert found > 3 * smallest_angle(chance)


def test_scatter_of_directions_is_isotropic(generator):
    directions = repulsed_directions(30, generator)
    torch.testing.assert_close(directions.T @ directions / 30, torch.eye(3).double() / 3, atol=0.02, rtol=0)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_tables_hold_what_their_protocol_says(name, generator):
    table = gradient_protocol(name, generator)
    unweighted, shells = PROTOCOLS[name]
    values, counts = np.unique(table.bvalues, return_counts=True)
    assert dict(zip(values, counts, strict=True)) == {0: unweighted, **dict(shells)}
    np.testing.assert_allclose(np.linalg.norm(table.directions, axis=1), table.bvalues > 0, atol=1e-12)
    assert (np.diff(table.bvalues) >= 0).all()


def test_own_protocols_are_accepted(generator):
    table = gradient_protocol((1, [(700, 6), (2800, 12)]), generator)
    assert table.bvalues.tolist() == [0] + [700] * 6 + [2800] * 12
    assert smallest_angle(torch.from_numpy(table.directions[1:7])) > 60


def test_unknown_protocols_are_answered_with_the_known(generator):
    with pytest.raises(ConfigError, match="clinical_16, clinical_30.*hcp") as caught:
        gradient_protocol("clinical_31", generator)
    assert "clinical_31" in str(caught.value)


def test_equal_seeds_give_equal_tables():
    first, again, other = (gradient_protocol("clinical_16", torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert (first.directions == again.directions).all()
    assert abs(first.directions - other.directions).max() > 0.1


def test_random_protocols_fill_their_ranges(generator):
    found = [random_protocol([1000, 3000], (6, 9), generator) for _ in range(60)]
    assert {unweighted for unweighted, _ in found} == set(range(1, 7))
    assert {b for _, shells in found for b, _ in shells} == {1000, 3000}
    assert {count for _, shells in found for _, count in shells} == {6, 7, 8, 9}
    assert any(first[1] != second[1] for _, (first, second) in found)
    unweighted, shells = found[0]
    assert len(gradient_protocol(found[0], generator).bvalues) == unweighted + sum(count for _, count in shells)
