import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit, vertex_harmonics

HEMISPHERE = pytest.mark.parametrize("hemisphere", [True, False])


@HEMISPHERE
@pytest.mark.parametrize(("nside", "degree"), [(1, 2), (2, 4), (4, 8), (8, 18)])
def test_fit_undoes_evaluation(nside, degree, hemisphere):
    values = vertex_harmonics(nside, degree, hemisphere)
    assert len(values) == (6 if hemisphere else 12) * nside**2
    identity = torch.eye(values.shape[1], dtype=torch.float64)
    torch.testing.assert_close(vertex_fit(nside, degree, hemisphere) @ values, identity)


@HEMISPHERE
def test_values_are_those_at_the_graph_s_vertices(hemisphere):
    graph = (hemispheric_graph if hemisphere else spherical_graph)(2)
    expected = real_harmonics(graph.directions, 6, even=True)
    torch.testing.assert_close(vertex_harmonics(2, 6, hemisphere), expected, atol=0, rtol=0)


@HEMISPHERE
@pytest.mark.parametrize(("nside", "degree", "limit"), [(2, 6, 4), (4, 14, 12), (4, 7, 12), (1, -2, 2)])
def test_degree_that_cannot_be_fitted_is_refused_with_both_numbers(nside, degree, limit, hemisphere):
    with pytest.raises(ConfigError, match=rf"lmax {degree} at nside {nside}\n.* to {limit}:.* {6 * nside**2} vertices"):
        vertex_fit(nside, degree, hemisphere)


@pytest.mark.parametrize(("nside", "limit"), [(2, 4), (4, 12)])
def test_largest_degree_named_in_the_refusal_is_accepted(nside, limit):
    assert vertex_fit(nside, limit).isfinite().all()
