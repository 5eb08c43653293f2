import matplotlib as mpl
import numpy as np
import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize.surface_view import surface_view

GRAY = mpl.colormaps["gray"]
BALL = icosphere(3)


def painted(values, hemisphere, view, mesh=BALL):
    return surface_view(mesh, hemisphere, view, 60).paint(values, GRAY, (-1.0, 1.0))


def brighter(picture, half):
    """Mean brightness of one half of the picture minus that of the other."""
    axis = 1 if half in ("left", "right") else 0
    first, second = (part[..., 0][part[..., 3] > 0.5].mean() for part in np.array_split(picture, 2, axis))
    return first - second if half in ("left", "top") else second - first


@pytest.mark.parametrize(
    ("hemisphere", "view", "front"),
    [("lh", "lateral", "left"), ("lh", "medial", "right"), ("rh", "lateral", "right"), ("rh", "medial", "left")],
)
def test_front_of_the_brain_is_where_it_is_seen_from_that_side(hemisphere, view, front):
    assert brighter(painted(BALL.vertices[:, 1], hemisphere, view), front) > 0.3


@pytest.mark.parametrize(("hemisphere", "sign"), [("lh", -1), ("rh", 1)])
def test_lateral_views_show_the_outer_side(hemisphere, sign):
    outer = (sign * BALL.vertices[:, 0]).sign()
    lateral, medial = (painted(outer, hemisphere, view) for view in ("lateral", "medial"))
    assert lateral[30, 30, 0] > 0.7
    assert medial[30, 30, 0] == 0


@pytest.mark.parametrize("view", ["lateral", "medial"])
def test_superior_is_up_and_hemispheres_are_mirror_images(view):
    assert brighter(painted(BALL.vertices[:, 2], "lh", view), "top") > 0.3
    mirror = Mesh(BALL.vertices * torch.tensor([-1, 1, 1]), BALL.faces.flip(1))
    values = BALL.vertices[:, 1] + 0.3 * BALL.vertices[:, 2]
    left, right = painted(values, "lh", view), painted(values, "rh", view, mirror)
    np.testing.assert_allclose(left[..., 3], right[:, ::-1, 3], atol=0.15)
    assert brighter(left, "left") == pytest.approx(brighter(right, "right"), abs=0.1)


def test_picture_keeps_the_proportions_and_is_clear_beside_the_surface():
    long = Mesh(BALL.vertices * torch.tensor([1.0, 2, 1]), BALL.faces)
    picture = painted(BALL.vertices[:, 0], "lh", "lateral", long)
    assert picture.shape[1] == 60
    assert picture.shape[0] == pytest.approx(60 / 2, abs=4)
    assert (picture[0, 0] == 0).all()
    assert 0 <= picture.min() <= picture.max() <= 1
    assert ((picture[..., 3] > 0) & (picture[..., 3] < 1)).any()  # the outline is smooth


def test_missing_values_are_gray_and_limits_clip():
    values = torch.full((642,), 5.0)
    values[BALL.vertices[:, 2] > 0.2] = torch.nan
    picture = painted(values, "rh", "medial")
    bright, gray = picture[45, 30, :3], picture[12, 30, :3]
    assert (gray < 0.85).all()
    cool = surface_view(BALL, "rh", "medial", 60).paint(values, mpl.colormaps["Blues"], (0.0, 1.0))
    np.testing.assert_allclose(cool[12, 30, :3], gray)  # no color of the map
    assert not np.allclose(cool[45, 30, :3], bright)


def test_light_depends_on_the_shape_not_on_the_winding():
    inward = Mesh(BALL.vertices, BALL.faces.flip(1))
    lights = [surface_view(mesh, "lh", "lateral", 40).light for mesh in (BALL, inward)]
    np.testing.assert_allclose(*lights, atol=1e-9)
    assert lights[0].max() - lights[0].min() > 0.2


@pytest.mark.parametrize(("hemisphere", "view"), [("left", "lateral"), ("lh", "front")])
def test_other_views_are_refused(hemisphere, view):
    with pytest.raises(ValueError, match="lateral"):
        surface_view(BALL, hemisphere, view)
