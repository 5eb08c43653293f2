import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.metrics import StreamlineScores, streamline_scores

SHAPE = (12, 12, 5)
OBLIQUE = torch.eye(4, dtype=torch.float64)
OBLIQUE[:3, :3] = torch.tensor([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]]) @ torch.diag(
    torch.tensor([-2.0, 2.0, 3.0])
)
OBLIQUE[:3, 3] = torch.tensor([4.0, -30.0, 9.0])


@pytest.fixture
def cross():
    """Two bundles three voxels wide and one deep that cross at right angles, an end region at each of the four ends."""
    bundles = torch.zeros(2, *SHAPE, dtype=torch.bool)
    bundles[0, :, 4:7, 2] = True
    bundles[1, 4:7, :, 2] = True
    endpoints = torch.zeros(2, 2, *SHAPE, dtype=torch.bool)
    endpoints[0, 0, 0] = endpoints[0, 1, -1] = bundles[0, 0]
    endpoints[1, 0, :, 0] = endpoints[1, 1, :, -1] = bundles[1, :, 0]
    return bundles, endpoints


def scores(cross, *lines, affine=OBLIQUE):
    """Scores of polylines given in voxel indices."""
    world = [torch.tensor(line, dtype=torch.float64) @ affine[:3, :3].T + affine[:3, 3] for line in lines]
    return streamline_scores(world, *cross, affine)


def fractions(found):
    return found.valid, found.invalid, found.unconnected


ALONG = [(0, 5, 2), (11, 5, 2)]
ACROSS = [(5, 0, 2), (5, 11, 2)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (ALONG, (1, 0, 0)),
        (ALONG[::-1], (1, 0, 0)),
        ([(0, 5, 2), (5, 7.4, 3.4), (11, 5, 2)], (1, 0, 0)),  # one voxel beside the bundle
        ([(0, 5, 2), (5, 7.6, 2), (11, 5, 2)], (0, 1, 0)),  # two voxels beside it
        ([(0, 5, 2), (5, 5, 3.6), (11, 5, 2)], (0, 1, 0)),
        ([(0, 5, 2), (5, 5, 2), (5, 11, 2)], (0, 1, 0)),  # from one bundle to the other
        ([(5, 11, 2), (5, 5, 2), (0, 5, 2)], (0, 1, 0)),
        ([(0, 5, 2), (10, 5, 2)], (0, 0, 1)),
        ([(1, 5, 2), (11, 5, 2)], (0, 0, 1)),
        ([(0, 5, 2), (6, 5, 2), (0, 4, 2)], (0, 0, 1)),  # back to where it came from
        ([(0, 5, 2)], (0, 0, 1)),
        ([(0, 5, 2), (-0.6, 5, 2), (11, 5, 2)], (0, 1, 0)),  # out of the grid and back
        ([(-1, 5, 2), (11, 5, 2)], (0, 0, 1)),
        ([(0, 5, 2), (12, 5, 2)], (0, 0, 1)),
    ],
)
def test_one_streamline_is_what_it_should_be(cross, line, expected):
    found = scores(cross, line)
    assert fractions(found) == expected
    assert found.bundle_valid.tolist() == [expected[0], 0]


def test_fractions_are_of_all_streamlines(cross):
    turn = [(0, 5, 2), (5, 5, 2), (5, 11, 2)]
    found = scores(cross, ALONG, ALONG, ACROSS, turn, [(3, 5, 2), (4, 5, 2)])
    assert fractions(found) == (3 / 5, 1 / 5, 1 / 5)
    assert found.bundle_valid.tolist() == [2, 1]


def test_overlap_and_overreach_are_counts_of_voxels(cross):
    """Of 36 voxels the straight line crosses 12; the bent one runs along another 4 and back, and 4 of its neighbors."""
    found = scores(cross, ALONG, [(0, 5, 2), (2, 5, 2), (2, 7, 2), (5, 7, 2), (5, 5, 2), (11, 5, 2)])
    assert found.bundle_overlap.tolist() == pytest.approx([14 / 36, 0])
    assert found.bundle_overreach.tolist() == pytest.approx([4 / 36, 0])
    assert (found.overlap, found.overreach) == pytest.approx((7 / 36, 2 / 36))


def test_invalid_streamlines_fill_nothing(cross):
    found = scores(cross, [(0, 5, 2), (5, 5, 2), (5, 11, 2)], [(0, 5, 2), (10, 5, 2)])
    assert (found.overlap, found.overreach) == (0, 0)


def test_streamline_may_be_valid_in_two_bundles(cross):
    bundles, endpoints = (part[[0, 0, 1]] for part in cross)
    found = scores((bundles, endpoints), ALONG, ACROSS)
    assert fractions(found) == (1, 0, 0)
    assert found.bundle_valid.tolist() == [1, 1, 1]
    assert found.bundle_overlap.tolist() == pytest.approx([1 / 3] * 3)


def test_no_streamlines_score_nothing(cross):
    found = scores(cross)
    assert found[:5] == (0, 0, 0, 0, 0)
    assert type(found) is StreamlineScores


def test_many_streamlines_score_like_one(cross):
    found = scores(cross, *[ALONG] * 1001, *[ACROSS] * 1001)
    assert found.bundle_valid.tolist() == [1001, 1001]
    assert found[:5] == pytest.approx((1, 0, 0, 1 / 3, 0))


def test_voxel_that_a_corner_touches_is_not_crossed():
    ends = torch.ones(1, 2, 8, 8, 4)
    found = streamline_scores([[(4, 6, 2), (5, 5, 2)]], torch.ones(1, 8, 8, 4), ends, torch.eye(4))
    assert found.overlap == 2 / 256


def path(seed, step):
    """A random walk in voxel indices that starts inside the grid."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(1, 3, generator=generator, dtype=torch.float64) * torch.tensor([11, 11, 4])
    steps = step * torch.randn(8, 3, generator=generator, dtype=torch.float64)
    return torch.cat([start, start + steps.cumsum(0)])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 4))
def test_crossed_voxels_are_those_of_fine_samples(seed, step):
    """One bundle that fills a grid, with ends where the path begins and ends: the overlap counts what it crosses."""
    line = path(seed, step) + torch.tensor([100.0, 100.0, 100.0])
    low = (line.amin(0) + 0.5).floor()
    shape = ((line.amax(0) + 0.5).floor() - low + 1).long().tolist()
    line = line - low
    fine = torch.cat(
        [
            a + torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None] * (b - a)
            for a, b in line.unfold(0, 2, 1).transpose(1, 2)
        ]
    )
    voxels = torch.unique((fine + 0.5).floor().long(), dim=0)
    bundles, endpoints = torch.ones(1, *shape), torch.ones(1, 2, *shape)
    found = streamline_scores([line], bundles, endpoints, torch.eye(4))
    assert found.valid == 1
    missed = round(found.overlap * np.prod(shape)) - len(voxels)
    # Corners that are cut by less than a sample are found by the exact method alone.
    assert 0 <= missed <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
def test_direction_points_and_axes_do_not_matter(seeds):
    generator = torch.Generator().manual_seed(seeds[0])
    bundles = torch.rand(3, *SHAPE, generator=generator) < 0.9
    endpoints = torch.rand(3, 2, *SHAPE, generator=generator) < 0.3
    lines = [path(seed, 0.5) for seed in seeds]
    expected = streamline_scores(lines, bundles, endpoints, torch.eye(4))
    assert sum(fractions(expected)) == pytest.approx(1)
    middles = [torch.stack([line[:-1], (line[1:] + line[:-1]) / 2], 1).flatten(0, 1) for line in lines]
    refined = [torch.cat([middle, line[-1:]]) for middle, line in zip(middles, lines, strict=True)]
    flipped = [torch.cat([line[:, :1], 11 - line[:, 1:2], line[:, 2:]], 1) for line in refined]
    found = [
        scores((bundles, endpoints), *(line.flip(0).tolist() for line in lines)),
        streamline_scores([line.numpy() for line in refined], bundles.numpy(), endpoints.numpy(), np.eye(4)),
        streamline_scores(flipped, bundles.flip(2), endpoints.flip(3), torch.eye(4)),
    ]
    for other in found:
        assert other[:5] == pytest.approx(expected[:5])
        assert other.bundle_valid.tolist() == expected.bundle_valid.tolist()


@pytest.mark.parametrize(
    ("bundles", "endpoints", "line", "message"),
    [
        ((2, 4, 4, 4), (3, 2, 4, 4, 4), (2, 3), "on one grid"),
        ((2, 4, 4, 4), (2, 2, 4, 4, 5), (2, 3), "on one grid"),
        ((4, 4, 4), (2, 4, 4, 4), (2, 3), "on one grid"),
        ((2, 4, 4, 4), (2, 2, 4, 4, 4), (0, 3), "P at least 1"),
        ((2, 4, 4, 4), (2, 2, 4, 4, 4), (2, 2), r"points \(P, 3\)"),
    ],
)
def test_other_shapes_are_refused(bundles, endpoints, line, message):
    with pytest.raises(ValueError, match=message):
        streamline_scores([torch.ones(line)], torch.ones(bundles), torch.ones(endpoints), torch.eye(4))
