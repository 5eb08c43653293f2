"""Distances of concentric spheres, and what must hold for any pair of surfaces."""

import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.metrics import SurfaceDistance, surface_distance

SPHERE = icosphere(4)
SAG = 1 - float(SPHERE.vertices[SPHERE.faces].mean(1).norm(dim=1).min())  # how far facets lie below a unit sphere


def ball(radius, sphere=SPHERE):
    return Mesh(radius * sphere.vertices, sphere.faces)


def bumpy(seed):
    noise = torch.rand(len(SPHERE.vertices), 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Mesh(SPHERE.vertices * (30 + 2 * noise), SPHERE.faces)


@pytest.mark.parametrize("thickness", [0.1, 1.0, 3.0])
def test_concentric_spheres_are_as_far_apart_as_their_radii(thickness):
    assd, hd90 = surface_distance(ball(30), ball(30 + thickness, icosphere(3)))
    assert assd.item() == pytest.approx(thickness, abs=4 * 33 * SAG)
    assert hd90.item() == pytest.approx(thickness, abs=4 * 33 * SAG)


def test_both_directions_count_alike():
    """A sphere, and the same with a second one around it: one way all distances are 0, the other way half are 2."""
    both = Mesh(
        torch.cat([ball(30).vertices, ball(32).vertices]),
        torch.cat([SPHERE.faces, SPHERE.faces + len(SPHERE.vertices)]),
    )
    found = surface_distance(ball(30), both)
    assert found.assd.item() == pytest.approx((0 + (0 + 2) / 2) / 2, abs=1e-9)
    # A third of the pooled distances is 2.
    assert found.hd90.item() == pytest.approx(2, abs=1e-9)


def test_percentile_of_the_pooled_distances():
    lifted = SPHERE.vertices.clone()
    lifted[::13] *= 1.1
    found = surface_distance(SPHERE, Mesh(lifted, SPHERE.faces))
    from monai_cortex.geometry.closest_point import closest_points

    pooled = torch.cat(
        [closest_points(SPHERE.vertices, Mesh(lifted, SPHERE.faces))[2], closest_points(lifted, SPHERE)[2]]
    )
    assert found.hd90.item() == pytest.approx(pooled.quantile(0.9).item(), abs=1e-12)
    assert found.hd90 >= pooled.median()


def test_a_surface_has_no_distance_from_itself():
    assert max(surface_distance(bumpy(0), bumpy(0))) < 1e-12


def test_order_and_rigid_motion_do_not_matter_and_scale_does():
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    pair = [bumpy(0), bumpy(1)]
    found = surface_distance(*pair)
    moved = [Mesh(2 * mesh.vertices @ turn.T + 70, mesh.faces) for mesh in pair]
    for other, factor in ((surface_distance(*pair[::-1]), 1), (surface_distance(*moved), 2)):
        assert list(other) == pytest.approx([factor * part.item() for part in found])


def test_masked_vertices_do_not_count():
    north = SPHERE.vertices[:, 2] > 0
    spoiled = Mesh(torch.where(north[:, None], 30 * SPHERE.vertices, 50 * SPHERE.vertices), SPHERE.faces)
    top = SPHERE.vertices[:, 2] > 0.3
    assert surface_distance(ball(30), spoiled, (top, top)).assd < 1e-9
    assert surface_distance(ball(30), spoiled, (top, None)).assd > 4
    assert surface_distance(ball(30), spoiled).assd > 4


def test_metric_averages_over_pairs():
    metric = SurfaceDistance()
    rows = metric([ball(30), ball(30)], [ball(31), ball(33)])
    assert rows.shape == (2, 2)
    metric(ball(30), ball(30))
    assert metric.aggregate().assd.item() == pytest.approx((1 + 3 + 0) / 3, abs=0.1)
    assert metric.aggregate().hd90.item() == pytest.approx((1 + 3 + 0) / 3, abs=0.2)
    metric.reset()
    top = SPHERE.vertices[:, 2] > 0
    metric(ball(30), ball(30), masks=(top, None))
    assert metric.aggregate().assd < 1e-9


@pytest.mark.parametrize(
    "mask", [torch.ones(5, dtype=torch.bool), torch.ones(len(SPHERE.vertices)), SPHERE.vertices[:, 0] > 2]
)
def test_impossible_masks_are_refused(mask):
    with pytest.raises(ConfigError, match="vertices that count"):
        surface_distance(SPHERE, SPHERE, (mask, None))


def test_tensors_and_broken_meshes_are_refused():
    with pytest.raises(ConfigError, match="meshes"):
        SurfaceDistance()(torch.zeros(1, 3))
    with pytest.raises(GeometryError, match="vertices"):
        surface_distance(SPHERE, Mesh(SPHERE.vertices * torch.nan, SPHERE.faces))
