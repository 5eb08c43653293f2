import numpy as np
import pytest

from monai_cortex.data.affine import affine_gap, is_usable, rotation_of

SHEARED = np.array([[2.0, 0.4, 0, 1], [0, 2, 0.1, 2], [0, 0, 3, 3], [0, 0, 0, 1]])


def test_gap_of_a_shift_is_its_length_in_voxels(affine):
    moved = affine.copy()
    moved[:3, 3] += [0.0, 3.0, 4.0]
    assert affine_gap(affine, moved, (10, 10, 10)) == pytest.approx(5 / 2)


def test_gap_of_a_scaling_is_found_at_the_far_corner(affine):
    scaled = affine @ np.diag([1.1, 1, 1, 1])
    assert affine_gap(affine, scaled, (11, 10, 10)) == pytest.approx(0.1 * 2 * 10 / 2)


def test_gap_of_equal_affines_is_zero(affine):
    assert affine_gap(affine, affine, (9, 9, 9, 7)) == 0


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_unusable_affines(affine, broken):
    assert is_usable(affine)
    affine[:3, 1] = broken
    assert not is_usable(affine)


def test_small_voxels_are_usable():
    assert is_usable(np.diag([0.01, 0.01, 0.01, 1]))


def test_rotation_is_the_nearest_orthogonal_matrix():
    rotation = rotation_of(SHEARED)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    stretch = rotation.T @ SHEARED[:3, :3]
    np.testing.assert_allclose(stretch, stretch.T, atol=1e-12)
    assert np.linalg.eigvalsh(stretch).min() > 0


def test_rotation_of_a_grid_without_shear_is_its_normalized_columns(affine):
    np.testing.assert_allclose(rotation_of(affine), np.diag([-1.0, 1, 1]), atol=1e-12)
