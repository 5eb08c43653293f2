"""The registration grid: what of it is image, where it lies, and what labels and motion become on it."""

import logging

import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import RegistrationGrid, RegistrationGridD, RegistrationGridd, RegistrationGridDict

AFFINE = torch.tensor([[-1.2, 0, 0, 70], [0, -1.3, 0, 60], [0, 0, 10, -20], [0, 0, 0, 1]], dtype=torch.float64)


@pytest.fixture
def pair():
    """Images of 60 x 50 x 9 voxels; a heart of 8 x 6 x 5 voxels."""
    generator = torch.Generator().manual_seed(0)
    images = {key: torch.rand(1, 60, 50, 9, generator=generator) for key in ("fixed_full", "moving_full")}
    label = torch.zeros(1, 60, 50, 9, dtype=torch.int16)
    label[:, 20:28, 20:26, 2:7] = 2
    data = {**images, "fixed_full_label": label, "moving_full_label": label.roll(3, 1)}
    return {key: MetaTensor(value, affine=AFFINE.clone()) for key, value in data.items()}


def test_valid_is_the_image_less_its_blank_slices(pair):
    pair["fixed_full"][..., 8] = 3.0
    pair["moving_full"][..., 0] = 0.0
    result = RegistrationGridd(roi=(64, 64))(pair)
    # 9 slices of 10 mm become 29 of 3.15 mm, and these 32; 60 voxels of 1.2 mm become 48 of 1.5 mm, and these 64.
    assert result["valid"].shape == result["fixed_image"].shape == (1, 64, 64, 32)
    inside = result["valid"].as_tensor()[0]
    rows, columns, slices = (inside.amax(axes) for axes in ((1, 2), (0, 2), (0, 1)))
    assert rows.sum() == 48
    assert columns.sum() == 44
    assert torch.equal(inside, rows[:, None, None] * columns[:, None] * slices)
    # Slices whose middle lies in the second to the eighth of the source, -15 to 55 mm.
    middles = result["valid"].affine[2, 3] + 3.15 * torch.arange(32)
    assert torch.equal(slices.bool(), (middles > -15) & (middles < 55))


def test_grid_knows_where_it_lies(pair):
    places = torch.stack(torch.meshgrid(*map(torch.arange, (60.0, 50.0, 9.0)), indexing="ij"))
    mm = torch.tensordot(AFFINE[:3, :3].float(), places, 1) + AFFINE[:3, 3].float().view(3, 1, 1, 1)
    for spacing in (None, (1.5, 1.5, 3.15)):
        transform = RegistrationGrid(spacing, (48, 48))
        found = transform(MetaTensor(mm, affine=AFFINE))
        affine = torch.as_tensor(found.affine).float()
        index = torch.stack(torch.meshgrid(*map(torch.arange, map(float, found.shape[1:])), indexing="ij"))
        expected = torch.tensordot(affine[:3, :3], index, 1) + affine[:3, 3].view(3, 1, 1, 1)
        within = torch.where((expected[2] > -20) & (expected[2] < 60), 1.0, 0.0)
        whole = (transform(MetaTensor(torch.ones(1, 60, 50, 9), affine=AFFINE)) > 0)[0].as_tensor() * within > 0
        for axis in range(2):
            limits = mm[axis].min(), mm[axis].max()
            whole &= (expected[axis] > limits[0]) & (expected[axis] < limits[1])
        assert whole.float().mean() > 0.3
        torch.testing.assert_close(found.as_tensor()[:, whole], expected[:, whole], atol=1e-3, rtol=0)


def test_labels_keep_their_volume(pair, caplog):
    for key in ("fixed_full_label", "moving_full_label"):
        pair[key][:, 15:44, 12:37, 2:7] = 2
    with caplog.at_level(logging.WARNING):
        result = RegistrationGridd()(pair)
    assert not caplog.records
    for key in ("fixed_label", "moving_label"):
        assert result[key].dtype == torch.float32
        assert set(result[key].unique().tolist()) == {0, 2}
        volume = float((result[key] > 0).sum()) * 1.5 * 1.5 * 3.15
        assert volume == pytest.approx(29 * 25 * 5 * 1.2 * 1.3 * 10, rel=0.1)


def test_heart_outside_is_said(pair, caplog):
    # 8 voxels of 1.5 mm in the middle reach from voxel 24.5 to 34.5 along i and from 19.9 to 29.1 along j.
    with caplog.at_level(logging.WARNING):
        RegistrationGridd(roi=(8, 8))(pair | {"subject": "p1"})
    assert "p1 fixed: 62 %" in caplog.text
    assert "p1 moving: 25 %" in caplog.text
    assert "raise roi" in caplog.text


def test_motion_comes_along_in_voxels_of_the_grid(pair):
    # 6 mm along -x, 2.6 mm along -y and 5 mm along z everywhere, on a finer grid of its own.
    field = torch.tensor([5.0, 2.0, 0.5]).view(3, 1, 1, 1).expand(3, 10, 9, 8)
    for key in ("true_displacement", "true_inverse"):
        pair[key] = MetaTensor(field, affine=AFFINE)
    result = RegistrationGridd(roi=(64, 64))(pair)
    expected = torch.tensor([4.0, 2.6 / 1.5, 5 / 3.15]).view(3, 1, 1, 1).expand(3, 64, 64, 32)
    for key in ("true_displacement", "true_inverse"):
        torch.testing.assert_close(result[key].as_tensor(), expected)
        torch.testing.assert_close(torch.as_tensor(result[key].affine), torch.as_tensor(result["valid"].affine))


def test_depth_is_padded_or_cut(pair):
    assert RegistrationGridd()(pair)["valid"].shape == (1, 128, 128, 32)
    assert RegistrationGridd(roi=(64, 64, 16))(pair)["valid"].shape == (1, 64, 64, 16)
    assert RegistrationGridd(spacing=None, roi=None, multiple=4)(pair)["valid"].shape == (1, 60, 52, 12)


def test_sizes_that_cannot_be():
    for options in ({"spacing": (1.5, 1.5)}, {"roi": (0, 128)}, {"multiple": 0}):
        with pytest.raises(ValueError, match="above 0"):
            RegistrationGrid(**options)


def test_pair_agrees(pair):
    def on_grid(data):
        result = RegistrationGridd(roi=(64, 64))(data)
        return data | {"fixed_full": result["fixed_image"]}

    assert_pair_agrees(RegistrationGrid(roi=(64, 64)), on_grid, pair, "fixed_full")
    assert RegistrationGridD is RegistrationGridDict is RegistrationGridd
