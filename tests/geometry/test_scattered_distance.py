"""Distances in plain tensor operations: the same as the compiled ones."""

import numpy as np
import pytest
import torch

from monai_cortex.geometry import scattered_distance as module
from monai_cortex.geometry.grid_columns import grid_mesh, mesh_in_voxels
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.scattered_distance import scattered_distance
from monai_cortex.geometry.signed_distance import signed_distance
from tests.geometry.test_signed_distance import CORNERS, CUBE, CUBE_FACES, cube_distance, nodes, random_affine

SHAPE = (9, 10, 8)
BENT = Mesh(icosphere(3).vertices * torch.tensor([0.9, 0.6, 1.1]) + 0.1, icosphere(3).faces)
LIDLESS = Mesh(CORNERS, CUBE_FACES[:-2])


def scattered(mesh, affine, band):
    closed = Mesh(*map(torch.from_numpy, mesh_in_voxels(grid_mesh(mesh, SHAPE, affine))))
    return scattered_distance(mesh, closed, SHAPE, affine, band)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mesh", [BENT, CUBE, LIDLESS])
@pytest.mark.parametrize("band", [0.4, 3.0])
def test_equals_the_compiled_distance(monkeypatch, seed, mesh, band):
    monkeypatch.setattr(module, "_PAIRS", 5000)
    affine = random_affine(seed)
    torch.testing.assert_close(
        scattered(mesh, affine, band), signed_distance(mesh, SHAPE, affine, band), atol=1e-12, rtol=0
    )


def test_cube_is_exact():
    affine = random_affine(5)
    truth = cube_distance(nodes(SHAPE, affine)).clamp(-0.7, 0.7)
    torch.testing.assert_close(scattered(CUBE, affine, 0.7), truth, atol=1e-12, rtol=0)


def test_mesh_far_from_the_grid():
    affine = torch.from_numpy(np.diag([0.1, 0.1, 0.1, 1.0]))
    far = Mesh(CORNERS + 50, CUBE_FACES)
    assert (scattered(far, affine, 0.5) == 0.5).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu():
    affine = random_affine(3)
    found = signed_distance(Mesh(BENT.vertices.cuda(), BENT.faces.cuda()), SHAPE, affine, 1.0)
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), signed_distance(BENT, SHAPE, affine, 1.0), atol=1e-12, rtol=0)
