"""Levels of tissues in images that were drawn with them."""

import math

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.tissue_levels import TissueLevels, tissue_levels

SPHERE = icosphere(4)
WHITE, PIAL = (Mesh(radius * SPHERE.vertices, SPHERE.faces) for radius in (20, 24))


def test_levels_of_concentric_spheres(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.0)
    assert tissue_levels(image, affine, WHITE, PIAL)[:3] == pytest.approx((1.0, 0.6, 0.15), abs=1e-3)


def test_levels_follow_the_unit_and_noise_is_measured(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.0, noise=0.05)
    levels, other = (tissue_levels(part, affine, WHITE, PIAL) for part in (image, 7 - 100 * image))
    assert levels[:3] == pytest.approx((1.0, 0.6, 0.15), abs=5e-3)
    # Between voxels, interpolation averages the noise.
    assert 0.02 < levels.noise < 0.05
    assert other[:3] == pytest.approx([7 - 100 * level for level in levels[:3]], abs=1e-3)
    assert other.noise == pytest.approx(100 * levels.noise, rel=1e-3)


def test_levels_of_fsaverage5(fsaverage5, cortical_image):
    image, affine = cortical_image(*fsaverage5, 1.4)
    assert tissue_levels(image, affine, *fsaverage5)[:3] == pytest.approx((1.0, 0.6, 0.15), abs=5e-3)


def test_folds_that_lie_near_are_left_out():
    """Around most of the sphere, 1.5 mm away, lies the cortex of the bank across."""
    gap = torch.where(SPHERE.vertices[:, 2:] < 0.5, 1.5, 16.0).double()
    across = [Mesh((24 + gap + more) * SPHERE.vertices, SPHERE.faces.flip(1)) for more in (4, 0)]
    surfaces = [join_meshes(pair) for pair in zip((WHITE, PIAL), across, strict=True)]
    places = torch.stack(torch.meshgrid(*[torch.linspace(-46, 46, 116).double()] * 3, indexing="ij"), -1)
    radius = places.norm(dim=-1)
    beyond = radius - 24 - torch.where(places[..., 2] < 0.5 * radius, 1.5, 16.0)
    image = torch.full(radius.shape, 0.15)
    image[((radius > 20) & (radius < 24)) | ((beyond > 0) & (beyond < 4))] = 0.6
    image[(radius < 20) | (beyond > 4)] = 1.0
    affine = torch.diag(torch.tensor([0.8, 0.8, 0.8, 1]))
    affine[:3, 3] = -46
    assert tissue_levels(image, affine, *surfaces)[:3] == pytest.approx((1.0, 0.6, 0.15), abs=0.02)


def test_order_of_the_tissues_and_their_contrast():
    assert TissueLevels(1.0, 0.6, 0.15).halfway() == pytest.approx((0.8, 0.375))
    assert TissueLevels(1.0, 0.6, 0.15).direction() == 1
    assert TissueLevels(0.2, 0.6, 0.9).direction() == -1
    for levels in (
        (1.0, 0.1, 0.6),
        (0.5, 0.5, 0.1),
        (math.nan, 0.6, 0.1),
        (1.0, 0.6, 0.55, 0.2),
        (1, 0.6, 0.1, math.nan),
    ):
        assert TissueLevels(*levels).direction() == 0


def test_noise_alone_has_no_direction():
    noise = torch.randn(60, 60, 60, generator=torch.Generator().manual_seed(0))
    affine = torch.eye(4)
    affine[:3, 3] = -30
    assert tissue_levels(noise, affine, WHITE, PIAL).direction() == 0


def test_surfaces_beside_the_image_and_without_cortex_have_no_levels():
    assert math.isnan(tissue_levels(torch.zeros(3, 3, 3), torch.eye(4), WHITE, PIAL).white)
    assert tissue_levels(torch.zeros(3, 3, 3), torch.eye(4), WHITE, WHITE).direction() == 0
