"""Measures of a registration by the truth, and of none."""

import math

import pytest
import torch

from monai_cortex.geometry.distortion import areal_distortion, edge_distortion
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.rotation_field import rotation_matrix
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.handlers.carried_hemisphere import CarriedHemisphere


def carried(item, side="lh", **changes):
    registration = item["registrations"][side]._replace(**changes)
    return CarriedHemisphere(item["hemispheres"][side], item["targets"][side], registration)


@pytest.fixture(scope="module")
def item(registered_item):
    return registered_item(sides=["lh"])


@pytest.fixture(scope="module")
def part(item):
    return carried(item)


def test_registered_features_are_those_of_the_target_and_rotated_ones_are_not(part):
    target = part.target.values
    assert (part.carry(part.native.values) - target).abs().mean() < 0.05 * target.std()
    assert (part.carry(part.native.values, rigid=True) - target).abs().mean() > 0.1 * target.std()
    assert part.carry(part.native.values).shape == (2, 2562)


def test_agreement_is_nearly_one_where_the_registration_is_the_truth(part):
    numbers = part.metrics(4)
    assert numbers["ncc"] > 0.995
    assert numbers["ncc_rigid"] < 0.98
    assert numbers["mse"] == pytest.approx(2 * (1 - numbers["ncc"]), abs=1e-4)


def test_distortion_is_measured_from_the_native_sphere_to_the_places(part):
    numbers, (before, faces) = part.metrics(2), part.native.sphere
    values = {
        "areal": areal_distortion(before, part.places, faces),
        "edge": edge_distortion(before, part.places, faces),
    }
    for name, distortion in values.items():
        expected = [distortion.mean(), distortion.median(), distortion.quantile(0.95)]
        found = [numbers[f"{name}_{part}"] for part in ("mean", "median", "p95")]
        assert found == pytest.approx([x.item() for x in expected], abs=2e-3)
        assert 0 < found[1] < found[2]


def test_labels_are_carried_by_the_registration(part):
    numbers = part.metrics(2)
    assert numbers["dice"] > 0.9
    assert numbers["dice_rigid"] < numbers["dice"] - 0.02
    assert numbers["dice"] == pytest.approx(part.overlap().dice.mean().item(), abs=1e-5)
    assert numbers["dice_area_weighted"] == pytest.approx(part.overlap().weighted.mean().item(), abs=1e-5)
    assert part.overlap().names == ("frontal", "occipital", "temporal", "parietal")


@pytest.mark.parametrize("degree", [0.0, 1e-4, 25.0, 180.0])
def test_angle_of_the_rotation(item, degree):
    axis = torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)
    rotation = rotation_matrix(math.radians(degree) * axis)
    assert carried(item, rotation=rotation).metrics(2)["rotation_degree"] == pytest.approx(degree, abs=1e-5)


def test_rotation_alone_distorts_nothing_and_both_maps_are_one(item):
    native = item["hemispheres"]["lh"].sphere.vertices
    rotation = random_rotation(torch.Generator().manual_seed(3))
    numbers = carried(item, rotation=rotation, places=native @ rotation.T).metrics(3)
    assert numbers["areal_p95"] == numbers["edge_p95"] == 0
    assert numbers["ncc"] == numbers["ncc_rigid"]
    assert numbers["dice"] == numbers["dice_rigid"]


def test_scaled_features_have_mean_zero_and_deviation_one(part):
    share = vertex_areas(part.native.sphere) / (4 * math.pi)
    assert (part.scaled * share).sum(1).abs().max() < 0.05
    torch.testing.assert_close((part.scaled.square() * share).sum(1), torch.ones(2).double(), atol=0.05, rtol=0)


def test_numbers_of_the_registration_are_passed_on(item):
    uncertainty = torch.full((642,), 0.75)
    numbers = carried(item, uncertainty=uncertainty, scale=0.5, folded=2).metrics(2)
    assert numbers["uncertainty_mean_degree"] == 0.75
    assert (numbers["scale"], numbers["new_folds"], numbers["seconds"]) == (0.5, 2, 1.25)
    assert "uncertainty_mean_degree" not in carried(item).metrics(2)


def test_without_labels_there_is_no_overlap(registered_item):
    part = carried(registered_item(sides=["lh"], labels=False))
    assert part.overlap() is None
    assert not any(name.startswith("dice") for name in part.metrics(2))


def test_opposite_sign_is_named_and_the_same_sign_is_not(item, part):
    assert part.sign_note("sulc", part.metrics(3)) == ""
    native = item["hemispheres"]["lh"]
    opposite = {"lh": native._replace(values=-native.values)}
    turned = carried(item | {"hemispheres": opposite})
    note = turned.sign_note("sulc", turned.metrics(3))
    assert note.startswith("lh sulc")
    assert "opposite sign" in note


def test_opposite_sign_is_found_behind_a_rotation_that_hides_it(item):
    """Where a rotation aligns maps of opposite signs a little, the correlation is positive."""
    native = item["hemispheres"]["lh"]
    turned = carried(item | {"hemispheres": {"lh": native._replace(values=-native.values)}})
    assert turned.sign_note("sulc", {"ncc_rigid": 0.29})
    assert not turned.sign_note("sulc", {"ncc_rigid": 0.31})


def test_poor_agreement_alone_is_no_opposite_sign(item, part):
    generator = torch.Generator().manual_seed(0)
    native = item["hemispheres"]["lh"]
    other = native._replace(values=torch.randn(native.values.shape, generator=generator, dtype=torch.float64))
    assert carried(item | {"hemispheres": {"lh": other}}).sign_note("sulc", {"ncc_rigid": 0.25}) == ""
    assert part.sign_note("sulc", {"ncc_rigid": math.nan}) == ""


def test_registration_of_another_mesh_is_refused(item):
    with pytest.raises(ValueError, match="sub-1, lh: need places of 642 vertices"):
        carried(item, places=torch.eye(3))
