import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import NormalizeSurface, NormalizeSurfaceD, NormalizeSurfaced, NormalizeSurfaceDict


@pytest.fixture(scope="module")
def values():
    """Two features of level 3, without outliers, on scales of their own."""
    noise = torch.rand(2, 642, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return noise * torch.tensor([[5.0], [0.01]]) + torch.tensor([[-40.0], [3.0]])


def test_a_coordinate_becomes_itself_times_the_root_of_three():
    """Over the sphere a coordinate has mean 0 and mean square 1/3."""
    x = icosphere(4).vertices.T
    torch.testing.assert_close(NormalizeSurface(4)(7 * x + 100), 3**0.5 * x, rtol=0, atol=5e-3)


def test_mean_and_deviation_over_the_area_are_0_and_1(values):
    found = NormalizeSurface(3)(values)
    weights = vertex_areas(icosphere(3)) / vertex_areas(icosphere(3)).sum()
    torch.testing.assert_close((found * weights).sum(1), torch.zeros(2, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close((found**2 * weights).sum(1), torch.ones(2, dtype=torch.float64))
    # By plain counts they are not: the vertices of the twelve corners stand for less.
    assert (found.mean(1).abs() > 1e-5).all()


def test_normalized_features_stay(values):
    once = NormalizeSurface(3)(values)
    torch.testing.assert_close(NormalizeSurface(3)(once), once)
    torch.testing.assert_close(NormalizeSurface(3)(-values), -once)


def test_dtype_is_kept(values):
    found = NormalizeSurface(3)(values[:1].float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), NormalizeSurface(3)(values[:1]), rtol=0, atol=1e-4)


def test_pair_agrees(values):
    data = {"fixed": values, "moving": values**2, "other": values[0]}
    assert_pair_agrees(NormalizeSurface(3), NormalizeSurfaced(["fixed", "moving"], 3), data, "fixed", "moving")
    assert NormalizeSurfaced("none", 3, allow_missing_keys=True)(data).keys() == data.keys()
    assert NormalizeSurfaceD is NormalizeSurfaceDict is NormalizeSurfaced


@pytest.mark.parametrize(("count", "said"), [(641, "got 641"), (162, r"level 3 has 642 vertices, got shape \(2, 162")])
def test_other_vertices_are_refused(count, said):
    with pytest.raises(ValueError, match=said):
        NormalizeSurface(3)(torch.ones(2, count))
