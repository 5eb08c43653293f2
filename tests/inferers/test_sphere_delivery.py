"""The deformation on the subject's own mesh."""

import pytest
import torch

from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.rotation_field import rotation_matrix
from monai_cortex.geometry.sphere import arc_angle, corner_volumes
from monai_cortex.inferers.sphere_delivery import deliver

ROOT = (4 * torch.pi) ** 0.5
NONE = torch.zeros(3, 1)


def field(angle, degree=6, seed=0):
    """Random coefficients with most power in low degrees."""
    count = (degree + 1) ** 2
    falling = (1.0 + torch.arange(degree + 1)) ** -1.5
    scale = falling.repeat_interleave(2 * torch.arange(degree + 1) + 1)
    return angle * scale * torch.randn(3, count, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def native():
    """Another triangulation than that of the flow, of radius 100."""
    rotation = random_rotation(torch.Generator().manual_seed(5))
    mesh = icosphere(4)
    return Mesh(100 * mesh.vertices @ rotation.T, mesh.faces)


def test_no_field_leaves_the_rotation(native):
    rotation = random_rotation(torch.Generator().manual_seed(0))
    found = deliver(NONE, rotation, native, level=4)
    torch.testing.assert_close(found.places, native.vertices @ rotation.T / 100, atol=1e-12, rtol=0)
    assert found.scale == 1


def test_constant_field_is_a_rotation_after_the_first(native):
    first = random_rotation(torch.Generator().manual_seed(0))
    omega = torch.tensor([0.2, -0.1, 0.3], dtype=torch.float64)
    found = deliver((omega * ROOT)[:, None], first, native, level=4)
    expected = native.vertices @ first.T @ rotation_matrix(omega).T / 100
    torch.testing.assert_close(found.places, expected, atol=1e-9, rtol=0)


def test_negative_field_leads_back(native):
    one = torch.eye(3, dtype=torch.float64)
    there = deliver(field(0.1), one, native, level=5)
    back = deliver(-field(0.1), one, Mesh(there.places, native.faces), level=5)
    moved = arc_angle(there.places, native.vertices / 100)
    assert moved.mean() > 0.04
    assert arc_angle(back.places, native.vertices / 100).max() < 0.02 * moved.max()


@pytest.mark.parametrize("seed", range(3))
def test_violent_field_is_weakened_until_nothing_folds(native, seed):
    one = torch.eye(3, dtype=torch.float64)
    found = deliver(field(2.5, degree=12, seed=seed), one, native, level=5)
    assert 0 < found.scale < 1
    assert found.folded == folded(native.vertices, found.places, native.faces) == 0
    assert arc_angle(found.places, native.vertices / 100).max() > 0.05


def test_triangles_that_were_folded_before_are_no_fault(native):
    vertices = native.vertices.clone()
    vertices[7] = vertices[7] - 2.2 * (vertices[7] - vertices[native.faces[(native.faces == 7).any(1)][0]].mean(0))
    assert (corner_volumes(vertices[native.faces]) <= 0).any()
    found = deliver(field(0.05), torch.eye(3, dtype=torch.float64), Mesh(vertices, native.faces), level=4)
    assert found.scale == 1
