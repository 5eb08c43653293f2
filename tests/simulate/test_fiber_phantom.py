import math

import pytest
import torch

from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.simulate import FiberBundle, FiberScene, crossing_scene, fiber_phantom, reference_scene, straight

ROOT = math.sqrt(4 * math.pi)


@pytest.fixture(scope="module")
def reference():
    """The reference scene in 3 mm voxels, with gray matter beside it."""
    bundles = reference_scene().bundles
    gray = FiberScene(bundles, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), 2.0)
    return fiber_phantom(gray, shape=(6, 6, 4), spacing=4.0, degree=8)


@pytest.fixture(scope="module")
def crossing():
    """Two bundles at 0 and 90 degrees that overlap in the voxels of the middle."""
    return fiber_phantom(crossing_scene(0, 90, radius=3.5), shape=(6, 6, 2), spacing=2.0)


def test_tissues_fill_every_voxel(reference):
    torch.testing.assert_close(reference.tissues.sum(0), torch.ones(6, 6, 4))
    assert (reference.tissues >= 0).all()
    assert (reference.tissues.flatten(1).amax(1) > 0.4).all()


def test_bundles_add_up_to_white_matter(reference):
    torch.testing.assert_close(reference.bundles.sum(0), reference.tissues[0])
    torch.testing.assert_close(reference.fods[:, 0] * ROOT, reference.bundles)
    torch.testing.assert_close(reference.fod[0] * ROOT, reference.tissues[0])


def test_gray_matter_lies_beyond_its_plane(reference):
    """Voxel centers at y = -10, -6, -2, 2, 6, 10 mm: the plane at 2 mm halves the fourth layer."""
    background = 1 - reference.tissues[0]
    gray = reference.tissues[1]
    torch.testing.assert_close(gray[:, 4:], background[:, 4:])
    assert not gray[:, :3].any()
    assert (gray[:, 4:] > 0).any()
    assert (reference.tissues[2][:, :3] > 0).any()


def test_voxel_inside_one_straight_bundle_has_its_exact_distribution(vector):
    axis = vector(2, -1, 2) / 3
    phantom = fiber_phantom(FiberScene((straight(-50 * axis, 50 * axis, 9.0),)), (2, 2, 2), degree=12)
    exact = real_harmonics(axis, 12, even=True).float()
    torch.testing.assert_close(phantom.fod, exact.view(-1, 1, 1, 1).expand(-1, 2, 2, 2), atol=1e-6, rtol=0)
    assert (phantom.tissues[0] == 1).all()


def test_crossing_bundles_share_the_volume(crossing, vector):
    middle = (slice(2, 4), slice(2, 4), slice(None))
    assert (crossing.bundles[(slice(None), *middle)] == 0.5).all()
    axes = torch.stack([vector(1, 0, 0), vector(0, 1, 0)])
    exact = real_harmonics(axes, 16, even=True).mean(0).float()
    found = crossing.fod[(slice(None), *middle)]
    torch.testing.assert_close(found, exact.view(-1, 1, 1, 1).expand_as(found), atol=1e-6, rtol=0)


def test_lower_degrees_are_those_of_higher_ones(crossing):
    low = fiber_phantom(crossing_scene(0, 90, radius=3.5), (6, 6, 2), degree=4)
    assert low.fods.shape == (2, even_count(4), 6, 6, 2)
    torch.testing.assert_close(low.fods, crossing.fods[:, : even_count(4)])


def test_cylinder_has_its_volume():
    """Radius 4 and length 8 mm, both ends inside the grid; samples are 0.5 mm apart."""
    axis = torch.tensor([0.36, 0.48, 0.8], dtype=torch.float64)
    phantom = fiber_phantom(FiberScene((straight(-4 * axis, 4 * axis, 4.0),)), (10, 10, 10), 1.5, degree=0)
    assert phantom.bundles.sum().item() * 1.5**3 == pytest.approx(math.pi * 16 * 8, rel=0.01)


@pytest.mark.parametrize(("samples", "fraction"), [(1, 1.0), (2, 0.5), (4, 0.75)])
def test_partial_volume_is_the_share_of_samples(vector, samples, fraction):
    """One voxel of 2 mm that a face at x = 0.3 mm cuts: samples at 0; +-0.5; +-0.25 and +-0.75 mm."""
    bundle = straight(vector(-50, 0, 0), vector(0.3, 0, 0), 20.0)
    phantom = fiber_phantom(FiberScene((bundle,)), (1, 1, 1), samples=samples, degree=2)
    assert phantom.tissues.flatten().tolist() == [fraction, 0, 1 - fraction]
    assert phantom.fod[0].item() * ROOT == pytest.approx(fraction)


def test_grid_is_centered_and_spaced(turn):
    phantom = fiber_phantom(crossing_scene(0), (3, 5, 2), spacing=1.5, degree=0, rotation=turn)
    torch.testing.assert_close(phantom.affine[:3, :3], 1.5 * turn)
    center = phantom.affine @ torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(center, torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64), atol=1e-12, rtol=0)
    assert phantom.tissues.shape == (3, 3, 5, 2)
    assert phantom.affine.dtype == torch.float64


def test_turning_scene_and_grid_turns_the_distributions_alone(turn, random_points):
    scene = reference_scene()
    gray = torch.tensor([0.6, 0.8, 0.0], dtype=torch.float64)
    bundles = [FiberBundle(bundle.centerline @ turn.T, bundle.radius) for bundle in scene.bundles]
    still = fiber_phantom(FiberScene(scene.bundles, gray, 1.234), (4, 4, 3), 5.0, degree=6)
    turned = fiber_phantom(FiberScene(tuple(bundles), turn @ gray, 1.234), (4, 4, 3), 5.0, degree=6, rotation=turn)
    for name in ("tissues", "bundles", "endpoints"):
        assert torch.equal(getattr(still, name), getattr(turned, name)), name
    directions = torch.nn.functional.normalize(random_points(40, 1.0), dim=1)
    before = torch.einsum("dn,bnijk->bdijk", real_harmonics(directions, 6, even=True).float(), still.fods)
    after = torch.einsum("dn,bnijk->bdijk", real_harmonics(directions @ turn.T, 6, even=True).float(), turned.fods)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    dyads = [torch.einsum("bcv,bdv->bcdv", *[p.fibers.double().view(3, 3, -1)] * 2) for p in (still, turned)]
    torch.testing.assert_close(torch.einsum("ac,bcdv,ed->baev", turn, dyads[0], turn), dyads[1], atol=1e-6, rtol=0)
    assert abs(before).max() > 0.1


def test_fibers_are_axes_times_volume_fractions(crossing, vector):
    """Of straight bundles, whatever the sign."""
    fibers = crossing.fibers.unflatten(0, (2, 3)).abs()
    for axis, found, fraction in zip((vector(1, 0, 0), vector(0, 1, 0)), fibers, crossing.bundles, strict=True):
        torch.testing.assert_close(found, axis.view(3, 1, 1, 1).float() * fraction, atol=1e-6, rtol=0)


def test_mean_direction_of_an_arc_is_the_chord(vector):
    """A voxel in the middle of an arc, which is symmetric about it."""
    arch = reference_scene().bundles[2]
    shifted = FiberScene((FiberBundle(arch.centerline - vector(0, -10, 0), arch.radius),))
    phantom = fiber_phantom(shifted, (1, 1, 1), spacing=6.0, samples=4, degree=2)
    torch.testing.assert_close(phantom.fibers.flatten().abs(), torch.tensor([1.0, 0, 0]), atol=1e-6, rtol=0)


def test_endpoints_are_ends_of_the_bundle(reference):
    for bundle, (start, end) in zip(reference.bundles, reference.endpoints, strict=True):
        assert start.any()
        assert end.any()
        assert not (start & end).any()
        assert (bundle[start | end] > 0).all()


def test_endpoints_are_a_twelfth_of_what_the_grid_shows(vector):
    """Samples 1 mm apart at x = -11.5 ... 11.5 mm: two at each end are within a twelfth of 23 mm."""
    bundle = straight(vector(-100, 0, 0), vector(60, 0, 0), 2.0)
    start, end = fiber_phantom(FiberScene((bundle,)), (12, 1, 1), 2.0, samples=2, degree=0).endpoints[0, :, :, 0, 0]
    assert start.tolist() == [True] + [False] * 11
    assert end.tolist() == [False] * 11 + [True]


def test_bundle_outside_the_grid_leaves_no_trace(vector):
    scene = FiberScene((*crossing_scene(0).bundles, straight(vector(90, 90, 90), vector(99, 90, 90), 2.0)))
    phantom = fiber_phantom(scene, (2, 2, 1), degree=2)
    assert not phantom.bundles[1].any()
    assert not phantom.endpoints[1].any()
    assert not phantom.fods[1].any()
    assert not phantom.fibers[3:].any()


def test_distinct_distribution_drops_what_a_tenth_holds(vector):
    """Of a voxel of 2 mm, cut in ten samples along x, the second bundle holds one with the first: 5 %."""
    first = straight(vector(-50, 0, 0), vector(50, 0, 0), 20.0)
    second = straight(vector(0.8, -50, 0), vector(0.8, 50, 0), 0.15)
    scene = FiberScene((first, second))
    phantom = fiber_phantom(scene, (1, 1, 1), samples=10, degree=4)
    assert 0 < phantom.bundles[1].item() <= 0.1
    axis = real_harmonics(vector(1, 0, 0), 4, even=True).float()
    torch.testing.assert_close(phantom.distinct_fod(smoothing=0).flatten(), axis, atol=1e-6, rtol=0)
    assert abs(phantom.fod.flatten() - axis).max() > 1e-3
    torch.testing.assert_close(phantom.distinct_fod(0, 0), phantom.fod)


def test_distinct_distribution_keeps_white_matter(reference):
    distinct = reference.distinct_fod(smoothing=0)
    torch.testing.assert_close(distinct[0] * ROOT, reference.tissues[0])
    assert (distinct - reference.fod).abs().max() > 1e-3
    assert torch.isfinite(distinct).all()


def test_largest_bundle_stays_however_small(crossing):
    torch.testing.assert_close(crossing.distinct_fod(1.0)[0], crossing.fod[0])
    single = fiber_phantom(crossing_scene(20, radius=2.0), (4, 4, 2), degree=4)
    torch.testing.assert_close(single.distinct_fod(1.0, 0), single.fod)


def test_smoothing_damps_each_degree_as_heat_flow_does(crossing):
    smooth, sharp = (crossing.distinct_fod(0, time) for time in (0.02, 0))
    for degree in (0, 2, 4, 16):
        rows = slice(even_count(degree - 2) if degree else 0, even_count(degree))
        torch.testing.assert_close(smooth[rows], sharp[rows] * math.exp(-0.02 * degree * (degree + 1)))
        assert sharp[rows].any()


def test_distribution_of_a_voxel_is_the_mean_over_its_samples():
    """Eight samples in a voxel are the eight voxels of half the size, with one sample each."""
    arch = reference_scene().bundles[2]
    whole = fiber_phantom(FiberScene((arch,)), (2, 2, 1), spacing=6.0, samples=2, degree=4)
    fine = fiber_phantom(FiberScene((arch,)), (4, 4, 2), spacing=3.0, samples=1, degree=4)
    pooled = torch.nn.functional.avg_pool3d(fine.fod[None], 2)[0]
    torch.testing.assert_close(whole.fod, pooled, atol=1e-6, rtol=0)
    assert whole.fod.any()
