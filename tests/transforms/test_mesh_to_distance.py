"""Distances on an image's grid: truth, union, grids, what is refused and warned of."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import MeshToDistance, MeshToDistanceD, MeshToDistanced, MeshToDistanceDict

SHAPE = (14, 12, 10)
AFFINE = torch.tensor([[-2.0, 0, 0, 13], [0, 2, 0, -11], [0, 0, 2, -9], [0, 0, 0, 1]], dtype=torch.float64)


@pytest.fixture(scope="module")
def image():
    return MetaTensor(torch.zeros(2, *SHAPE), affine=AFFINE)


def ball(radius, *center):
    mesh = icosphere(4)
    return Mesh(mesh.vertices * radius + torch.tensor(center or (0, 0, 0)), mesh.faces)


def radii():
    index = torch.stack(torch.meshgrid(*map(torch.arange, SHAPE), indexing="ij"), -1).double()
    return (index @ AFFINE[:3, :3].T + AFFINE[:3, 3]).norm(dim=-1)


def test_ball_on_the_grid_of_an_image(image):
    found = MeshToDistance()(ball(6), image)
    assert found.shape == (1, *SHAPE)
    assert found.dtype == torch.float32
    assert torch.equal(found.affine, AFFINE)
    torch.testing.assert_close(found[0].as_tensor(), (radii() - 6).clamp(-5, 5).float(), atol=0.03, rtol=0)


def test_grid_may_be_given_instead(image):
    given = MeshToDistance(SHAPE, AFFINE.numpy(), None)
    assert torch.equal(given(ball(6)), MeshToDistance(band_mm=None)(ball(6), image))
    assert torch.equal(given(ball(6)).clamp(-5, 5), MeshToDistance()(ball(6), image))


def test_hemispheres_are_taken_together(image):
    left, right = ball(4, -5, 0, 0), ball(4, 5, 0, 0)
    measure = MeshToDistance()
    both = measure([left, right], image)
    assert torch.equal(both, torch.minimum(measure(left, image), measure(right, image)))
    torch.testing.assert_close(both.flip(1), both, atol=1e-4, rtol=0)


def test_pair_agrees():
    data = {"white": ball(4), "pial": [ball(5), ball(2, 7, 0, 0)], "other": 1}
    pair = MeshToDistance(SHAPE, AFFINE), MeshToDistanced(["white", "pial"], spatial_shape=SHAPE, affine=AFFINE)
    assert_pair_agrees(*pair, data, "white", "pial")
    assert MeshToDistanceD is MeshToDistanceDict is MeshToDistanced


def test_output_keys_and_missing_keys(image):
    transform = MeshToDistanced(["white", "pial"], ["w", "p"], allow_missing_keys=True)
    result = transform({"pial": ball(5), "image": image})
    assert result.keys() == {"pial", "image", "p"}
    assert torch.equal(result["p"], MeshToDistance()(ball(5), image))
    with pytest.raises(KeyError):
        MeshToDistanced("white")({"image": image})


def test_part_of_a_surface_is_enough():
    patch = MeshToDistance((4, 4, 4), np.diag([0.5, 0.5, 0.5, 1]))(ball(30))
    assert (patch == -5).all()


def test_surface_elsewhere_is_refused(image):
    with pytest.raises(GeometryError, match=r"0 % of 2562 vertices inside, the nearest 29\.\d mm away"):
        MeshToDistance()(ball(6, 49, 0, 0), image)


def test_holes_are_warned_of(image):
    with pytest.warns(UserWarning, match="not closed: 3 sides"):
        found = MeshToDistance()(ball(6)._replace(faces=icosphere(4).faces[1:]), image)
    assert torch.equal(found < 0, MeshToDistance()(ball(6), image) < 0)


@pytest.mark.parametrize(
    ("meshes", "message"),
    [
        ([], "no surface"),
        (ball(6)._replace(faces=icosphere(4).faces.flip(1)), "inside out"),
        (ball(float("nan")), "not finite"),
    ],
)
def test_bad_surfaces_are_refused(image, meshes, message):
    with pytest.raises(GeometryError, match=message):
        MeshToDistance()(meshes, image)


@pytest.mark.parametrize("image", [None, torch.zeros(1, 3, 3, 3), MetaTensor(torch.zeros(3, 3, 3))])
def test_without_a_grid_there_is_no_distance(image):
    with pytest.raises(GeometryError, match="no grid"):
        MeshToDistance()(ball(6), image)


@pytest.mark.parametrize("options", [{"spatial_shape": SHAPE}, {"affine": AFFINE}, {"band_mm": 0.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigError):
        MeshToDistance(**options)
