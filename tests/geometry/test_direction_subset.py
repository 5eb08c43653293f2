import math
from statistics import median

import pytest
import torch

from monai_cortex.geometry.direction_subset import spread_subset
from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index


def random_directions(count, seed=0):
    draw = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(draw, dim=1)


def smallest_angle(directions):
    """Between any two axes, in degree."""
    cosine = (directions @ directions.T).abs() - 2 * torch.eye(len(directions)).double()
    return math.degrees(math.acos(cosine.max().clamp(-1, 1).item()))


@pytest.mark.parametrize("number", [5, 6, 100])
def test_all_are_taken_where_there_are_no_more(number):
    assert spread_subset(random_directions(5), number).tolist() == [0, 1, 2, 3, 4]


def test_axes_of_a_frame_are_found_among_others():
    """The first direction is given; of all the others, the two at right angles to it and each other repel least."""
    frame = torch.linalg.qr(random_directions(3)).Q.T
    near = torch.nn.functional.normalize(frame[0] + 0.3 * random_directions(20), dim=1)
    directions = torch.cat([frame[:1], near, frame[1:2], near.flip(0), frame[2:]])
    assert spread_subset(directions, 3).tolist() == [0, 21, 42]


@pytest.mark.parametrize("number", [1, 2, 7, 30])
def test_indices_are_ascending_and_without_repetition(number):
    chosen = spread_subset(random_directions(40), number)
    assert chosen.dtype == torch.int64
    assert len(chosen) == number
    assert (chosen.diff() > 0).all()
    assert chosen[0] == 0


def energy(directions):
    """Of antipodal pairs of unit charges."""
    first, second = torch.triu_indices(len(directions), len(directions), 1)
    gaps = [directions[first] - sign * directions[second] for sign in (1, -1)]
    return sum((1 / gap.norm(dim=1)).sum().item() for gap in gaps)


@pytest.mark.parametrize("number", [6, 15, 30])
def test_subsets_are_more_even_than_those_of_chance(number):
    grid = healpix_directions(4)
    grid = grid[hemisphere_index(grid)]
    subset = grid[spread_subset(grid, number)]
    orders = [torch.randperm(len(grid), generator=torch.Generator().manual_seed(seed)) for seed in range(30)]
    chance = [grid[order[:number]] for order in orders]
    assert energy(subset) < min(map(energy, chance))
    assert smallest_angle(subset) > median(map(smallest_angle, chance))


def test_larger_subsets_contain_the_smaller():
    directions = random_directions(40)
    small, large = (set(spread_subset(directions, number).tolist()) for number in (8, 20))
    assert small < large


def test_signs_of_directions_do_not_matter():
    directions = random_directions(40)
    signs = torch.where(torch.arange(40) % 3 == 0, -1.0, 1.0).double()[:, None]
    assert torch.equal(spread_subset(directions * signs, 12), spread_subset(directions, 12))


def test_rotations_do_not_matter(rotation_matrix):
    directions = random_directions(40)
    assert torch.equal(spread_subset(directions @ rotation_matrix(1).T, 12), spread_subset(directions, 12))


def test_repeated_directions_are_taken_last():
    directions = random_directions(20).repeat(2, 1)
    assert set((spread_subset(directions, 20) % 20).tolist()) == set(range(20))
