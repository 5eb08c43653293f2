"""Boxes around the cortex: the world stays where it is."""

import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import CropToCortex, CropToCortexD, CropToCortexd, CropToCortexDict

BALL = icosphere(2)
OBLIQUE = torch.tensor(
    [[-1.2, 0.3, 0.1, 20.0], [0.2, 0.1, 1.4, -30.0], [0.1, -1.1, 0.3, 15.0], [0, 0, 0, 1]], dtype=torch.float64
)
STRAIGHT = torch.diag(torch.tensor([1.0, 2.0, 1.5, 1.0], dtype=torch.float64))


def grid(affine, shape=(40, 41, 42)):
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    return MetaTensor(image, affine=affine)


def ball(affine, index, radius=6.0):
    center = affine[:3, :3] @ torch.tensor(index, dtype=torch.float64) + affine[:3, 3]
    return Mesh(radius * BALL.vertices + center, BALL.faces)


@pytest.mark.parametrize("affine", [STRAIGHT, OBLIQUE])
def test_value_at_a_point_is_the_same_before_and_after(affine):
    image = grid(affine)
    part = CropToCortex(3.0)(image, [ball(affine, (20, 18, 23))])
    assert 1 < part.numel() < image.numel()
    index = torch.stack(torch.meshgrid(*map(torch.arange, part.shape[1:]), indexing="ij"), -1).reshape(-1, 3)
    points = index.double() @ part.affine[:3, :3].T + part.affine[:3, 3]
    before = (points - affine[:3, 3]) @ affine[:3, :3].inverse().T
    torch.testing.assert_close(before, before.round(), atol=1e-6, rtol=0)
    i, j, k = before.round().long().T
    assert torch.equal(part.as_tensor().flatten(), image.as_tensor()[0, i, j, k])


def test_margin_is_kept_and_not_much_more():
    image, surface = grid(STRAIGHT), ball(STRAIGHT, (20, 18, 23))
    part = CropToCortex(3.0)(image, [surface])
    first, spacing = part.affine[:3, 3], STRAIGHT.diagonal()[:3]
    last = first + spacing * (torch.tensor(part.shape[1:]) - 1)
    below, above = surface.vertices.amin(0) - first, last - surface.vertices.amax(0)
    for distance in (below, above):
        assert (distance >= 3.0 - spacing).all()
        assert (distance <= 3.0 + spacing).all()


def test_box_holds_all_surfaces():
    one, other = ball(STRAIGHT, (10, 18, 23)), ball(STRAIGHT, (30, 18, 23))
    image = grid(STRAIGHT)
    single, both = (CropToCortex(2.0)(image, surfaces) for surfaces in ([one], [one, other]))
    assert both.shape[1] == pytest.approx(single.shape[1] + 20, abs=1)
    assert both.shape[2:] == single.shape[2:]


def test_nothing_is_added_outside_the_image():
    image = grid(STRAIGHT)
    part = CropToCortex(1000.0)(image, [ball(STRAIGHT, (20, 18, 23))])
    assert torch.equal(part.as_tensor(), image.as_tensor())
    torch.testing.assert_close(part.affine, image.affine)


def test_pair_agrees():
    surfaces = [ball(OBLIQUE, (20, 18, 23))]
    data = {"image": grid(OBLIQUE), "pial": surfaces, "other": 1}

    def cropped(data):
        return {name: value for name, value in CropToCortexd()(data).items() if name in data}

    assert_pair_agrees(lambda image: CropToCortex()(image, surfaces), cropped, data, "image")
    result = CropToCortexd()(data)
    assert tuple(result["full_shape"]) == (40, 41, 42)
    torch.testing.assert_close(torch.as_tensor(result["full_affine"]).double(), OBLIQUE)
    torch.testing.assert_close(result["image"].affine, CropToCortex()(data["image"], surfaces).affine)
    assert CropToCortexd("none", allow_missing_keys=True)(data).keys() >= data.keys()
    assert CropToCortexD is CropToCortexDict is CropToCortexd
