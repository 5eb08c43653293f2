import pytest
import torch
from torch.nn.functional import normalize

from monai_cortex.simulate import FiberBundle, arc, fanning, fiber_bundle, kissing, straight

START, END = torch.tensor([[-3.0, 1.0, 2.0], [5.0, 5.0, -6.0]], dtype=torch.float64)
AXIS = normalize(END - START, dim=0)
SIDE = normalize(torch.linalg.cross(AXIS, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)), dim=0)
LENGTH, BEND = 12.0, 14.0  # mm


def degrees_between(first, second):
    """Angles between unit vectors (Q, 3) with their signs, exact for small ones."""
    return torch.rad2deg(torch.atan2(torch.linalg.cross(first, second).norm(dim=1), (first * second).sum(1)))


@pytest.fixture
def bow(vector):
    """Arc in the x-y plane, about a center at (0, 14, 0)."""
    return arc(vector(0, 0, 0), vector(1, 0, 0), vector(0, 1, 0), BEND, 40.0, 5.0)


def on_circle(angle, radius, height=0.0):
    """Points and tangents (Q, 3) on circles about the bow's center; the angle is 0 in its middle."""
    zero = torch.zeros_like(angle)
    points = torch.stack([radius * angle.sin(), BEND - radius * angle.cos(), zero + height], 1)
    return points, torch.stack([angle.cos(), angle.sin(), zero], 1)


@pytest.mark.parametrize("along", [0.01, 0.5, 0.99])
def test_straight_fibers_run_along_the_axis_inside_the_radius_only(along):
    middle = START + along * (END - START)
    points = torch.stack([middle, middle + 3.99 * SIDE, middle - 3.99 * SIDE, middle + 4.01 * SIDE])
    found = straight(START, END, 4.0).directions(points)
    torch.testing.assert_close(found, torch.stack([AXIS, AXIS, AXIS, 0 * AXIS]), atol=1e-14, rtol=0)


@pytest.mark.parametrize("offset", [0.0, 3.5])
def test_straight_bundles_end_in_flat_faces(offset):
    beyond = torch.stack([START - 0.01 * AXIS, END + 0.01 * AXIS]) + offset * SIDE
    within = torch.stack([START + 0.01 * AXIS, END - 0.01 * AXIS]) + offset * SIDE
    bundle = straight(START, END, 4.0)
    assert not bundle.directions(beyond).any()
    assert bundle.directions(within).any(1).all()


def test_arcs_end_in_flat_faces(bow):
    ends = torch.tensor([-1.0, 1.0], dtype=torch.float64) * 20.0 / BEND
    for radius in (BEND - 4, BEND, BEND + 4):
        assert not bow.directions(on_circle(1.02 * ends, radius)[0]).any()
        assert bow.directions(on_circle(0.98 * ends, radius)[0]).any(1).all()


def test_turning_a_bundle_over_changes_the_sign_only(random_points):
    points = random_points(500, 8.0)
    there, back = fanning(START, END, 3.0, 6.0), fanning(END, START, 6.0, 3.0)
    torch.testing.assert_close(there.directions(points), -back.directions(points), atol=1e-12, rtol=0)
    torch.testing.assert_close(there.positions(points), 1 - back.positions(points), atol=1e-12, rtol=0)
    assert there.directions(points).any(1).sum() > 50


def test_bundles_turn_with_the_world(random_points, turn, bow):
    points = random_points(500, 8.0)
    turned = FiberBundle(bow.centerline @ turn.T, bow.radius)
    torch.testing.assert_close(turned.directions(points @ turn.T), bow.directions(points) @ turn.T, atol=1e-12, rtol=0)
    assert bow.directions(points).any(1).sum() > 50


@pytest.mark.parametrize(("radius", "height"), [(BEND, 0), (BEND, 4.8), (BEND - 4, 0), (BEND + 4, 1), (BEND - 2, -4)])
def test_fibers_of_an_arc_are_tangents_of_its_circles(bow, radius, height):
    """Fibers turn by 5.1 degrees on each of the 32 segments.

    Off the centerline, segments overlap or gape: the place along the line, and with it the direction, is wrong by half
    a segment times the offset relative to the radius, (2.6 * 4 / 10) degrees at most here.
    """
    angle = torch.linspace(-1, 1, 101, dtype=torch.float64) * 19.5 / BEND
    points, tangents = on_circle(angle, radius, height)
    limit = 0.02 + 2.6 * abs(radius - BEND) / min(radius, BEND)
    assert degrees_between(bow.directions(points), tangents).max() < limit


def test_tube_of_an_arc_is_a_torus(bow):
    """To within the distance of a chord from its circle, 14 mm * (1 - cos 2.6 degrees)."""
    angle = torch.linspace(-1, 1, 101, dtype=torch.float64) * 19.5 / BEND
    for radius, height, inside in [(BEND + 4.95, 0, 1), (BEND + 5.01, 0, 0), (BEND, 5.02, 0), (BEND - 5.02, 0, 0)]:
        assert (bow.directions(on_circle(angle, radius, height)[0]).any(1) == inside).all(), (radius, height)


def test_arc_has_its_length_and_middle(bow, vector):
    """Chords are shorter than the circle by a part of their angle squared / 24."""
    length = bow.centerline.diff(dim=0).norm(dim=1).sum().item()
    assert length == pytest.approx(40.0, rel=(40 / BEND / 32) ** 2 / 20)
    torch.testing.assert_close(bow.centerline[16], vector(0, 0, 0))
    torch.testing.assert_close(bow.centerline, bow.centerline.flip(0) * vector(-1, 1, 1))
    torch.testing.assert_close((bow.centerline - vector(0, BEND, 0)).norm(dim=1), torch.full((33,), BEND).double())


def test_fanning_fibers_are_rays_from_an_apex(random_points):
    """Radii 2 and 5 over 12 mm: the cone's apex lies 8 mm before the start."""
    bundle, apex = fanning(START, END, 2.0, 5.0), START - 8 * AXIS
    points = random_points(2000, 9.0)
    along = (points - START) @ AXIS
    across = (points - START - along[:, None] * AXIS).norm(dim=1)
    inside = (along >= 0) & (along <= LENGTH) & (across <= 2 + along / 4)
    rays = normalize(points - apex, dim=1) * inside[:, None]
    torch.testing.assert_close(bundle.directions(points), rays, atol=1e-12, rtol=0)
    assert inside.sum() > 50


def test_kissing_arcs_touch_and_do_not_cross(random_points, vector):
    tangent, normal = vector(0, 0.6, 0.8), vector(1, 0, 0)
    upper, lower = kissing(START, tangent, normal, 20.0, 40.0, 4.0)
    contact = torch.stack([START + 0.01 * normal, START - 0.01 * normal])
    torch.testing.assert_close(upper.directions(contact), torch.stack([tangent, 0 * tangent]), atol=1e-3, rtol=0)
    torch.testing.assert_close(lower.directions(contact), torch.stack([0 * tangent, tangent]), atol=1e-3, rtol=0)
    points = START + random_points(20000, 15.0)
    above, below = (bundle.directions(points).any(1) for bundle in (upper, lower))
    side = (points - START) @ normal
    assert not (above & below).any()
    assert side[above].min() > 0 > side[below].max()
    assert min(above.sum(), below.sum()) > 500


def test_kissing_arcs_mirror_each_other(random_points, vector):
    upper, lower = kissing(vector(0, 0, 0), vector(1, 0, 0), vector(0, 0, 1), 20.0, 40.0, 4.0)
    points, mirror = random_points(500, 10.0), vector(1, 1, -1)
    torch.testing.assert_close(upper.directions(points) * mirror, lower.directions(points * mirror))
    assert upper.directions(points).any()


@pytest.mark.parametrize("place", [-0.5, 0.0, 0.25, 1.0, 1.5])
def test_positions_measure_the_way_along_a_straight_line(place):
    point = START + place * (END - START) + 2 * SIDE
    assert straight(START, END, 4.0).positions(point[None]).item() == pytest.approx(place, abs=1e-12)


def test_positions_measure_the_angle_of_an_arc(bow):
    angle = torch.linspace(-1, 1, 21, dtype=torch.float64) * 20 / BEND
    share = torch.linspace(0, 1, 21, dtype=torch.float64)
    for radius in (BEND - 3, BEND, BEND + 3):
        torch.testing.assert_close(bow.positions(on_circle(angle, radius)[0]), share, atol=5e-3, rtol=0)


def test_points_do_not_depend_on_their_company(random_points, bow, monkeypatch):
    points = random_points(500, 8.0)
    whole = bow.directions(points), bow.positions(points)
    monkeypatch.setattr(fiber_bundle, "_CHUNK", 7)
    torch.testing.assert_close((bow.directions(points), bow.positions(points)), whole, atol=1e-14, rtol=0)


def test_single_precision_ends_are_accepted():
    found = straight(START.float(), END.float(), 4.0).directions((START + AXIS)[None])
    torch.testing.assert_close(found[0], AXIS, atol=1e-6, rtol=0)
