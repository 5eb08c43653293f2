"""Doses of atrophy in regions."""

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.inferers import AtrophySeries


def test_whole_cortex_loses_the_dose(synthetic_person):
    series = AtrophySeries((0.0, 0.5))
    regions = series.regions(synthetic_person)
    surfaces = series.surfaces(synthetic_person, regions)
    assert list(surfaces) == [0.0, 0.5]
    for dose, pials in surfaces.items():
        for own, pial, region in zip(synthetic_person["pial"], pials, regions, strict=True):
            assert region.unique().tolist() == [1]
            steps = (own.vertices - pial.vertices).norm(dim=1)
            torch.testing.assert_close(steps, torch.full_like(steps, dose), atol=1e-6, rtol=0)


def test_regions_are_one_inside_and_fall_to_zero_around(synthetic_person):
    regions = AtrophySeries((1.0,), ("front",), taper_mm=6.0).regions(synthetic_person)
    for white, weights, side in zip(synthetic_person["white"], regions, ("lh", "rh"), strict=True):
        inside = synthetic_person["labels"][side] == 0
        far = torch.cdist(white.vertices, white.vertices[inside]).amin(1) > 6
        assert weights[inside].max() == 1
        assert not weights[far].any()
        assert 0 <= weights.min() < weights.max() <= 1
        assert far.any()


def test_no_doses_need_no_regions(synthetic_person):
    series = AtrophySeries(labels=("nucleus",))
    assert series.regions(synthetic_person) == []
    assert series.surfaces(synthetic_person, []) == {}


def test_unknown_region_is_named(synthetic_person):
    with pytest.raises(ConfigError, match="nucleus") as error:
        AtrophySeries((1.0,), ("front", "nucleus")).regions(synthetic_person)
    assert "front" in str(error.value)
    assert "synthetic-0000" in str(error.value)


@pytest.mark.parametrize("dose", [-0.1, float("nan"), float("inf")])
def test_bad_doses_are_refused(dose):
    with pytest.raises(ConfigError, match="atrophy_mm"):
        AtrophySeries((0.5, dose))
