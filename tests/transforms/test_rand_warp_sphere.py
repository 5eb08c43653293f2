import math

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import RandWarpSphere, RandWarpSphereD, RandWarpSphered, RandWarpSphereDict

MESH = icosphere(3)
XYZ = MESH.vertices.T  # these maps say where their values were read


def displacement(values):
    """Mean angle in degree between vertices and the places at which the coordinates were read."""
    return math.degrees(arc_angle(values.T.double(), MESH.vertices).mean())


def test_map_is_read_where_the_flow_takes_the_vertices():
    transform = RandWarpSphere(degree=5).set_random_state(0)
    found = transform(XYZ)
    places = random_warp(MESH, transform.angle, torch.Generator().manual_seed(transform.seed), 5)
    torch.testing.assert_close(torch.nn.functional.normalize(found, dim=0), places.T, atol=1e-12, rtol=0)
    assert displacement(found) > 0.1


def test_means_are_uniform_below_the_largest():
    transform = RandWarpSphere(max_angle_degree=6.0).set_random_state(0)
    angles = []
    for _ in range(300):
        transform.randomize()
        angles.append(math.degrees(transform.angle))
    assert 0 <= min(angles) < 0.2
    assert 5.8 < max(angles) <= 6
    assert sum(angles) / 300 == pytest.approx(3, abs=0.4)


@pytest.mark.parametrize("largest", [2.0, 8.0])
def test_vertices_move_as_far_as_was_drawn(largest):
    transform = RandWarpSphere(max_angle_degree=largest).set_random_state(1)
    for _ in range(6):
        found = displacement(transform(XYZ))
        assert found == pytest.approx(math.degrees(transform.angle), abs=0.01)
        assert found <= largest


def test_seed_decides():
    first, again, other = (RandWarpSphere().set_random_state(seed)(XYZ) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.01


def test_last_deformation_can_be_repeated():
    transform = RandWarpSphere().set_random_state(0)
    found = transform(XYZ)
    assert torch.equal(transform(XYZ, randomize=False), found)
    assert not torch.equal(transform(XYZ), found)


def test_probability():
    assert torch.equal(RandWarpSphere(prob=0)(XYZ), XYZ)
    transform = RandWarpSphere(prob=0.3, degree=1).set_random_state(0)
    values = torch.rand(1, 12, generator=torch.Generator().manual_seed(0))
    assert 40 < sum(not torch.equal(transform(values), values) for _ in range(200)) < 80


def test_constants_stay_and_types_are_kept():
    transform = RandWarpSphere().set_random_state(0)
    found = transform(torch.full((2, 642), 3.5))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((2, 642), 3.5))


def test_all_keys_are_deformed_alike_also_on_other_levels():
    """On a finer icosphere the same flow is followed a little better."""
    fine = icosphere(4)
    transform = RandWarpSphered(["fine", "coarse"], degree=4).set_random_state(0)
    found = transform({"fine": fine.vertices.T, "coarse": XYZ})
    inner, outer = found["fine"][:, : len(MESH.vertices)].T, found["coarse"].T
    assert math.degrees(arc_angle(inner, outer).mean()) < 0.1
    assert math.degrees(arc_angle(outer, MESH.vertices).mean()) > 1


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_pair_agrees(prob):
    data = {"moving": torch.rand(2, 162), "fixed": torch.rand(1, 162), "other": torch.rand(3)}
    for seed in range(4):
        pair = RandWarpSphere(prob, 5, 4), RandWarpSphered("moving", prob, 5, 4)
        assert_pair_agrees(*pair, data, "moving", seed=seed)
    assert RandWarpSphered("none", allow_missing_keys=True)(data).keys() == data.keys()
    with pytest.raises(KeyError):
        RandWarpSphered("none")(data)
    assert RandWarpSphereD is RandWarpSphereDict is RandWarpSphered


def test_smooth_maps_stay_within_their_range():
    values = real_harmonics(MESH.vertices, 3).T
    found = RandWarpSphere().set_random_state(5)(values)
    assert (found.amax(1) <= values.amax(1) + 1e-12).all()
    assert (found.amin(1) >= values.amin(1) - 1e-12).all()


@pytest.mark.parametrize("angle", [0, -3, math.nan])
def test_impossible_largest_angle(angle):
    with pytest.raises(ValueError, match="max_angle_degree"):
        RandWarpSphere(max_angle_degree=angle)


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_maps_of_other_meshes_are_refused(prob):
    with pytest.raises(ValueError, match="got 100"):
        RandWarpSphere(prob)(torch.zeros(1, 100))
