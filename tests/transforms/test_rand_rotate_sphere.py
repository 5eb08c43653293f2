import math

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import RandRotateSphere, RandRotateSphereD, RandRotateSphered, RandRotateSphereDict

HALF_TURN = torch.diag(torch.tensor([1.0, -1, -1], dtype=torch.float64))
QUARTER = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)


def by(rotation, values):
    """Turn by a known rotation."""
    transform = RandRotateSphere()
    transform.rotation = rotation
    return transform(values, randomize=False)


def angle_of(rotation):
    return math.degrees(math.acos(min(1, (rotation.trace().item() - 1) / 2)))


def test_a_quarter_turn_about_z_takes_x_to_y():
    """Of degree 1 the harmonics are y, z, x; flat triangles of level 4 lie up to 1.2e-3 below the sphere."""
    y, z, x = real_harmonics(icosphere(4).vertices, 1)[:, 1:].T
    found = by(QUARTER, torch.stack([x, y, z]))
    torch.testing.assert_close(found, torch.stack([y, -x, z]), atol=1.2e-3, rtol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_degree_1_turns_as_a_vector(seed):
    """a . x becomes (R a) . x, to second order in the size of the triangles."""
    transform, errors = RandRotateSphere().set_random_state(seed), []
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    for number, level in enumerate((4, 5)):
        vertices = icosphere(level).vertices
        found = transform((vertices @ axis)[None], randomize=number == 0)
        errors.append((found[0] - vertices @ (transform.rotation @ axis)).abs().max())
    assert errors[0] < 1.2e-3
    assert 3 < errors[0] / errors[1] < 5


def test_symmetry_of_the_icosphere_is_a_permutation():
    """A half turn about an axis maps vertices to vertices, and twice it is the identity."""
    values = torch.randn(2, 642, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    once = by(HALF_TURN, values)
    torch.testing.assert_close(once.sort(1).values, values.sort(1).values, atol=1e-12, rtol=0)
    assert (once - values).abs().max() > 1
    torch.testing.assert_close(by(HALF_TURN, once), values, atol=1e-12, rtol=0)
    torch.testing.assert_close(by(torch.eye(3, dtype=torch.float64), values), values, atol=1e-12, rtol=0)


def test_seed_decides_and_angles_stay_within_the_largest():
    values = torch.zeros(1, 12)
    for most in (5.0, 90.0):
        transform = RandRotateSphere(max_angle_degree=most).set_random_state(0)
        angles = []
        for _ in range(100):
            transform(values)
            angles.append(angle_of(transform.rotation))
        assert 0.8 * most < max(angles) <= most + 1e-6
        assert len({round(angle, 9) for angle in angles}) == 100
    again = RandRotateSphere(max_angle_degree=90.0).set_random_state(0)
    again(values)
    assert angle_of(again.rotation) == angles[0]


def test_half_a_turn_at_most_is_every_rotation():
    """The mean angle of a uniform rotation is pi/2 + 2/pi, 126.5 degrees."""
    transform, angles = RandRotateSphere().set_random_state(0), []
    for _ in range(1000):
        transform(torch.zeros(1, 12))
        angles.append(angle_of(transform.rotation))
    assert sum(angles) / 1000 == pytest.approx(math.degrees(math.pi / 2 + 2 / math.pi), abs=5)


def test_labels_are_never_invented():
    vertices = icosphere(3).vertices
    labels = torch.where(vertices[:, 2] > 0, 7, torch.where(vertices[:, 0] > 0, 30, -1))[None]
    transform = RandRotateSphere().set_random_state(0)
    found = transform(labels)
    assert found.dtype == torch.int64
    assert set(found.flatten().tolist()) == {-1, 7, 30}
    back = vertices @ transform.rotation
    assert (found[0][back[:, 2] > 0.1] == 7).all()
    assert (found[0][(back[:, 2] < -0.1) & (back[:, 0] > 0.1)] == 30).all()


def test_probability():
    values = torch.rand(1, 42, generator=torch.Generator().manual_seed(0))
    assert torch.equal(RandRotateSphere(prob=0)(values), values)
    transform = RandRotateSphere(prob=0.5).set_random_state(0)
    assert 70 < sum(torch.equal(transform(values), values) for _ in range(200)) < 130


def test_all_keys_turn_alike_also_on_other_levels():
    transform = RandRotateSphered(["fine", "coarse", "labels"]).set_random_state(5)
    data = {"fine": icosphere(4).vertices.T.float(), "coarse": icosphere(3).vertices.T.float()}
    data["labels"] = torch.arange(162)[None]
    found = transform(data)
    rotation = transform.transform.rotation
    for name, level, bound in (("fine", 4, 1.2e-3), ("coarse", 3, 4.8e-3)):
        expected = (icosphere(level).vertices @ rotation).T.float()
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], expected, atol=bound, rtol=0)
    mesh = icosphere(2)
    assert torch.equal(found["labels"], SphereMap(mesh, data["labels"]).rotated(rotation).nearest(mesh.vertices))
    assert not torch.equal(transform(data)["fine"], found["fine"])


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_pair_agrees(prob):
    data = {"fixed": torch.rand(2, 162), "moving": torch.rand(1, 42), "other": torch.rand(3)}
    for seed in range(4):
        pair = RandRotateSphere(prob, 30), RandRotateSphered(["fixed", "moving"], prob, 30)
        assert_pair_agrees(*pair, data, "fixed", "moving", seed=seed)
    assert RandRotateSphered("none", allow_missing_keys=True)(data).keys() == data.keys()
    assert RandRotateSphereD is RandRotateSphereDict is RandRotateSphered


@pytest.mark.parametrize("angle", [0, -3, 181, math.nan])
def test_impossible_largest_angle(angle):
    with pytest.raises(ValueError, match="max_angle_degree"):
        RandRotateSphere(max_angle_degree=angle)


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_maps_of_other_meshes_are_refused(prob):
    with pytest.raises(ValueError, match="got 100"):
        RandRotateSphere(prob)(torch.zeros(1, 100))
