"""Fields whose folds can be counted on paper."""

import math

import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.displacement import voxel_grid
from monai_cortex.metrics import FoldingMetric, folding, folding_by_region, heart_mask

SHAPE = (8, 6, 5)


def stretched(factors):
    """u along the first axis, whose slope at slice i makes J the factor there."""
    ddf = torch.zeros(3, len(factors), *SHAPE[1:], dtype=torch.float64)
    # Central differences of a sum over every second slice, and one-sided ones at both ends.
    line = [0.0, factors[0] - 1]
    for factor in factors[1:-1]:
        line.append(line[-2] + 2 * (factor - 1))
    ddf[0] = torch.tensor(line)[: len(factors), None, None]
    return ddf


def test_counts_and_deviations_are_known():
    factors = [1.0, 2.0, -1.0, 0.0, 0.5, 1.0]
    found = folding(stretched(factors))
    last = 1 + float(stretched(factors)[0, -1, 0, 0] - stretched(factors)[0, -2, 0, 0])
    values = torch.tensor([*factors[:-1], last], dtype=torch.float64)
    assert found.percent.item() == pytest.approx(100 * float((values <= 0).double().mean()))
    assert found.percent >= 100 / 3 - 1e-9, "J of exactly 0 is a fold"
    assert found.deviation.item() == pytest.approx(float(values.std(correction=0)))
    assert found.log_deviation.item() == pytest.approx(float(values[values > 0].log().std(correction=0)))


def test_no_displacement_folds_nowhere():
    assert [float(value) for value in folding(torch.zeros(3, *SHAPE))] == [0, 0, 0]


def test_one_scale_does_not_vary_and_a_reflection_folds_everywhere():
    grow = folding(0.2 * voxel_grid(SHAPE, torch.zeros((), dtype=torch.float64)))
    torch.testing.assert_close(torch.stack([*grow]), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    mirrored = voxel_grid(SHAPE, torch.zeros(()))
    mirrored = torch.stack([-2 * mirrored[0], 0 * mirrored[1], 0 * mirrored[2]])
    assert folding(mirrored).percent == 100
    assert math.isnan(folding(mirrored).log_deviation)


def test_masks_leave_voxels_out():
    ddf = stretched([1.0, 2.0, -1.0, 0.0, 0.5, 1.0])
    mask = torch.zeros(ddf.shape[1:])
    mask[1:3] = 1
    for inside in (mask, mask[None], mask[None] > 0):
        found = folding(ddf, inside)
        assert (found.percent, found.deviation) == (50, 1.5)
    assert all(math.isnan(value) for value in folding(ddf, 0 * mask))


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_order_of_axes_does_not_matter(order):
    ddf = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = ddf.permute(0, *(1 + axis for axis in order))[list(order)]
    torch.testing.assert_close(torch.stack([*folding(turned)]), torch.stack([*folding(ddf)]))


def test_regions_are_grid_valid_and_heart():
    ddf = torch.randn(3, 12, 12, 12, generator=torch.Generator().manual_seed(1))
    valid, labels = torch.ones(1, 12, 12, 12), torch.zeros(1, 12, 12, 12)
    valid[..., 6:] = 0
    labels[0, 4, 4, 4] = 2
    found = folding_by_region(ddf, valid, labels)
    assert list(found) == ["grid", "valid", "heart"]
    expected = folding(ddf), folding(ddf, valid), folding(ddf, heart_mask(labels))
    assert [*found.values()] == [*expected]
    assert len({float(part.deviation) for part in expected}) == 3
    assert list(folding_by_region(ddf)) == ["grid"]


def test_heart_grows_by_steps_over_faces():
    labels = torch.zeros(1, 9, 9, 9)
    labels[0, 4, 4, 4] = 3
    found = heart_mask(labels)
    distance = (voxel_grid((9, 9, 9), torch.zeros(())) - 4).abs().sum(0)
    assert torch.equal(found[0], distance <= 3)
    assert torch.equal(heart_mask(labels, 0), labels > 0)
    assert not heart_mask(0 * labels).any()


def test_metric_is_the_mean_over_fields():
    fields = torch.randn(3, 3, *SHAPE, generator=torch.Generator().manual_seed(2))
    masks = (torch.rand(3, 1, *SHAPE, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    metric, percent = FoldingMetric(), FoldingMetric("percent")
    for count in (metric, percent):
        assert count(fields[:2], masks[:2]).shape == (2, 3)
        count([fields[2]], [masks[2]])
    expected = torch.stack([torch.stack(folding(*pair)) for pair in zip(fields, masks, strict=True)]).mean(0)
    torch.testing.assert_close(torch.stack([*metric.aggregate()]), expected)
    torch.testing.assert_close(percent.aggregate(), expected[0])
    metric.reset()
    metric(fields)
    torch.testing.assert_close(metric.aggregate().percent, torch.stack([folding(f).percent for f in fields]).mean())


def test_fields_without_a_voxel_do_not_count():
    fields = torch.randn(2, 3, *SHAPE, generator=torch.Generator().manual_seed(2))
    masks = torch.ones(2, 1, *SHAPE)
    masks[1] = 0
    metric = FoldingMetric("deviation")
    metric(fields, masks)
    torch.testing.assert_close(metric.aggregate(), folding(fields[0]).deviation)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="one grid"):
        folding(torch.zeros(3, *SHAPE), torch.ones(5, 6, 8))
    with pytest.raises(GeometryError, match="not a displacement field"):
        folding(torch.zeros(2, *SHAPE))
    with pytest.raises(ValueError, match="percent"):
        FoldingMetric("percents")
