"""Errors of known length, and fields whose inverse is known."""

import math

import numpy as np
import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.displacement import voxel_grid
from monai_cortex.metrics import end_point_error, inverse_consistency_error

SHAPE = (7, 6, 5)
AFFINE = np.diag([-1.5, 2.0, 10.0, 1.0])


def shifted(*numbers, shape=SHAPE):
    return torch.tensor(numbers, dtype=torch.float64).view(3, 1, 1, 1).expand(3, *shape)


@pytest.mark.parametrize(("shift", "length"), [((1, 0, 0), 1.5), ((0, 1, 0), 2), ((0, 0, -0.5), 5), ((2, 2, 0), 5)])
def test_errors_are_in_mm(shift, length):
    found = end_point_error(shifted(*shift) + 0.3, shifted(0, 0, 0) + 0.3, AFFINE)
    assert found == pytest.approx((length, length, length))


def test_oblique_grids_give_the_same_lengths():
    turn = np.array([[0.6, -0.8, 0, 7], [0.8, 0.6, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    ddf = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    first, second = (end_point_error(ddf, 0 * ddf, affine) for affine in (AFFINE, turn @ AFFINE))
    assert first == pytest.approx(second)
    lengths = (ddf * torch.tensor([1.5, 2, 10]).view(3, 1, 1, 1)).norm(dim=0)
    assert [*first] == pytest.approx(
        [float(number) for number in (lengths.mean(), lengths.quantile(0.95), lengths.max())]
    )


def test_masks_leave_voxels_out():
    ddf, mask = torch.zeros(3, *SHAPE), torch.ones(1, *SHAPE)
    ddf[0, 2], mask[0, 2] = 8, 0
    for inside in (mask, mask[0], mask > 0):
        assert end_point_error(ddf, 0 * ddf, AFFINE, inside) == (0, 0, 0)
    assert end_point_error(ddf, 0 * ddf, AFFINE).highest == pytest.approx(12)
    assert all(math.isnan(value) for value in end_point_error(ddf, 0 * ddf, AFFINE, 0 * mask))


def test_opposite_shifts_are_inverse():
    assert inverse_consistency_error(shifted(1, -2, 0.5), shifted(-1, 2, -0.5)) == pytest.approx((0, 0, 0), abs=1e-12)
    length = math.sqrt(4 + 16 + 1)
    assert inverse_consistency_error(*[shifted(1, -2, 0.5)] * 2) == pytest.approx((length,) * 3)


def test_inverse_scales_are_inverse_where_the_negative_is_not():
    shape = (15, 15, 15)
    grow = 0.25 * (voxel_grid(shape, torch.zeros((), dtype=torch.float64)) - 7)
    shrink = -0.2 * (voxel_grid(shape, torch.zeros((), dtype=torch.float64)) - 7)
    assert inverse_consistency_error(grow, shrink).highest == pytest.approx(0, abs=1e-9)
    # 1.25 * 0.75 - 1 of the distance to the center.
    assert inverse_consistency_error(grow, -grow).highest == pytest.approx(0.0625 * 7 * math.sqrt(3))
    inside = torch.zeros(shape)
    inside[7, 7, 7] = 1
    assert inverse_consistency_error(grow, -grow, inside).highest == pytest.approx(0, abs=1e-9)


def test_bad_input_is_refused():
    field = torch.zeros(3, *SHAPE)
    with pytest.raises(ConfigError, match="one grid"):
        end_point_error(field, field[..., :4], AFFINE)
    with pytest.raises(ConfigError, match="one grid"):
        inverse_consistency_error(field, field, torch.ones(5, 6, 7))
    with pytest.raises(GeometryError, match="not a displacement field"):
        end_point_error(field[:2], field[:2], AFFINE)
    with pytest.raises(GeometryError, match="does not place"):
        end_point_error(field, field, np.zeros((4, 4)))
