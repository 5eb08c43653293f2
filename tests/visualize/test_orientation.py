import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.visualize.orientation import closest_orientation, to_ras

GRID = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij"))


def world(affine, index):
    return np.tensordot(affine[:3, :3], index, 1) + affine[:3, 3].reshape(3, *[1] * (index.ndim - 1))


def signed_permutation(order, signs, spacing=(2.0, 3.0, 4.0)):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (row, sign) in enumerate(zip(order, signs, strict=True)):
        affine[row, axis] = sign * spacing[axis]
    return affine


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((-1, 1), repeat=3)))
def test_coordinates_grow_along_their_axis_for_all_48_axis_codes(order, signs):
    affine = signed_permutation(order, signs)
    orientation = closest_orientation(affine)
    right, anterior, superior = to_ras(world(affine, GRID), orientation)
    sizes = orientation.spacing
    np.testing.assert_allclose(np.diff(right, axis=0), sizes[0])
    np.testing.assert_allclose(np.diff(anterior, axis=1), sizes[1])
    np.testing.assert_allclose(np.diff(superior, axis=2), sizes[2])
    np.testing.assert_allclose(orientation.frame, np.eye(3), atol=1e-12)


def test_las_volume_is_mirrored_along_the_first_axis_alone():
    volume = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(to_ras(volume, closest_orientation(np.diag([-2.0, 2, 2, 1]))), volume[::-1])


def test_ras_volume_stays():
    np.testing.assert_array_equal(to_ras(GRID, closest_orientation(np.eye(4))), GRID)


@given(st.floats(-40, 40), st.floats(-3, 3), st.booleans())
@settings(deadline=None)
def test_frame_of_an_oblique_volume_is_its_rotation(degrees, tilt, mirrored):
    angle, small = np.deg2rad(degrees), np.deg2rad(tilt)
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(small), -np.sin(small)], [0, np.sin(small), np.cos(small)]])
    rotation = about_z @ about_x
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-1.5 if mirrored else 1.5, 2.0, 3.0])
    orientation = closest_orientation(affine)
    np.testing.assert_allclose(orientation.frame, rotation.T, atol=1e-12)
    np.testing.assert_allclose(orientation.spacing, [1.5, 2, 3])
    assert orientation.axes == (0, 1, 2)
    assert orientation.flips == (mirrored, False, False)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_frame_is_always_a_proper_rotation(seed):
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    frame = closest_orientation(affine).frame
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) > 0
    assert (np.diag(frame) > 0).all()


def test_shear_does_not_bend_the_frame():
    affine = np.eye(4)
    affine[0, 1] = 0.2
    frame = closest_orientation(affine).frame
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("affine", [np.eye(3), np.diag([1.0, 0, 1, 1]), np.full((4, 4), np.nan)])
def test_affine_must_be_invertible(affine):
    with pytest.raises(ValueError, match="invertible"):
        closest_orientation(affine)
