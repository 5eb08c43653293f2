"""Agreement of maps made of harmonics, whose correlation is known."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.metrics import sphere_agreement

MESH = icosphere(4)
AREAS = vertex_areas(MESH)
Y = real_harmonics(MESH.vertices, 3).T


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, 2.5, math.pi])
def test_correlation_of_orthogonal_harmonics_is_the_cosine_of_their_mixture(angle):
    """Means and units do not matter."""
    mixture = 3 + 7 * (math.cos(angle) * Y[4:5] + math.sin(angle) * Y[11:12])
    ncc, mse = sphere_agreement(Y[4:5], mixture, AREAS)
    assert ncc.item() == pytest.approx(math.cos(angle), abs=1e-3)
    assert mse.item() == pytest.approx(2 * (1 - ncc.item()), abs=1e-12)


def test_each_feature_is_measured_by_itself_and_order_does_not_matter():
    maps, others = Y[[1, 5]], torch.stack([Y[1], -Y[5] + 0.2 * Y[7]])
    both = sphere_agreement(maps, others, AREAS)
    assert both.ncc.shape == (2,)
    assert both.ncc[0].item() == pytest.approx(1)
    assert both.ncc[1].item() == pytest.approx(-1 / math.sqrt(1.04), abs=1e-3)
    for one, two in zip(both, sphere_agreement(others, maps, AREAS), strict=True):
        torch.testing.assert_close(one, two)


def test_vertices_without_weight_do_not_count():
    weights = AREAS * (MESH.vertices[:, 2] > 0)
    spoiled = torch.where(MESH.vertices[:, 2] > 0, Y[2], 100.0)[None]
    assert sphere_agreement(Y[2:3], spoiled, weights).ncc.item() == pytest.approx(1)
    assert sphere_agreement(Y[2:3], spoiled, AREAS).ncc.item() < 0.9


def test_correlation_with_a_constant_is_not_a_number():
    ncc, mse = sphere_agreement(Y[:2], Y[1:3], AREAS)
    assert ncc.isnan().tolist() == [True, False]
    assert mse.isnan().tolist() == [True, False]
    assert sphere_agreement(torch.full((1, 2562), 0.1), Y[1:2], AREAS).ncc.isnan()


@pytest.mark.parametrize(
    ("first", "weights", "message"),
    [(Y[0], AREAS, "maps"), (Y[:2], AREAS, "maps"), (Y[:1], AREAS[1:], "weights"), (Y[:1], 0 * AREAS, "weights")],
)
def test_what_does_not_fit_is_refused(first, weights, message):
    with pytest.raises(ValueError, match=message):
        sphere_agreement(first, Y[:1], weights)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="0 or more"):
        sphere_agreement(Y[:1], Y[:1], -AREAS)
