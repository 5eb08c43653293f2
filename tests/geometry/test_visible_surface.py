"""What is seen of meshes whose picture is known."""

import math

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.visible_surface import visible_surface

# A rectangle of two triangles that covers columns 1 to 3 and rows 1 to 2 of a picture.
RECTANGLE = np.array([[1, 1, 0], [4, 1, 0], [4, 3, 0], [1, 3, 0]], float)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def ball(size, level=4):
    """Unit sphere that fills a square picture."""
    mesh = icosphere(level)
    points = mesh.vertices.numpy() * size / 2
    points[:, :2] += size / 2
    return points, mesh.faces.numpy()


def test_pixels_inside_are_covered_without_gap_and_others_not():
    seen = visible_surface(RECTANGLE, FACES, (4, 6))
    expected = np.zeros((4, 6), bool)
    expected[1:3, 1:4] = True
    np.testing.assert_array_equal(seen.face >= 0, expected)
    np.testing.assert_allclose(seen.weights.sum(-1), expected)


def test_values_are_linear_in_the_picture():
    """The first coordinate is the pixel's center."""
    values = visible_surface(RECTANGLE, FACES, (4, 6)).at(RECTANGLE[:, :2])
    assert values.shape == (4, 6, 2)
    np.testing.assert_allclose(values[1:3, 1:4, 0], [[1.5, 2.5, 3.5]] * 2)
    np.testing.assert_allclose(values[1:3, 1:4, 1], [[1.5] * 3, [2.5] * 3])
    assert np.isnan(values[0]).all()


@pytest.mark.parametrize("order", [1, -1])
def test_nearest_triangle_wins_whatever_the_order_and_the_winding(order):
    near = RECTANGLE + [0, 0, 5]
    points = np.concatenate([RECTANGLE, near])
    faces = np.concatenate([FACES, FACES[:, ::-1] + 4])[::order]
    seen = visible_surface(points, faces, (4, 6))
    assert set(np.unique(faces[seen.face[seen.face >= 0]])) == {4, 5, 6, 7}


def test_sphere_is_a_disk_whose_front_is_seen():
    size = 200
    points, faces = ball(size)
    seen = visible_surface(points, faces, (size, size))
    assert (seen.face >= 0).mean() == pytest.approx(math.pi / 4, rel=5e-3)
    depth = seen.at(points[:, 2])
    assert np.nanmin(depth) > -0.01 * size
    rows, columns = (np.indices((size, size)) + 0.5 - size / 2) / (size / 2)
    square = rows**2 + columns**2
    inside = square < 0.9
    np.testing.assert_allclose(depth[inside], size / 2 * np.sqrt(1 - square[inside]), atol=0.01 * size)


def test_mirrored_mesh_gives_the_mirrored_picture():
    generator = np.random.default_rng(0)
    points = generator.uniform(0, 20, (30, 3))
    faces = generator.integers(0, 30, (40, 3))
    mirrored = points * [-1, 1, 1] + [20, 0, 0]
    seen, other = (visible_surface(p, faces, (20, 20)).at(points[:, 2]) for p in (points, mirrored))
    assert np.isfinite(seen).mean() > 0.5
    np.testing.assert_allclose(seen, other[:, ::-1], atol=1e-9)


def test_triangles_beyond_the_picture_are_cut_and_flat_ones_left_out():
    seen = visible_surface(RECTANGLE - [2, 2, 0], np.array([[0, 1, 2], [0, 2, 3], [0, 0, 1]]), (2, 2))
    np.testing.assert_array_equal(seen.face >= 0, [[True, True], [False, False]])


@pytest.mark.parametrize(
    ("points", "faces", "message"),
    [
        (RECTANGLE[:, :2], FACES, "points"),
        (RECTANGLE, FACES[:, :2], "faces"),
        (RECTANGLE, FACES + 2, "0 to 3"),
        (RECTANGLE * np.nan, FACES, "finite"),
    ],
)
def test_what_is_no_mesh_is_refused(points, faces, message):
    with pytest.raises(ValueError, match=message):
        visible_surface(points, faces, (2, 2))
