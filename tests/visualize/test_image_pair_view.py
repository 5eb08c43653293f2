"""Which slices are shown, and what their edges are called."""

import numpy as np
import pytest

from monai_cortex.visualize import closest_orientation, edge_letters, pair_views

THIN = np.diag([1.5, 1.5, 10.0, 1.0])
CUBES = np.diag([2.0, 2.0, 2.0, 1.0])


def cone(shape, flip=False):
    """Larger at high slices, unless flipped; slices 1 to the last but one."""
    i, j, k = np.indices(shape)
    radius = np.sqrt((i - shape[0] / 2) ** 2 + (j - shape[1] / 2) ** 2)
    inside = (radius < 3 + k) & (k > 0) & (k < shape[2] - 1)
    return inside[..., ::-1] if flip else inside


@pytest.mark.parametrize("flip", [False, True])
def test_base_comes_first_whichever_way_the_slices_run(flip):
    heart = cone((60, 60, 12), flip)
    views = pair_views(heart, closest_orientation(THIN), heart)
    assert [view.name.split("\n")[0] for view in views] == ["base", "mid", "apex"]
    areas = [heart[..., view.number].sum() for view in views]
    assert areas == sorted(areas, reverse=True)
    assert areas[-1] > 0


def test_even_voxels_are_cut_along_each_axis():
    content = cone((30, 34, 28))
    views = pair_views(content, closest_orientation(CUBES))
    assert [view.axis for view in views] == [2, 1, 0]
    assert [view.name.split("\n")[0] for view in views] == ["axial", "coronal", "sagittal"]


def test_what_is_shown_holds_the_content_and_a_margin():
    content = np.zeros((60, 60, 9), bool)
    content[30:40, 20:25, 3:6] = True
    for view in pair_views(content, closest_orientation(THIN)):
        part = view.cut(content)
        assert part.shape == (10 + 16, 5 + 16)
        assert part.sum() == 50


def test_empty_content_shows_everything():
    (first, *_) = pair_views(np.zeros((20, 16, 4), bool), closest_orientation(THIN))
    assert first.cut(np.zeros((20, 16, 4))).shape == (20, 16)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, ("L", "R", "P", "A")), (15, ("L", "R", "P", "A")), (40, ("LP", "RA", "PR", "AL"))],
)
def test_oblique_edges_have_two_letters(degrees, expected):
    angle = np.deg2rad(degrees)
    affine = THIN.copy()
    affine[:2, :2] = 1.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    orientation = closest_orientation(affine)
    view = pair_views(np.ones((20, 20, 5), bool), orientation)[0]
    assert edge_letters(view, orientation) == expected
