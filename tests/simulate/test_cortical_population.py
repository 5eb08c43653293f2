"""Synthetic people: their moments, and that the registration they come with is the true one."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import arc_angle, vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.simulate import CorticalPopulation

MESH = icosphere(3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def maps():
    """Mean and deviation of two features."""
    x, y, z = MESH.vertices.T
    mean = SphereMap(MESH, torch.stack([x * y, z + 2]))
    return mean, SphereMap(MESH, torch.stack([0.2 + 0.1 * z, 1.5 + y]))


@pytest.fixture(scope="module")
def population(maps):
    return CorticalPopulation(*maps, level=3)


def test_mean_and_deviation_are_recovered(population, maps):
    number, seeded = 300, generator()
    values = torch.stack([population.draw(0.0, seeded).values for _ in range(number)])
    mean, deviation = (part.values for part in maps)
    assert ((values.mean(0) - mean).abs() < 5 * deviation / number**0.5).all()
    ratio = values.std(0) / deviation
    assert (ratio - 1).abs().max() < 5 / (2 * number) ** 0.5
    assert ratio.mean().item() == pytest.approx(1, abs=0.02)


def test_residuals_have_the_spectrum_that_is_told(population):
    """Power of degree 15 is half that of low ones, of degree 30 a seventeenth; features are independent."""
    seeded, mesh = generator(1), icosphere(4)
    ones = SphereMap(mesh, torch.ones(1, len(mesh.vertices)))
    fine = CorticalPopulation(SphereMap(mesh, 0 * ones.values), ones, level=4)
    values = torch.cat([fine.draw(0.0, seeded).values for _ in range(30)])
    coefficients = (values * vertex_areas(mesh)) @ real_harmonics(mesh.vertices, 30)
    degrees = harmonic_degrees(30)
    power = torch.stack([coefficients[:, degrees == d].square().mean() for d in range(31)])
    low = power[1:8].mean()
    assert power[0] < 0.01 * low
    assert (power[15] / low).item() == pytest.approx(1 / 2, rel=0.25)
    assert (power[30] / low).item() == pytest.approx(1 / 17, rel=0.4)
    pairs = torch.stack([population.draw(0.0, seeded, 1.0).values for _ in range(200)])
    pairs = (pairs - pairs.mean(0)).permute(1, 0, 2).flatten(1)
    assert torch.corrcoef(pairs)[0, 1].abs() < 0.03


def test_without_residual_and_warp_people_are_the_mean(population, maps):
    person = population.draw(0.0, generator(), residual=0.0)
    torch.testing.assert_close(person.values, maps[0].values, atol=1e-12, rtol=0)
    torch.testing.assert_close(person.places, MESH.vertices, atol=1e-12, rtol=0)


def test_without_residual_values_are_the_mean_at_the_places(population, maps):
    person = population.draw(math.radians(6), generator(2), residual=0.0)
    torch.testing.assert_close(person.values, maps[0].at(person.places), atol=1e-12, rtol=0)
    assert torch.rad2deg(arc_angle(person.places, MESH.vertices)).mean().item() == pytest.approx(6, rel=1e-3)
    # The second feature is the height above the equator, so that the direction of the warp shows in its values.
    torch.testing.assert_close(person.values[1], person.places[:, 2] + 2, atol=0.02, rtol=0)


def test_places_are_the_true_registration(population):
    """The anatomy of the same seed, unwarped, read at the places, is what the person shows."""
    still, moved = (population.draw(angle, generator(3)) for angle in (0.0, math.radians(6)))
    torch.testing.assert_close(SphereMap(MESH, still.values).at(moved.places), moved.values, atol=1e-12, rtol=0)
    assert (still.values - moved.values).abs().mean() > 0.05


def test_residual_is_a_factor_of_the_deviation(population, maps):
    once, twice = (population.draw(0.0, generator(4), residual) for residual in (1.0, 2.0))
    mean = maps[0].values
    torch.testing.assert_close(twice.values - mean, 2 * (once.values - mean), atol=1e-6, rtol=0)


def test_equal_seeds_give_equal_bits_and_others_do_not(population):
    first, same, other = (population.draw(0.1, generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(first.values, same.values)
    assert torch.equal(first.places, same.places)
    assert not torch.equal(first.places, other.places)


def test_template_is_the_mean_on_the_icosphere(maps):
    """Maps may come on spheres of any radius and resolution."""
    mean, deviation = (SphereMap(Mesh(100 * m.mesh.vertices, m.mesh.faces), m.values) for m in maps)
    template = CorticalPopulation(mean, deviation, level=2).template()
    assert template.values.shape == (2, 162)
    torch.testing.assert_close(template.mesh.vertices, icosphere(2).vertices)
    torch.testing.assert_close(template.values, maps[0].values[:, :162], atol=1e-12, rtol=0)


def test_negative_deviations_are_refused(maps):
    with pytest.raises(ValueError, match="0 or more"):
        CorticalPopulation(maps[0], SphereMap(MESH, -maps[1].values), level=2)
