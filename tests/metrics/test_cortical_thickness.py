"""Thickness of spheres and of fsaverage5 in drawn images, and how much of a known atrophy is seen."""

import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.atrophy import atrophy, partner_thickness
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.tissue_levels import TissueLevels
from monai_cortex.metrics import cortical_thickness, cortical_thickness_change

SPHERE = icosphere(5)
WHITE, PIAL = (Mesh(radius * SPHERE.vertices, SPHERE.faces) for radius in (30, 33))
LEVELS = TissueLevels(1.0, 0.6, 0.15)
# Bias, mean absolute error and mean change at doses 0.25 and 1 mm of the specification's own estimator, with noise.
FLOORS = {1.89: (0.110, 0.203, 0.222, 0.762), 1.42: (0.030, 0.132, 0.242, 0.881)}


@pytest.mark.parametrize("spacing", [0.7, 1.0])
def test_spheres_are_as_thick_as_their_radii_differ(cortical_image, spacing):
    image, affine = cortical_image(WHITE, PIAL, spacing)
    thickness = cortical_thickness(image, affine, WHITE, PIAL, LEVELS)
    assert thickness.isfinite().all()
    assert thickness.mean().item() == pytest.approx(3, abs=0.02)
    assert (thickness - 3).abs().mean() < 0.05
    estimated = cortical_thickness(image, affine, WHITE, PIAL)
    assert (estimated - thickness).abs().max() < 0.01


@pytest.mark.parametrize("dose", [0.0, 0.25, 1.0])
def test_spheres_lose_the_dose(cortical_image, dose):
    control, affine = cortical_image(WHITE, PIAL, 1.0)
    image, _ = cortical_image(WHITE, atrophy(WHITE, PIAL, dose), 1.0, around=PIAL)
    found = cortical_thickness_change(control, image, affine, WHITE, PIAL)
    assert found.mean.item() == pytest.approx(dose, abs=0.02)
    assert found.error(torch.full_like(found.change, dose)) < 0.05
    assert found.found == 1
    assert found.drift.isnan()


def test_region_alone_gets_thinner(cortical_image):
    region = SPHERE.vertices[:, 2] > 0
    control, affine = cortical_image(WHITE, PIAL, 1.0)
    image, _ = cortical_image(WHITE, atrophy(WHITE, PIAL, 0.5, region), 1.0, around=PIAL)
    found = cortical_thickness_change(control, image, affine, WHITE, PIAL, region.float())
    assert found.mean.item() == pytest.approx(0.5, abs=0.02)
    assert found.drift.item() == pytest.approx(0, abs=0.02)
    backward = cortical_thickness_change(image, control, affine, WHITE, PIAL, region, LEVELS)
    assert backward.mean.item() == pytest.approx(-0.5, abs=0.02)


@pytest.mark.parametrize("spacing", FLOORS)
def test_fsaverage5_at_the_known_floor(fsaverage5, cortical_image, spacing):
    """The same noise in control and dosed image, as the specification asks of generated ones."""
    white, pial = fsaverage5
    bias, error, quarter, whole = FLOORS[spacing]
    control, affine = cortical_image(white, pial, spacing, noise=0.02)
    off = (cortical_thickness(control, affine, white, pial, LEVELS) - partner_thickness(white, pial)).nan_to_num(
        torch.nan
    )
    assert off.nanmean().item() == pytest.approx(bias, abs=0.015)
    assert off.abs().nanmean().item() == pytest.approx(error, abs=0.015)
    for dose, expected in ((0.25, quarter), (1.0, whole)):
        image, _ = cortical_image(white, atrophy(white, pial, dose), spacing, noise=0.02, around=pial)
        found = cortical_thickness_change(control, image, affine, white, pial, levels=LEVELS)
        assert found.mean.item() == pytest.approx(expected, abs=0.015)
        assert found.found > 0.99


def test_contrast_and_its_sign_do_not_matter(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.4)
    thickness = cortical_thickness(image, affine, WHITE, PIAL)
    inverted = cortical_thickness(5 - 40 * image, affine, WHITE, PIAL)
    torch.testing.assert_close(inverted, thickness, rtol=0, atol=1e-3)


def test_rigid_motion_does_not_matter(cortical_image):
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    image, affine = cortical_image(WHITE, PIAL, 1.4)
    world = torch.eye(4).double()
    world[:3, :3], world[:3, 3] = turn, 20
    moved = [Mesh(mesh.vertices @ turn.T + 20, mesh.faces) for mesh in (WHITE, PIAL)]
    torch.testing.assert_close(
        cortical_thickness(image, world @ affine, *moved, LEVELS),
        cortical_thickness(image, affine, WHITE, PIAL, LEVELS),
    )


def test_the_wrong_image_does_not_give_the_known_thickness(cortical_image):
    """Rays know their place, not the answer."""
    image, affine = cortical_image(Mesh(29 * SPHERE.vertices, SPHERE.faces), PIAL, 1.0)
    assert cortical_thickness(image, affine, WHITE, PIAL, LEVELS).mean().item() == pytest.approx(4, abs=0.03)
    assert cortical_thickness(torch.full_like(image, 0.5), affine, WHITE, PIAL, LEVELS).isnan().all()
    assert cortical_thickness(torch.full_like(image, 0.5), affine, WHITE, PIAL).isnan().all()


def test_thin_cortex_and_rays_beside_the_image_are_left_out(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.4)
    north = SPHERE.vertices[:, 2] > 0
    pial = Mesh(torch.where(north[:, None], PIAL.vertices, 30.9 * SPHERE.vertices), PIAL.faces)
    assert torch.equal(cortical_thickness(image, affine, WHITE, pial, LEVELS).isfinite(), north)
    half = cortical_thickness(image[:, :, : image.shape[2] // 2], affine, WHITE, PIAL, LEVELS)
    assert 0.3 < half.isnan().double().mean() < 0.7
    found = cortical_thickness_change(image, torch.zeros_like(image), affine, WHITE, PIAL, levels=LEVELS)
    assert found.found == 0


def test_what_does_not_fit_is_refused():
    image = torch.zeros(4, 4, 4)
    with pytest.raises(GeometryError, match="partners"):
        cortical_thickness(image, torch.eye(4), WHITE, icosphere(4))
    for other, region in ((torch.zeros(4, 4, 5), None), (image, torch.ones(3))):
        with pytest.raises(ConfigError, match="do not fit"):
            cortical_thickness_change(image, other, torch.eye(4), WHITE, PIAL, region)


def test_part_of_the_cortex_in_a_patch(cortical_image):
    """What lies beside the image neither counts as missing nor as found."""
    image, affine = cortical_image(WHITE, PIAL, 1.0)
    whole = cortical_thickness(image, affine, WHITE, PIAL)
    patch = image[:40, :40, :40]
    found = cortical_thickness_change(patch, patch, affine, WHITE, PIAL)
    seen = found.change.isfinite()
    assert 0.05 < seen.double().mean() < 0.3
    assert found.found > 0.9
    torch.testing.assert_close(
        cortical_thickness(patch, affine, WHITE, PIAL, LEVELS)[seen], whole[seen], rtol=0, atol=0.01
    )


def test_a_sulcus_before_the_white_vertex_is_not_taken_for_the_pial_surface():
    """Along x: gray matter, another sulcus, a thin blade of white matter, 2 mm of cortex, CSF."""
    x = (torch.arange(80) - 40) * 0.25 + 0.125
    profile = torch.full((80,), 0.15)
    for low, high, value in ((-10, -2, 0.6), (-1, 0, 1.0), (0, 2, 0.6)):
        profile[(x > low) & (x < high)] = value
    affine = torch.diag(torch.tensor([0.25, 1, 1, 1]))
    affine[:3, 3] = torch.tensor([float(x[0]), -4, -4])
    white = Mesh(torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 1]]), torch.tensor([[0, 1, 2]]))
    pial = Mesh(white.vertices + torch.tensor([2.0, 0, 0]), white.faces)
    thickness = cortical_thickness(profile[:, None, None].expand(80, 9, 9), affine, white, pial, LEVELS)
    assert thickness.tolist() == pytest.approx([2, 2, 2], abs=0.01)
