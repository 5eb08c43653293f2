import math

import pytest
import torch

from monai_cortex.simulate import FiberScene, crossing_scene, random_scene, reference_scene


def test_reference_scene_crosses_at_sixty_degrees_with_radii_of_nine_nine_and_seven(vector):
    first, second, arch = reference_scene().bundles
    a, b = (bundle.directions(vector(0, 0, 0)[None])[0] for bundle in (first, second))
    assert math.degrees(math.acos(a @ b)) == pytest.approx(60)
    heights = torch.tensor([[0.0, 0.0, z] for z in (6.99, 7.01, 8.99, 9.01)], dtype=torch.float64)
    for bundle in (first, second):
        assert bundle.directions(heights).any(1).tolist() == [True, True, True, False]
    found = arch.directions(heights + vector(0, -10, 0))
    torch.testing.assert_close(found, vector(1, 0, 0).expand(4, 3) * (heights[:, 2:] < 7), atol=1e-12, rtol=0)
    for bundle in (first, second):
        assert (bundle.directions(arch.centerline).any(1)).any()


def test_crossing_scene_has_the_angles_asked_for(vector):
    for angle, bundle in zip((0, 35, 90), crossing_scene(0, 35, 90, radius=4).bundles, strict=True):
        exact = vector(math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0)
        points = torch.stack([vector(0, 0, 3.99), vector(0, 0, 4.01)])
        torch.testing.assert_close(bundle.directions(points), torch.stack([exact, 0 * exact]), atol=1e-12, rtol=0)


def test_gray_matter_is_one_side_of_its_plane(vector, random_points):
    points = random_points(50, 10.0)
    normal = vector(0.6, 0, 0.8)
    gray = FiberScene((), normal, 2.0).is_gray(points)
    assert torch.equal(gray, 0.6 * points[:, 0] + 0.8 * points[:, 2] > 2)
    assert gray.any()
    assert not FiberScene(()).is_gray(points).any()


def scenes(count, **options):
    return [random_scene(torch.Generator().manual_seed(seed), **options) for seed in range(count)]


def test_random_scenes_hold_two_to_five_bundles_of_all_kinds():
    found = scenes(60)
    assert {len(scene.bundles) for scene in found} == {2, 3, 4, 5}
    bundles = [bundle for scene in found for bundle in scene.bundles]
    lines = [bundle for bundle in bundles if len(bundle.centerline) == 2]
    assert any(bundle.radius[0] == bundle.radius[1] for bundle in lines)
    assert any(bundle.radius[0] < bundle.radius[1] for bundle in lines)
    assert 0 < len(lines) < len(bundles)
    assert all(bundle.radius.min() > 0 for bundle in bundles)


def test_random_scenes_pass_through_their_region(random_points):
    points = random_points(4000, 20.0)
    for scene in scenes(20, size=40.0):
        assert all(bundle.directions(points).any() for bundle in scene.bundles)


def test_equal_seeds_give_equal_scenes():
    first, again, other = (random_scene(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(a.centerline, b.centerline) for a, b in zip(first.bundles, again.bundles, strict=True))
    assert not torch.equal(first.bundles[0].centerline, other.bundles[0].centerline)


def test_gray_matter_changes_no_bundle():
    plain, gray = (random_scene(torch.Generator().manual_seed(5), gray=flag) for flag in (False, True))
    assert plain.gray_normal is None
    assert gray.gray_normal.norm().item() == pytest.approx(1)
    assert abs(gray.gray_distance) <= 10
    assert all(torch.equal(a.centerline, b.centerline) for a, b in zip(plain.bundles, gray.bundles, strict=True))


def test_random_directions_favor_none():
    """The mean of 200 unit vectors of variance 1/3 an axis: five standard deviations are 0.2."""
    normals = torch.stack([scene.gray_normal for scene in scenes(200, gray=True)])
    assert normals.mean(0).abs().max() < 0.2
    torch.testing.assert_close(normals.T @ normals / 200, torch.eye(3).double() / 3, atol=0.11, rtol=0)
