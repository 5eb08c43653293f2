import math

import pytest
import torch

from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.geometry.response import deconvolution_design, linear_deconvolution
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.transforms import LinearDeconvolution, LinearDeconvolutiond

SHAPE = (3, 2, 1)


@pytest.fixture
def case(make_scan, make_responses):
    """Signals of random coefficients of degree 4 and of free water: an item, the two truths."""
    scan = make_scan(1000.0, 3000.0)
    responses = make_responses(scan, degree=4)
    generator = torch.Generator().manual_seed(0)
    fibers = torch.randn(15, *SHAPE, generator=generator, dtype=torch.float64)
    water = torch.rand(SHAPE, generator=generator, dtype=torch.float64)
    design = deconvolution_design(scan.directions, scan.shell, responses, 4)
    dwi = torch.einsum("gn,nijk->gijk", design, torch.cat([fibers, water[None]])).float()
    item = {"dwi": dwi, "directions": scan.directions, "shell": scan.shell, "responses": responses}
    return item, fibers.float(), water.float()


def test_weak_penalty_recovers_orientations_and_water(case):
    item, fibers, water = case
    found = LinearDeconvolution(degree=4, regularization=1e-9)(**item)
    assert found.shape == (2 * 15, *SHAPE)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[:15], fibers, atol=1e-3, rtol=0)
    torch.testing.assert_close(found[15], water, atol=1e-4, rtol=0)
    assert not found[16:].any()


def test_strong_penalty_leaves_nothing(case):
    found = LinearDeconvolution(4, 1e12)(**case[0])
    assert found.abs().max() < 1e-8


def test_estimate_is_that_of_the_formula(case):
    item = case[0]
    found = LinearDeconvolution(4, 0.2)(**item)
    design = deconvolution_design(item["directions"], item["shell"], item["responses"], 4)
    matrix = linear_deconvolution(design, 0.2).float()
    expected = torch.einsum("ng,gijk->nijk", matrix, item["dwi"])
    torch.testing.assert_close(found[:16], expected)


def test_three_tissues_stay_in_order(make_scan, make_responses):
    scan = make_scan(1000.0, 3000.0)
    responses = make_responses(scan, degree=4, isotropic=(3e-3, 0.8e-3))
    dwi = 0.7 * (-0.8e-3 * scan.bvalues).exp().float().view(-1, 1, 1, 1)
    found = LinearDeconvolution(4, 1e-9)(dwi, scan.directions, scan.shell, responses).flatten()
    expected = torch.zeros(45)
    expected[30] = 0.7 / math.sqrt(4 * math.pi)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_estimates_turn_with_the_directions(case):
    """The estimate in directions d is the estimate of the turned scan in the turned directions."""
    item, rotation = case[0], random_rotation(torch.Generator().manual_seed(0))
    turned = {**item, "directions": item["directions"] @ rotation.T}
    transform, points = LinearDeconvolution(4, 0.1), item["directions"][2:]
    before = torch.einsum("dn,nijk->dijk", real_harmonics(points, 4, even=True).float(), transform(**item)[:15])
    harmonics = real_harmonics(points @ rotation.T, 4, even=True).float()
    torch.testing.assert_close(torch.einsum("dn,nijk->dijk", harmonics, transform(**turned)[:15]), before)


def test_dictionary_version_appends_to_features(case):
    item = case[0]
    expected = LinearDeconvolution(4)(**item)
    alone = LinearDeconvolutiond(degree=4)(item)
    assert torch.equal(alone["features"], expected)
    both = LinearDeconvolutiond(degree=4)({**item, "features": torch.ones(3, *SHAPE)})
    assert torch.equal(both["features"], torch.cat([torch.ones(3, *SHAPE), expected]))
    assert "features" not in item


def test_only_the_inputs_are_seen(case):
    """Other volumes may hold anything, and change nothing."""
    item = case[0]
    inputs = torch.cat([torch.arange(2, 40), torch.arange(0, 1), torch.arange(100, 150)]).sort().values
    spoiled = {**item, "dwi": torch.full_like(item["dwi"], torch.nan), "inputs": inputs}
    spoiled["dwi"][inputs] = item["dwi"][inputs]
    few = {name: item[name][inputs] for name in ("dwi", "directions", "shell")}
    expected = LinearDeconvolution(4)(**few, responses=item["responses"])
    assert torch.equal(LinearDeconvolutiond(degree=4)(spoiled)["features"], expected)
    assert torch.isfinite(expected).all()


def test_default_degree_is_eight(case):
    assert len(LinearDeconvolutiond()(case[0])["features"]) == 2 * even_count(8)


def test_missing_keys_are_an_error_unless_allowed():
    with pytest.raises(KeyError):
        LinearDeconvolutiond()({})
    assert LinearDeconvolutiond(allow_missing_keys=True)({}) == {}
