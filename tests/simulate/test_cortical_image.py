"""Images of surfaces: partial volume that is exact in the surfaces."""

import math

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.simulate.cortical_image import simulate_t1, tissue_fractions
from monai_cortex.simulate.scanner import Scanner

SHAPE = (44, 30, 30)
INNER, OUTER = 9.0, 12.0
VOLUME = 1.5**3


@pytest.fixture(scope="module")
def affine():
    matrix = torch.diag(torch.tensor([1.5, 1.5, 1.5, 1], dtype=torch.float64))
    matrix[:3, 3] = torch.tensor([-32.2, -21.6, -21.9])
    return matrix


@pytest.fixture(scope="module")
def balls():
    """Two hemispheres that are balls side by side, white within pial."""
    ball = icosphere(4)
    centers = [ball.vertices.new_tensor([x, 0, 0]) for x in (-13.0, 13.0)]
    return [[Mesh(radius * ball.vertices + center, ball.faces) for center in centers] for radius in (INNER, OUTER)]


@pytest.fixture(scope="module")
def fractions(balls, affine):
    return tissue_fractions(*balls, SHAPE, affine)


def test_volumes_are_those_of_the_balls(fractions):
    white, gray, fluid = (fractions.sum((1, 2, 3)) * VOLUME).tolist()
    ball = [4 / 3 * math.pi * radius**3 for radius in (INNER, OUTER, OUTER + 4)]
    assert white == pytest.approx(2 * ball[0], rel=0.01)
    assert gray == pytest.approx(2 * (ball[1] - ball[0]), rel=0.01)
    # Two balls of fluid of radius 16, 26 mm apart, overlap in a lens of 2 caps of height 3.
    lens = 2 * math.pi * 3**2 * (3 * 16 - 3) / 3
    assert fluid == pytest.approx(2 * ball[2] - lens - 2 * ball[1], rel=0.03)


def test_fractions_are_shares(fractions):
    assert fractions.dtype == torch.float32
    assert fractions.min() >= 0
    assert fractions.sum(0).max() <= 1 + 1e-6


def test_each_tissue_is_in_its_place(fractions, affine):
    def at(*point):
        voxel = torch.linalg.solve(affine, torch.tensor([*point, 1.0], dtype=torch.float64))[:3].round().long()
        return fractions[(slice(None), *voxel)].tolist()

    assert at(13, 0, 0) == pytest.approx([1, 0, 0])
    assert at(-13, 10.5, 0) == pytest.approx([0, 1, 0])
    assert at(13, 0, -14.5) == pytest.approx([0, 0, 1])
    assert at(0, 6, 0) == pytest.approx([0, 0, 1])
    assert at(13, 19, 0) == pytest.approx([0, 0, 0])


def test_hemispheres_may_come_in_any_order(balls, affine, fractions):
    swapped = tissue_fractions(balls[0][::-1], balls[1][::-1], SHAPE, affine)
    torch.testing.assert_close(swapped, fractions)


def test_image_is_the_scanner_of_the_fractions(balls, affine, fractions):
    scanner = Scanner(noise=0.0)
    found = simulate_t1(*balls, SHAPE, affine, scanner)
    assert torch.equal(found.fractions, fractions)
    torch.testing.assert_close(found.image, fractions[0] + 0.6 * fractions[1] + 0.15 * fractions[2])


def test_thicker_cortex_is_more_gray_matter_by_as_much(balls, affine, fractions):
    """A tenth of a millimeter, far below a voxel, is there in full."""
    middles = [mesh.vertices.mean(0) for mesh in balls[1]]
    thicker = [Mesh(c + (m.vertices - c) * 12.1 / 12, m.faces) for m, c in zip(balls[1], middles, strict=True)]
    more = tissue_fractions(balls[0], thicker, SHAPE, affine)[1] - fractions[1]
    assert more.sum().item() * VOLUME == pytest.approx(8 / 3 * math.pi * (12.1**3 - 12**3), rel=0.03)
