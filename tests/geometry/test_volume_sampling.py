"""Interpolation of images that are linear, and crossings that are known."""

import pytest
import torch

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.volume_sampling import ray_crossings, sample_volume

SLOPE = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
SHAPE = (7, 8, 9)


def oblique(rotation):
    """An affine with unequal edges and a mirrored axis."""
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = rotation @ torch.diag(torch.tensor([-1.0, 2.0, 0.7]).double())
    affine[:3, 3] = torch.tensor([10.0, -20.0, 5.0])
    return affine


def world(indices, affine):
    return indices @ affine[:3, :3].T + affine[:3, 3]


def ramp(affine):
    """Image whose value is linear in mm."""
    nodes = torch.stack(torch.meshgrid(*(torch.arange(n).double() for n in SHAPE), indexing="ij"), -1)
    return world(nodes, affine) @ SLOPE


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_linear_images_are_read_exactly_on_any_grid(rotation_matrix, kind):
    affine = oblique(rotation_matrix(0))
    size = torch.tensor(SHAPE).double() - 1
    points = world(torch.rand(5, 50, 3, generator=torch.Generator().manual_seed(0)).double() * size, affine)
    values = sample_volume(ramp(affine).to(kind), affine, points)
    assert values.dtype == torch.float64
    torch.testing.assert_close(values, points @ SLOPE, rtol=1e-6, atol=1e-5 if kind == torch.float32 else 1e-10)


def test_voxels_keep_their_values_and_integers_are_read():
    image = torch.arange(24).reshape(2, 3, 4)
    nodes = torch.stack(torch.meshgrid(*map(torch.arange, (2, 3, 4)), indexing="ij"), -1)
    assert torch.equal(sample_volume(image, torch.eye(4), nodes), image.double())


def test_outside_is_not_a_number():
    places = torch.tensor([[-0.01, 0, 0], [0, 2.01, 0], [0, 0, torch.nan], [0, 0, 3.0]])
    values = sample_volume(torch.ones(2, 3, 4), torch.eye(4), places)
    assert values.isnan().tolist() == [True, True, True, False]


def test_crossing_of_a_ramp_in_both_directions():
    """The image is x, from 0 to 20; the ray starts at 10 and runs at an angle."""
    image = torch.arange(21.0)[:, None, None].expand(21, 21, 21).contiguous()
    point, way = torch.full((1, 3), 10.0), torch.tensor([[-0.8, 0.6, 0.0]])
    assert ray_crossings(image, torch.eye(4), point, way, 7.13, 0.0, 8.0).item() == pytest.approx(2.87 / 0.8)
    assert ray_crossings(-image, torch.eye(4), point, way, -12.5, 0.0, -8.0).item() == pytest.approx(-2.5 / 0.8)
    assert ray_crossings(image, torch.eye(4), point, way, 12.5, -5.0, 8.0).item() == pytest.approx(-2.5 / 0.8)
    # It rises backwards, ends before the crossing, starts behind it or nowhere, or runs out of the image.
    for level, begin, end in (
        (12.5, 0.0, -8.0),
        (7.13, 0.0, 3.0),
        (7.13, 4.0, 8.0),
        (7.13, torch.nan, 8.0),
        (-1, 0, 20),
    ):
        assert ray_crossings(image, torch.eye(4), point, way, level, begin, end).isnan()


def test_first_of_several_crossings_and_a_start_for_each_ray():
    image = torch.tensor([1.0, 0, 1, 0, 1, 0, 1]).reshape(7, 1, 1)
    points, ways = torch.zeros(3, 3), torch.tensor([[1.0, 0, 0]]).expand(3, 3)
    found = ray_crossings(image, torch.eye(4), points, ways, 0.5, torch.tensor([0.0, 1.0, 3.0]), 6.0)
    torch.testing.assert_close(found, torch.tensor([0.5, 2.5, 4.5]).double())


@pytest.mark.parametrize(
    ("image", "affine", "message"),
    [
        (torch.zeros(1, 2, 2, 2), torch.eye(4), "one value"),
        (torch.zeros(0, 2, 2), torch.eye(4), "one value"),
        (torch.zeros(2, 2, 2), torch.eye(3), "affine"),
        (torch.zeros(2, 2, 2), torch.zeros(4, 4), "affine"),
        (torch.zeros(2, 2, 2), torch.full((4, 4), torch.nan), "affine"),
    ],
)
def test_other_images_and_affines_are_refused(image, affine, message):
    with pytest.raises(GeometryError, match=message):
        sample_volume(image, affine, torch.zeros(1, 3))
    with pytest.raises(GeometryError, match=message):
        ray_crossings(image, affine, torch.zeros(1, 3), torch.zeros(1, 3), 0.0, 0.0, 1.0)
