"""Features on the sphere, read anywhere and put on one scale."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, require_same_features, standardize


@pytest.fixture(scope="module")
def linear():
    """The three coordinates as features."""
    mesh = icosphere(3)
    return SphereMap(mesh, mesh.vertices.T.clone())


def test_values_at_the_vertices_are_the_values(linear):
    torch.testing.assert_close(linear.at(linear.mesh.vertices), linear.values, atol=1e-12, rtol=0)


def test_smooth_functions_are_read_to_second_order():
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator, dtype=torch.float64), dim=1)
    errors = []
    for level in (3, 4):
        mesh = icosphere(level)
        found = SphereMap(mesh, real_harmonics(mesh.vertices, 4).T).at(points)
        errors.append((found - real_harmonics(points, 4).T).abs().max())
    assert 3 < errors[0] / errors[1] < 5


def test_nearest_values_are_those_of_the_closest_vertex(linear):
    numbers = SphereMap(linear.mesh, torch.arange(len(linear.mesh.vertices))[None])
    points = torch.nn.functional.normalize(linear.mesh.vertices + 0.02 * linear.mesh.vertices.roll(1, 1), dim=1)
    assert torch.equal(numbers.nearest(points), numbers.values)
    assert numbers.nearest(icosphere(1).vertices).tolist() == [list(range(42))]


def test_rotation_carries_the_values_along(linear):
    rotation = random_rotation(torch.Generator().manual_seed(1))
    turned = linear.rotated(rotation)
    points = icosphere(1).vertices
    torch.testing.assert_close(turned.at(points @ rotation.T), linear.at(points), atol=1e-12, rtol=0)


def test_moderate_values_become_z_scores():
    weights = torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    values = torch.tensor([[5.0, 1.0, 3.0]], dtype=torch.float64)
    expected = torch.tensor([[2.0, -2.0, 0.0]], dtype=torch.float64) / 2**0.5
    torch.testing.assert_close(standardize(values, weights), expected)


def test_outliers_stay_below_four_and_in_order():
    values = torch.cat([torch.linspace(-1, 1, 999, dtype=torch.float64), torch.tensor([50.0, 80.0]).double()])
    found = standardize(values, torch.ones(1001))
    assert found.max() < 4
    assert (found.diff()[:998] > 0).all()
    assert found[1000] > found[999] > 3


def test_constant_features_are_zero():
    assert not standardize(torch.full((2, 5), 3.0), torch.ones(5)).any()


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(0, 99))
def test_scale_and_offset_do_not_matter(scale, offset, seed):
    mesh = icosphere(1)
    values = torch.randn(1, len(mesh.vertices), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    areas = vertex_areas(mesh)
    torch.testing.assert_close(standardize(scale * values + offset, areas), standardize(values, areas))
    torch.testing.assert_close(standardize(-values, areas), -standardize(values, areas), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values[:1], "3 features, moving 1"),
        (
            lambda values: torch.cat([values[:2], torch.full_like(values[:1], torch.nan)]),
            "moving sphere are not finite",
        ),
        (lambda values: torch.cat([values[:2], torch.ones_like(values[:1])]), "moving sphere is the same everywhere"),
    ],
)
def test_features_that_align_nothing_are_refused(linear, change, said):
    require_same_features(linear, linear)
    with pytest.raises(ValueError, match=said):
        require_same_features(linear, SphereMap(linear.mesh, change(linear.values)))
