import math

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.visualize.fibers import direction_color, fiber_glyphs

AXES = np.eye(3)
SIDE = np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]])  # anterior to the right, superior up, right towards the viewer


def lobe(direction, degree=8):
    """Even part of a delta function, made positive at its peak."""
    return real_harmonics(torch.from_numpy(np.array([direction], dtype=float)), degree, even=True).numpy()[0]


def draw(coefficients, **options):
    axes = Figure().add_subplot()
    crop = fiber_glyphs(axes, coefficients, **options)
    (collection,) = axes.collections
    triangles = np.array([path.vertices[:3] for path in collection.get_paths()]).reshape(-1, 3, 2)
    return triangles, collection.get_facecolors(), crop


def field(*columns):
    """Distributions in a row, ``(n, W, 1)``."""
    return np.stack(columns, 1)[:, :, None]


def areas(triangles):
    a, b, c = triangles.transpose(1, 0, 2)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)])
def test_constant_distribution_is_a_disc_of_radius_half_a_voxel(spacing):
    """f = a everywhere has the coefficient a sqrt(4 pi)."""
    triangles, _, _ = draw(np.full((1, 1, 1), 0.7 * math.sqrt(4 * math.pi)), amplitude=0.7, spacing=spacing)
    radius = 0.5 * min(spacing)
    np.testing.assert_allclose(np.linalg.norm(triangles, axis=-1).max(), radius, rtol=2e-3)
    np.testing.assert_allclose(areas(triangles).sum(), math.pi * radius**2, rtol=1e-2)


def test_radius_is_in_proportion_to_amplitude():
    triangles, _, _ = draw(np.full((1, 1, 1), 0.35 * math.sqrt(4 * math.pi)), amplitude=0.7)
    np.testing.assert_allclose(np.linalg.norm(triangles, axis=-1).max(), 0.25, rtol=2e-3)


def test_glyphs_stand_on_their_voxels():
    triangles, _, _ = draw(np.ones((1, 2, 3)), spacing=(2.0, 5.0))
    assert triangles[..., 0].min() == pytest.approx(-1, abs=0.01)
    assert triangles[..., 0].max() == pytest.approx(3, abs=0.01)
    assert triangles[..., 1].min() == pytest.approx(-1, abs=0.01)
    assert triangles[..., 1].max() == pytest.approx(11, abs=0.01)


def test_lobe_towards_the_viewer_is_round_and_from_the_side_it_is_long():
    up = field(lobe(AXES[2]))
    peak = float(lobe(AXES[2]) @ lobe(AXES[2]))
    front, _, _ = draw(up, amplitude=peak)
    side, _, _ = draw(up, amplitude=peak, view=SIDE)
    assert np.abs(front).max() < 0.2
    assert np.ptp(front[..., 0]) == pytest.approx(np.ptp(front[..., 1]), rel=0.03)
    assert side[..., 1].max() == pytest.approx(0.5, rel=5e-3)
    assert side[..., 1].min() == pytest.approx(-0.5, rel=5e-3)
    assert np.abs(side[..., 0]).max() < 0.2


@pytest.mark.parametrize("axis", range(3))
def test_lobe_has_the_color_of_its_direction(axis):
    _, colors, _ = draw(field(lobe(AXES[axis])), view=SIDE if axis == 2 else None)
    main = colors[:, axis].max()
    others = np.delete(colors[:, :3], axis, 1)
    assert main > 0.5
    assert others[colors[:, axis] > 0.7 * main].max() < 0.7 * main


def test_diagonal_is_red_and_green():
    np.testing.assert_allclose(direction_color(np.array([1, -1, 0]) / math.sqrt(2)), [math.sqrt(0.5)] * 2 + [0])


def test_in_plane_lobe_points_where_it_should():
    """Right and anterior: up to the right, not up to the left."""
    triangles, _, _ = draw(field(lobe([math.sqrt(0.5), math.sqrt(0.5), 0])))
    far = triangles.reshape(-1, 2)[np.linalg.norm(triangles.reshape(-1, 2), axis=1).argmax()]
    assert far[0] * far[1] > 0
    assert abs(far[0]) == pytest.approx(abs(far[1]), rel=0.1)


def test_negative_lobes_are_not_drawn():
    triangles, _, _ = draw(field(-np.eye(1)[0]))
    assert len(triangles) == 0


def test_front_facets_hide_those_behind():
    """A lobe that leans to the viewer covers its antipode: where both project, the nearer one is drawn last."""
    lean = np.array([0.3, 0, 0.95]) / np.linalg.norm([0.3, 0, 0.95])
    triangles, _, _ = draw(field(lobe(lean)))
    assert (areas(triangles) > 0).all()
    assert triangles[-1].mean(0)[0] > 0 > triangles[0].mean(0)[0]


def test_nearer_facets_are_drawn_later():
    """On a sphere of radius r the height over the page is sqrt(r^2 - x^2 - y^2)."""
    triangles, _, _ = draw(np.ones((1, 1, 1)))
    height = np.sqrt((0.25 - (triangles**2).sum(-1)).clip(0)).mean(1)
    assert (np.diff(height) >= -1e-9).all()


def test_crop_keeps_the_center_of_the_mask():
    mask = np.zeros((40, 30), bool)
    mask[10:30, 4:10] = True
    triangles, _, crop = draw(np.ones((1, 40, 30)), mask=mask, limit=8)
    assert crop[:4] == (16, 4, 8, 6)
    assert triangles[..., 0].min() > 15.4
    assert triangles[..., 0].max() < 23.6


def test_scale_ignores_empty_voxels():
    coefficients = np.zeros((1, 20, 1))
    coefficients[0, 3] = 2 * math.sqrt(4 * math.pi)
    assert draw(coefficients)[2].amplitude == pytest.approx(2)


def test_voxels_outside_the_mask_have_no_glyph():
    mask = np.array([[True], [False], [True]])
    triangles, _, _ = draw(np.ones((1, 3, 1)), mask=mask)
    assert not (np.abs(triangles[..., 0] - 1) < 0.49).any()


def test_empty_and_broken_voxels_are_harmless():
    coefficients = np.ones((1, 2, 1))
    coefficients[0, 0] = np.nan
    assert (draw(coefficients)[0][..., 0] > 0.4).all()
    assert len(draw(np.zeros((6, 2, 2)))[0]) == 0
    assert len(draw(np.ones((1, 2, 2)), mask=np.zeros((2, 2)))[0]) == 0


def test_slice_is_drawn_with_opaque_colors():
    figure = Figure(figsize=(1, 1), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    fiber_glyphs(axes, field(lobe(AXES[0])))
    axes.set(xlim=(-0.6, 0.6), ylim=(-0.6, 0.6))
    axes.axis("off")
    figure.canvas.draw()
    red, green, blue, _ = np.asarray(figure.canvas.buffer_rgba())[50, 75].astype(float)
    assert red > 150
    assert max(green, blue) < 80


@pytest.mark.parametrize("count", [2, 3, 10, 44])
def test_count_must_be_that_of_even_harmonics(count):
    with pytest.raises(ValueError, match="even harmonics number"):
        draw(np.ones((count, 1, 1)))


def test_mask_must_fit_the_slice():
    with pytest.raises(ValueError, match="mask of shape"):
        draw(np.ones((1, 2, 3)), mask=np.ones((3, 2)))
