"""Atrophy of concentric spheres, whose thickness is the difference of their radii."""

import math

import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.atrophy import atrophy, partner_thickness, region_taper
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh

SPHERE = icosphere(4)
WHITE, PIAL = (Mesh(radius * SPHERE.vertices, SPHERE.faces) for radius in (30, 33))
NORTH = SPHERE.vertices[:, 2] > 0.5


def test_spheres_lose_the_dose():
    for dose in (0.0, 0.1, 1.0, 2.4):
        thin = atrophy(WHITE, PIAL, dose)
        torch.testing.assert_close(partner_thickness(WHITE, thin), torch.full((2562,), 3 - dose).double())
        torch.testing.assert_close(thin.vertices, (33 - dose) * SPHERE.vertices)
        assert thin.faces is PIAL.faces


def test_a_fifth_of_the_thickness_stays():
    thin = atrophy(WHITE, PIAL, 100.0)
    torch.testing.assert_close(partner_thickness(WHITE, thin), torch.full((2562,), 0.6).double())
    together = atrophy(WHITE, WHITE, 1.0)
    assert torch.equal(together.vertices, WHITE.vertices)


def test_region_of_true_and_false_and_weights():
    thin = atrophy(WHITE, PIAL, 1.0, NORTH)
    torch.testing.assert_close(partner_thickness(WHITE, thin), 3 - NORTH.double())
    assert torch.equal(thin.vertices[~NORTH], PIAL.vertices[~NORTH])
    weights = torch.linspace(0, 1, len(NORTH)).double()
    torch.testing.assert_close(partner_thickness(WHITE, atrophy(WHITE, PIAL, 2.0, weights)), 3 - 2 * weights)
    assert torch.equal(atrophy(WHITE, PIAL, 1.0, NORTH).vertices, atrophy(WHITE, PIAL, 1.0, NORTH.double()).vertices)


def test_rigid_motion(rotation_matrix):
    turn = rotation_matrix(2)
    moved = [Mesh(mesh.vertices @ turn.T + 9, mesh.faces) for mesh in (WHITE, PIAL)]
    torch.testing.assert_close(
        atrophy(*moved, 0.7, NORTH).vertices, atrophy(WHITE, PIAL, 0.7, NORTH).vertices @ turn.T + 9
    )


def test_surfaces_are_not_changed_in_place():
    before = PIAL.vertices.clone()
    atrophy(WHITE, PIAL, 1.0)
    assert torch.equal(PIAL.vertices, before)


@pytest.mark.parametrize("dose", [-0.1, math.nan, math.inf])
def test_impossible_dose_is_refused(dose):
    with pytest.raises(ConfigError, match="dose"):
        atrophy(WHITE, PIAL, dose)


@pytest.mark.parametrize(
    "region", [NORTH[1:], NORTH[:, None], 2.0 * NORTH, -0.1 * NORTH, torch.full((2562,), torch.nan), torch.ones(0)]
)
def test_impossible_region_is_refused(region):
    with pytest.raises(ConfigError, match="region"):
        atrophy(WHITE, PIAL, 1.0, region)


@pytest.mark.parametrize(
    ("pial", "message"),
    [
        (icosphere(3), "partners"),
        (Mesh(PIAL.vertices, PIAL.faces.roll(1, 1)), "partners"),
        (Mesh(PIAL.vertices, PIAL.faces[:-1]), "partners"),
        (Mesh(PIAL.vertices.where(SPHERE.vertices < 1, torch.nan), PIAL.faces), "NaN"),
    ],
)
def test_surfaces_that_are_no_partners_are_refused(pial, message):
    for function in (partner_thickness, lambda *meshes: atrophy(*meshes, 1.0)):
        with pytest.raises(GeometryError, match=message):
            function(WHITE, pial)


def test_taper_falls_like_a_cosine_along_the_edges():
    """A strip of squares: the way along it is as long as the strip."""
    x = torch.arange(11.0)
    vertices = torch.cat([torch.stack([x, 0 * x, 0 * x], 1), torch.stack([x, 0 * x + 1, 0 * x], 1)])
    low = torch.arange(10)
    faces = torch.cat([torch.stack([low, low + 1, low + 11], 1), torch.stack([low + 1, low + 12, low + 11], 1)])
    mask = torch.zeros(22, dtype=torch.bool)
    mask[[0, 11]] = True
    taper = region_taper(Mesh(vertices, faces), mask, 4.0)
    expected = torch.where(x < 4, (1 + torch.cos(math.pi * x / 4)) / 2, 0.0)
    torch.testing.assert_close(taper, expected.repeat(2))


def test_taper_keeps_the_region_falls_outside_and_is_bounded():
    taper = region_taper(PIAL, NORTH, 10.0)
    assert (taper[NORTH] == 1).all()
    assert ((taper >= 0) & (taper <= 1)).all()
    angle = torch.acos(SPHERE.vertices[:, 2].clamp(-1, 1)) - math.pi / 3
    assert (taper[33 * angle > 10] == 0).all()
    assert (taper[(33 * angle < 5) & ~NORTH] > 0.1).all()
    assert torch.equal(region_taper(PIAL, NORTH, 0.0), NORTH.double())
    assert not region_taper(PIAL, NORTH & ~NORTH, 5.0).any()


@pytest.mark.parametrize(("mask", "width"), [(NORTH.double(), 1.0), (NORTH[1:], 1.0), (NORTH, -1.0), (NORTH, math.nan)])
def test_impossible_taper_is_refused(mask, width):
    with pytest.raises(ConfigError):
        region_taper(PIAL, mask, width)
