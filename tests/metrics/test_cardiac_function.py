"""Hearts of boxes, whose volumes are counted."""

import math

import numpy as np
import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.displacement import voxel_grid
from monai_cortex.metrics import cardiac_function, myocardial_jacobian

# Voxels of 10 mm^3.
AFFINE = np.array([[0, -1.0, 0, 5], [1.0, 0, 0, 2], [0, 0, 10.0, 1], [0, 0, 0, 1]])


def heart(lv, wall, rv):
    """Labels with so many voxels of each structure."""
    labels = torch.zeros(10 * 10 * 40)
    labels[:lv], labels[1000 : 1000 + wall], labels[2000 : 2000 + rv] = 3, 2, 1
    return labels.reshape(1, 10, 10, 40)


def test_volumes_and_fractions_are_known():
    found = cardiac_function(heart(400, 1000, 500), heart(160, 950, 300), AFFINE)
    assert found[:6] == pytest.approx((4.0, 1.6, 5.0, 3.0, 10.0, 9.5))
    assert found.lv_ejection == pytest.approx(60)
    assert found.rv_ejection == pytest.approx(40)
    assert found.wall_change == pytest.approx(-5)


def test_nothing_moves():
    found = cardiac_function(heart(4, 10, 5), heart(4, 10, 5), AFFINE)
    assert (found.lv_ejection, found.rv_ejection, found.wall_change) == (0, 0, 0)


def test_storage_does_not_matter():
    pair = heart(400, 1000, 500), heart(160, 950, 300)
    turned = [labels[0].permute(2, 0, 1).flip(1) for labels in pair]
    assert cardiac_function(*turned, AFFINE[:, [2, 0, 1, 3]]) == pytest.approx(cardiac_function(*pair, AFFINE))


def test_fractions_of_nothing_are_no_numbers():
    found = cardiac_function(heart(0, 0, 0), heart(1, 1, 1), AFFINE)
    assert all(math.isnan(value) for value in (found.lv_ejection, found.rv_ejection, found.wall_change))
    assert found.lv_systole == pytest.approx(0.01)


def test_unusable_affine_is_refused():
    with pytest.raises(GeometryError, match="does not place"):
        cardiac_function(heart(1, 1, 1), heart(1, 1, 1), np.zeros((4, 4)))


def test_median_volume_change_of_the_inner_wall():
    shape = (12, 12, 12)
    nodes = voxel_grid(shape, torch.zeros((), dtype=torch.float64))
    ddf = 0.1 * nodes
    labels = torch.zeros(1, *shape)
    labels[:, 3:9, 3:9, 3:9] = 2
    assert myocardial_jacobian(ddf, labels) == pytest.approx(1.331)
    # What happens at the border of the wall and outside it does not count.
    ddf[:, :3] = 50 * torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    assert myocardial_jacobian(ddf, labels[0]) == pytest.approx(1.331)


def test_thin_walls_have_no_inner_part():
    labels = torch.zeros(6, 6, 6)
    labels[2:4] = 2
    assert math.isnan(myocardial_jacobian(torch.zeros(3, 6, 6, 6), labels))


def test_other_grids_are_refused():
    with pytest.raises(ConfigError, match="one grid"):
        myocardial_jacobian(torch.zeros(3, 6, 6, 6), torch.zeros(6, 6, 5))
