"""Agreement of maps after one's sign is turned."""

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers.feature_sign import opposite_agreement


@pytest.fixture(scope="module")
def folds():
    mesh, degrees = icosphere(4), harmonic_degrees(8).double()
    power = (degrees > 0) / (1 + degrees / 6) ** 2
    random = torch.randn(2, len(degrees), generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return SphereMap(mesh, (power * random) @ real_harmonics(mesh.vertices, 8).T)


def test_map_of_opposite_sign_agrees_fully_wherever_it_is_turned_and_whatever_the_other_features(folds):
    opposite = SphereMap(folds.mesh, torch.stack([3 - 2 * folds.values[0], folds.values[1]]))
    rotation = random_rotation(torch.Generator().manual_seed(1))
    assert opposite_agreement(folds, opposite, 3) > 0.99
    assert opposite_agreement(folds, opposite.rotated(rotation), 3) > 0.97


def test_map_of_the_same_sign_does_not(folds):
    assert opposite_agreement(folds, folds, 3) < 0.8


def test_constant_map_is_refused(folds):
    with pytest.raises(ValueError, match="same everywhere"):
        opposite_agreement(folds, SphereMap(folds.mesh, torch.ones(1, 2562).double()), 3)
