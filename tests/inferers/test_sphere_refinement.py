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
from monai_cortex.inferers import sphere_refinement
from monai_cortex.inferers.sphere_refinement import RefinementStage, are_one_persons, refine_sphere

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


def deformed(fixed, seed, degree):
    """A map that differs by a random flow of the given mean displacement."""
    degrees = harmonic_degrees(6).double()
    scale = (1 + degrees) ** -1.5 * (degrees > 0)
    field = scale * torch.randn(3, len(degrees), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    places = carried(field * math.radians(degree) / arc_angle(carried(field), MESH.vertices).mean())
    return places, SphereMap(MESH, fixed.at(places))


def test_local_minimum_of_the_first_stage_is_left(fixed):
    truth, moving = deformed(fixed, 1, 12)
    found = refine_sphere(fixed, moving, STAGES)
    assert torch.rad2deg(arc_angle(carried(found), truth)).mean() < 1


@pytest.mark.parametrize("noise", [0.0, 0.8])
def test_good_and_noisy_matches_are_no_local_minimum(fixed, truth, noise, monkeypatch):
    def refuse(*_):
        raise AssertionError("searched by patches")

    monkeypatch.setattr(sphere_refinement, "match_patches", refuse)
    degrees = harmonic_degrees(12).double()
    random = torch.randn(1, len(degrees), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    values = fixed.at(carried(truth)) + noise * (random * (degrees > 1)) @ real_harmonics(MESH.vertices, 12).T
    refine_sphere(fixed, SphereMap(MESH, values), STAGES[:1])


def test_equal_maps_stay_where_they_are(fixed):
    found = refine_sphere(fixed, fixed, STAGES)
    assert torch.rad2deg(arc_angle(carried(found), MESH.vertices)).mean() < 0.1


def test_start_at_the_truth_stays_there(fixed, truth):
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    found = refine_sphere(fixed, moving, STAGES[1:], start=truth)
    assert torch.rad2deg(arc_angle(carried(found), carried(truth))).mean() < 0.4


def test_misfit_of_a_start_is_the_mean_square_of_standardized_maps(fixed, truth):
    """Of height against depth, of mean square 1 each, it is 4; degrees beyond the stage's are cut, others filled."""
    height = SphereMap(MESH, MESH.vertices[:, 2][None])
    stage = sphere_refinement._Stage(height, height._replace(values=-height.values), STAGES[0], 5, {})
    assert stage.misfit_of(torch.zeros(3, 0)) == pytest.approx(4, rel=5e-3)
    same = sphere_refinement._Stage(fixed, SphereMap(MESH, fixed.at(carried(truth))), STAGES[1], 5, {})
    at_truth = same.misfit_of(truth.float())
    assert at_truth < 0.05 * same.misfit_of(torch.zeros(3, 0))
    longer = torch.cat([truth.float(), torch.zeros(3, 81 - 25), torch.ones(3, 40)], 1)
    assert same.misfit_of(longer) == at_truth


@pytest.mark.parametrize("extra", [0, 24, 96])
def test_start_of_another_degree_is_cut_or_filled(fixed, truth, extra):
    """The stage's degree 6 has 49 coefficients, the truth's 4 has 25."""
    moving, stage = SphereMap(MESH, fixed.at(carried(truth))), RefinementStage(3, 6, 3, 1e-2)
    start = torch.cat([truth.float(), torch.ones(3, extra) * (torch.arange(25, 25 + extra) >= 49)], 1)
    found = refine_sphere(fixed, moving, [stage], start)
    assert found.shape == (3, 49)
    assert torch.equal(found, refine_sphere(fixed, moving, [stage], truth.float()))


def test_stiffness_at_a_start_follows_its_misfit(fixed, truth, monkeypatch):
    """At the solution there is hardly any, and the deformation stays; two people's misfit would pull it back."""
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    errors = []
    for same in (sphere_refinement._SAME, 1e-6):
        monkeypatch.setattr(sphere_refinement, "_SAME", same)
        found = refine_sphere(fixed, moving, STAGES[1:], start=truth, edge=100.0)
        errors.append(torch.rad2deg(arc_angle(carried(found), carried(truth))).mean())
    assert errors[0] < 0.6
    assert errors[1] > 2 * errors[0]


def test_bad_start_is_left(fixed, truth):
    """The opposite of the truth."""
    moving = SphereMap(MESH, fixed.at(carried(truth)))
    found = refine_sphere(fixed, moving, STAGES, start=-truth)
    assert torch.rad2deg(arc_angle(carried(found), carried(truth))).mean() < 1


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


def test_one_person_s_maps_are_told_from_two_people_s():
    mesh = icosphere(4)
    generator = torch.Generator().manual_seed(0)
    first, second = (
        (real_harmonics(mesh.vertices, 8) @ torch.randn(81, 1, generator=generator, dtype=torch.float64)).T
        for _ in range(2)
    )
    still = torch.zeros(3, 49)
    assert are_one_persons(SphereMap(mesh, first), SphereMap(mesh, 3 * first + 1), still)
    assert not are_one_persons(SphereMap(mesh, first), SphereMap(mesh, first + second), still)
