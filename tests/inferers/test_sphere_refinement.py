"""Instance optimization, on maps that are deformed in a known way."""

import math

import pytest
import torch

from monai_cortex.geometry.distortion import edge_distortion
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers.sphere_refinement import RefinementStage, refine_sphere

MESH = icosphere(4)
STAGES = (RefinementStage(3, 6, 60, 2e-2, 0.1, features=12), RefinementStage(3, 8, 40, 1e-2))


def carried(coefficients):
    degree = math.isqrt(coefficients.shape[1]) - 1
    return exponential(real_harmonics(MESH.vertices, degree) @ coefficients.double().T, MESH)


@pytest.fixture(scope="module")
def fixed():
    degrees = harmonic_degrees(12).double()
    generator = torch.Generator().manual_seed(2)
    coefficients = torch.randn(1, len(degrees), generator=generator, dtype=torch.float64) * (degrees > 1)
    return SphereMap(MESH, coefficients @ real_harmonics(MESH.vertices, 12).T)


@pytest.fixture(scope="module")
def truth():
    """A field without a constant part whose flow moves vertices by 5 degrees in the mean."""
    degrees = harmonic_degrees(4).double()
    scale = (1 + degrees) ** -1.5 * (degrees > 0)
    field = scale * torch.randn(3, len(degrees), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return field * math.radians(5) / arc_angle(carried(field), MESH.vertices).mean()


def test_known_deformation_is_recovered(fixed, truth):
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    found = refine_sphere(fixed, moving, STAGES)
    error = torch.rad2deg(arc_angle(carried(found), carried(truth)))
    assert error.mean() < 0.6
    assert found.shape == (3, 81)


def test_equal_maps_stay_where_they_are(fixed):
    found = refine_sphere(fixed, fixed, STAGES)
    assert torch.rad2deg(arc_angle(carried(found), MESH.vertices)).mean() < 0.1


def test_start_at_the_truth_stays_there(fixed, truth):
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    found = refine_sphere(fixed, moving, STAGES[1:], start=truth)
    assert torch.rad2deg(arc_angle(carried(found), carried(truth))).mean() < 0.4


def test_stiffer_weights_leave_less_strain(fixed, truth):
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    moved = [carried(refine_sphere(fixed, moving, STAGES[:1], edge=weight)) for weight in (3.0, 300.0)]
    strain = [edge_distortion(MESH.vertices, places, MESH.faces).mean() for places in moved]
    assert strain[1] < 0.2 * strain[0]


def test_equal_inputs_give_equal_bits(fixed, truth):
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    assert torch.equal(*(refine_sphere(fixed, moving, STAGES[:1]) for _ in range(2)))


def test_different_features_are_refused(fixed):
    with pytest.raises(ValueError, match="1 features, moving 2"):
        refine_sphere(fixed, SphereMap(MESH, fixed.values.repeat(2, 1)), STAGES[:1])
