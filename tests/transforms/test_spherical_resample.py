import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import SphericalResample, SphericalResampleD, SphericalResampled, SphericalResampleDict

# The cyclic permutation of the axes maps every icosphere onto itself.
CYCLE = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)


@pytest.fixture(scope="module")
def tilted():
    """The three coordinates on a sphere that is no icosphere of the package: turned, and of other radii."""
    mesh = icosphere(4)
    vertices = mesh.vertices @ random_rotation(torch.Generator().manual_seed(3)).T
    return SphereMap(Mesh(vertices, mesh.faces), vertices.T.clone())


@pytest.mark.parametrize("level", [0, 3])
def test_resampling_an_icosphere_on_itself_is_the_identity(level):
    mesh = icosphere(level)
    values = torch.randn(2, len(mesh.vertices), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = SphericalResample(level, dtype=torch.float64)(SphereMap(mesh, values))
    torch.testing.assert_close(found, values, atol=1e-12, rtol=0)
    single = SphericalResample(level)(SphereMap(mesh, values))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, values.float())


@pytest.mark.parametrize("level", [2, 3])
def test_coordinates_are_read_where_the_vertices_are(tilted, level):
    """Flat triangles of side h lie at most h^2 / 6 below the sphere."""
    found = SphericalResample(level, dtype=torch.float64)(tilted)
    edge = (tilted.mesh.vertices[tilted.mesh.faces[:, 0]] - tilted.mesh.vertices[tilted.mesh.faces[:, 1]]).norm(dim=1)
    assert found.shape == (3, 10 * 4**level + 2)
    assert 0 < (found - icosphere(level).vertices.T).abs().max() < edge.max() ** 2 / 6


def test_resampling_commutes_with_the_symmetry_of_the_icosphere(tilted):
    transform = SphericalResample(3, dtype=torch.float64)
    mesh = icosphere(3)
    # Vertex i of the turned icosphere is vertex order[i] of the icosphere.
    order = torch.cdist(mesh.vertices @ CYCLE.T, mesh.vertices).argmin(1)
    torch.testing.assert_close(transform(tilted.rotated(CYCLE))[:, order], transform(tilted), atol=1e-12, rtol=0)


def test_labels_are_never_invented(tilted):
    labels = torch.where(tilted.values[2] > 0, 7, torch.where(tilted.values[0] > 0, 30, -1))
    found = SphericalResample(3, mode="nearest")(SphereMap(tilted.mesh, labels[None].int()))
    assert found.dtype == torch.int64
    assert found.shape == (1, 642)
    assert set(found.flatten().tolist()) == {-1, 7, 30}
    x, _, z = icosphere(3).vertices.T
    assert (found[0][z > 0.1] == 7).all()
    assert (found[0][(z < -0.1) & (x > 0.1)] == 30).all()
    assert (found[0][(z < -0.1) & (x < -0.1)] == -1).all()


def test_labels_on_the_same_sphere_stay():
    mesh = icosphere(2)
    labels = torch.arange(162)[None]
    assert torch.equal(SphericalResample(2, "nearest")(SphereMap(mesh, labels)), labels)
    assert torch.equal(SphericalResample(2, "nearest")(SphereMap(mesh, labels[0])), labels[0])


def test_pair_agrees(tilted):
    data = {"moving": tilted, "fixed": SphereMap(tilted.mesh, 2 * tilted.values), "other": 1}
    assert_pair_agrees(SphericalResample(2), SphericalResampled(["moving", "fixed"], 2), data, "moving", "fixed")
    labels = {"labels": SphereMap(tilted.mesh, (3 * tilted.values).long())}
    assert_pair_agrees(
        SphericalResample(1, "nearest"), SphericalResampled("labels", 1, mode="nearest"), labels, "labels"
    )
    double = SphericalResampled("moving", 1, dtype=torch.float64)(data)["moving"]
    assert double.dtype == torch.float64
    assert SphericalResampled("none", 1, allow_missing_keys=True)(data).keys() == data.keys()
    assert SphericalResampleD is SphericalResampleDict is SphericalResampled


def test_impossible_wishes(tilted):
    with pytest.raises(ValueError, match="linear, nearest, got 'cubic'"):
        SphericalResample(2, mode="cubic")
    with pytest.raises(ValueError, match="level"):
        SphericalResample(-1)
    with pytest.raises(ValueError, match="labels are whole numbers"):
        SphericalResample(2, mode="nearest")(tilted)
    with pytest.raises(ValueError, match=r"2562 vertices, its values have shape \(3, 2561\)"):
        SphericalResample(2)(SphereMap(tilted.mesh, tilted.values[:, 1:]))
