"""Rotations between two spheres with the same features."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers.rigid_sphere import align_rotation


def angle(first, second):
    return math.degrees(math.acos(min(1.0, (float((first * second).sum()) - 1) / 2)))


@pytest.fixture(scope="module")
def folds():
    """A map with power at all scales that a cortex has, like folds at random."""
    mesh = icosphere(4)
    degrees = harmonic_degrees(20).double()
    power = (degrees > 0) / (1 + degrees / 6) ** 2
    generator = torch.Generator().manual_seed(4)
    coefficients = power * torch.randn(2, len(degrees), generator=generator, dtype=torch.float64)
    return SphereMap(mesh, coefficients @ real_harmonics(mesh.vertices, 20).T)


@pytest.mark.parametrize("seed", range(6))
def test_any_rotation_is_found(folds, seed):
    rotation = random_rotation(torch.Generator().manual_seed(seed))
    found = align_rotation(folds, folds.rotated(rotation.T))
    assert angle(found, rotation) < 0.1


def test_noise_is_no_hindrance(folds):
    generator = torch.Generator().manual_seed(0)
    rotation = random_rotation(generator)
    noise = torch.randn(folds.values.shape, generator=generator, dtype=torch.float64) * folds.values.std()
    noisy = SphereMap(folds.mesh, folds.values + noise).rotated(rotation.T)
    assert angle(align_rotation(folds, noisy), rotation) < 2


def test_radius_and_scale_of_features_do_not_matter(folds):
    rotation = random_rotation(torch.Generator().manual_seed(1))
    turned = folds.rotated(rotation.T)
    large = SphereMap(Mesh(100 * turned.mesh.vertices, turned.mesh.faces), 3 * turned.values - 7)
    torch.testing.assert_close(align_rotation(folds, large), align_rotation(folds, turned), atol=1e-4, rtol=0)


def test_different_features_are_refused(folds):
    with pytest.raises(ValueError, match="2 features, moving 1"):
        align_rotation(folds, SphereMap(folds.mesh, folds.values[:1]))
