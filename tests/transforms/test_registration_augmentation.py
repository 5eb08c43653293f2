import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.transforms import registration_augmentation

MESH = icosphere(3)


@pytest.fixture
def pair():
    """Coordinates as maps: they say where they were read."""
    return {"subject": "s", "fixed": MESH.vertices.T.clone(), "moving": MESH.vertices.T.clone()}


def test_never_is_the_identity(pair):
    found = registration_augmentation(warp=0, rotate=0)(pair)
    assert found["subject"] == "s"
    assert all(torch.equal(found[name], pair[name]) for name in ("fixed", "moving"))


def test_only_the_moving_map_is_deformed(pair):
    before = pair["moving"].clone()
    found = registration_augmentation(warp=1).set_random_state(0)(pair)
    assert torch.equal(found["fixed"], pair["fixed"])
    assert arc_angle(found["moving"].T, MESH.vertices).mean() > 0.01
    assert torch.equal(pair["moving"], before)


def test_both_maps_turn_alike(pair):
    found = registration_augmentation(warp=0, rotate=1).set_random_state(0)(pair)
    assert torch.equal(found["fixed"], found["moving"])
    best = torch.linalg.lstsq(MESH.vertices, found["fixed"].T).solution
    torch.testing.assert_close(best.T @ best, torch.eye(3).double(), atol=0.02, rtol=0)
    assert (best - torch.eye(3)).abs().max() > 0.1


def test_turns_come_after_the_deformation(pair):
    """The moving map, turned, is that of the same seed that was deformed alone."""
    turned = registration_augmentation(warp=1, rotate=1).set_random_state(3)(pair)
    plain = registration_augmentation(warp=1, rotate=0).set_random_state(3)(pair)
    rotation = torch.linalg.lstsq(MESH.vertices, turned["fixed"].T).solution
    distances = [(item["fixed"] - item["moving"]).norm(dim=0).mean() for item in (turned, plain)]
    assert (rotation - torch.eye(3)).abs().max() > 0.1
    assert distances[0].item() == pytest.approx(distances[1].item(), rel=0.1)


def test_seed_decides(pair):
    found = [registration_augmentation(1, 1).set_random_state(seed)(pair)["moving"] for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_hemispheres_of_a_subject_are_drawn_one_by_one(pair):
    found = registration_augmentation(warp=1).set_random_state(0)([pair, pair])
    assert not torch.equal(found[0]["moving"], found[1]["moving"])
