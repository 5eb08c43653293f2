"""Search by patches, on maps that are deformed in a known way."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import exponential, rotation_matrix
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers.patch_search import PatchRound, match_patches

MESH = icosphere(4)
ROUND = PatchRound(12.0, 6.0, 8.0, 2, 2e-3)


@pytest.fixture(scope="module")
def fixed():
    degrees = harmonic_degrees(14).double()
    generator = torch.Generator().manual_seed(2)
    coefficients = torch.randn(1, len(degrees), generator=generator, dtype=torch.float64) * (degrees > 1)
    return SphereMap(MESH, coefficients @ real_harmonics(MESH.vertices, 14).T)


def carried(coefficients):
    degree = math.isqrt(coefficients.shape[1]) - 1
    return exponential(real_harmonics(MESH.vertices, degree) @ coefficients.double().T, MESH)


def test_large_deformation_is_nearly_found(fixed):
    degrees = harmonic_degrees(4).double()
    scale = (1 + degrees) ** -1.5 * (degrees > 0)
    field = scale * torch.randn(3, len(degrees), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    truth = carried(field * math.radians(12) / arc_angle(carried(field), MESH.vertices).mean())
    found = match_patches(fixed, SphereMap(MESH, fixed.at(truth)))
    assert torch.rad2deg(arc_angle(truth, MESH.vertices)).mean() > 10
    assert torch.rad2deg(arc_angle(carried(found), truth)).mean() < 2.5
    assert found.shape == (3, 49)


def test_rotation_of_the_grid_is_found(fixed):
    turn = torch.deg2rad(torch.tensor([0.0, 12.0, 0.0], dtype=torch.float64))
    moving = SphereMap(MESH, fixed.at(MESH.vertices @ rotation_matrix(turn).T))
    found = match_patches(fixed, moving, [ROUND])
    expected = torch.zeros_like(found)
    expected[:, 0] = turn * math.sqrt(4 * math.pi)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_equal_maps_stay_where_they_are(fixed):
    assert not match_patches(fixed, fixed, [ROUND]).any()


def test_scale_of_features_does_not_matter(fixed):
    moving = SphereMap(MESH, fixed.at(MESH.vertices.roll(1, 1)))
    scaled = SphereMap(MESH, 3 * moving.values - 7)
    found = [match_patches(fixed, m, [ROUND]) for m in (moving, scaled)]
    torch.testing.assert_close(*found)


def test_different_features_are_refused(fixed):
    with pytest.raises(ValueError, match="1 features, moving 2"):
        match_patches(fixed, SphereMap(MESH, fixed.values.repeat(2, 1)))
