"""Fusion of two distances: closed forms on planes and spheres, edges, nesting, union, bad input."""

import pytest
import torch

from monai_cortex.geometry.cortex import cortex_fields, distance_union, nesting_violations

W = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0, 2.0, -1.0])
P = torch.tensor([-4.0, -2.0, -1.0, -0.5, 0.0, 1.0, 4.0, 2.0])


def as_volume(values):
    return values.reshape(-1, 1, 1)


def ramp(normal, spacing, shape=(15, 15, 15)):
    """Signed distance to a plane through the middle of the grid."""
    normal = torch.tensor(normal, dtype=torch.float64) / torch.tensor(normal, dtype=torch.float64).norm()
    axes = [(torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h for n, h in zip(shape, spacing, strict=True)]
    return sum(n * x for n, x in zip(normal, torch.meshgrid(*axes, indexing="ij"), strict=True))


def test_rules_of_the_fusion():
    fields = cortex_fields(as_volume(W), as_volume(P), (1, 1, 1))
    assert fields.cortex.flatten().tolist() == [-2, -1, 0, 0, 0, 1, 2, 0]
    assert fields.ribbon.flatten().tolist() == [0, 0, 1, 1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("normal", "spacing"), [((0, 0, 1), (1, 1, 1)), ((1, 0, 0), (0.5, 1, 3)), ((0, 1, 0), (1, 2, 1))]
)
def test_plane_crosses_the_voxels_within_half_a_spacing(normal, spacing):
    plane = ramp(normal, spacing)
    across = sum(n * h for n, h in zip(normal, spacing, strict=True))
    edges = cortex_fields(plane + across * 0.3, plane - 50, spacing).edges
    assert torch.equal(edges, ((plane + across * 0.3).abs() <= across / 2).double())


def test_edges_of_each_surface():
    white, pial = ramp((1, 2, 3), (1, 1, 1)) + 2, ramp((1, 2, 3), (1, 1, 1)) - 2
    apart = cortex_fields(white, pial, (1, 1, 1), per_surface=True).edges
    assert apart.shape == (2, *white.shape)
    assert torch.equal(apart.amax(0), cortex_fields(white, pial, (1, 1, 1)).edges)
    assert apart.sum(dim=(1, 2, 3)).min() > 0


def test_swapped_surfaces_violate_the_nesting():
    white, pial = ramp((0, 0, 1), (1, 1, 1)) + 1.5, ramp((0, 0, 1), (1, 1, 1)) - 1.5
    assert nesting_violations(white, pial) == 0
    assert nesting_violations(pial, white) == 3 * 15 * 15


def test_union_is_the_least():
    assert torch.equal(distance_union([W, P, W + 9]), torch.minimum(W, P))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one grid"):
        cortex_fields(as_volume(W), as_volume(W[:2]), (1, 1, 1))
    with pytest.raises(ValueError, match="three positive numbers"):
        cortex_fields(as_volume(W), as_volume(P), (1, 0, 1))
    with pytest.raises(ValueError, match="at least one"):
        distance_union([])
