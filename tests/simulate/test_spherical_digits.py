import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from monai_cortex.geometry.healpix import healpix_directions
from monai_cortex.simulate.spherical_digits import (
    DigitImages,
    load_digit_images,
    projection_matrix,
    spherical_digits,
)

DIRECTIONS = healpix_directions(4)
CUBE, VERTICES = (torch.from_numpy(Rotation.create_group(name).as_matrix().round()) for name in ("O", "D4"))


@pytest.fixture(scope="module")
def images():
    return load_digit_images(training=False)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def permutation(rotation):
    """Index of the vertex that lies where the inverse rotation takes each vertex."""
    cosine = DIRECTIONS @ rotation @ DIRECTIONS.T
    assert cosine.amax(1).min() > 1 - 1e-10
    return cosine.argmax(1)


@pytest.mark.parametrize(("training", "digits"), [(True, 1200), (False, 597)])
def test_every_digit_gives_49_crops(training, digits):
    images = load_digit_images(training)
    assert images.pixels.shape == (49 * digits, 14, 14)
    assert images.labels.shape == (49 * digits,)
    assert images.labels.unique().tolist() == list(range(10))
    assert images.pixels.amin() == 0
    assert 0.9 < images.pixels.amax() <= 1


def test_the_central_crop_is_the_digit_itself(images):
    """At its corners the enlarged image has the corner pixels of the original; its mean is about the original's."""
    from sklearn.datasets import load_digits

    digits = torch.from_numpy(load_digits().images[1200:] / 16).float()
    central = images.pixels[24::49]
    for row in (0, -1):
        for column in (0, -1):
            torch.testing.assert_close(central[:, row, column], digits[:, row, column], atol=1e-5, rtol=0)
    means = torch.stack([central.mean((1, 2)), digits.mean((1, 2))])
    assert torch.corrcoef(means)[0, 1] > 0.9


def test_neighboring_crops_are_shifted_by_one_pixel(images):
    crops = images.pixels[:49].view(7, 7, 14, 14)
    torch.testing.assert_close(crops[:, 1:, :, :-1], crops[:, :-1, :, 1:])
    torch.testing.assert_close(crops[1:, :, :-1], crops[:-1, :, 1:])


def test_training_and_test_share_no_image(images):
    training = {tuple(pixels.flatten().tolist()) for pixels in load_digit_images(training=True).pixels[24::49]}
    test = {tuple(pixels.flatten().tolist()) for pixels in images.pixels[24::49]}
    assert not training & test


def test_drawn_images_show_the_digits_asked_for(images):
    digits = torch.randint(10, (40, 50), generator=seeded())
    drawn = images.draw(digits, seeded(1))
    assert torch.equal(images.labels[drawn], digits)


def test_all_images_of_a_digit_are_drawn_equally_often():
    few = DigitImages(torch.zeros(6, 1, 1), torch.tensor([3, 1, 3, 3, 1, 3]))
    count = few.draw(torch.full((40000,), 3), seeded()).bincount(minlength=6)
    assert count[[1, 4]].sum() == 0
    torch.testing.assert_close(count[[0, 2, 3, 5]] / 40000, torch.full((4,), 0.25), atol=0.015, rtol=0)


def test_constant_image_covers_the_upper_half_and_nothing_else():
    values = projection_matrix(DIRECTIONS, 14) @ torch.full((196,), 0.7)
    upper = DIRECTIONS[:, 2] >= -1e-10
    torch.testing.assert_close(values, torch.where(upper, 0.7, 0.0))
    assert upper.sum() == 96 + 8


def test_ramps_are_seen_at_lamberts_places():
    """A linear ramp is interpolated exactly: x / sqrt(1 + z), which is sqrt(2) sin(theta / 2) from the pole."""
    theta = torch.tensor([0.0, 0.3, 1.0, math.pi / 2], dtype=torch.float64)
    ramp = torch.linspace(-1, 1, 9).expand(9, 9)
    radius = (math.sqrt(2) * (theta / 2).sin()).float()
    along_x = torch.stack([theta.sin(), 0 * theta, theta.cos()], -1)
    along_y = along_x[:, [1, 0, 2]]
    torch.testing.assert_close(projection_matrix(along_x, 9) @ ramp.flatten(), radius, atol=1e-6, rtol=0)
    torch.testing.assert_close(projection_matrix(along_y, 9) @ ramp.T.flatten(), -radius, atol=1e-6, rtol=0)


def test_projection_keeps_areas():
    """The mean of x^2 over the half sphere is that over the disc, 1/4; 0.23 if angles were kept, 0.19 by tangents."""
    directions = healpix_directions(32)
    upper = directions[:, 2] > 0
    square = (torch.linspace(-1, 1, 65) ** 2).expand(65, 65)
    values = projection_matrix(directions[upper], 65) @ square.flatten()
    torch.testing.assert_close(values.mean().item(), 0.25, atol=5e-3, rtol=0)


def test_quarter_turn_about_z_turns_the_image(images):
    matrix = projection_matrix(DIRECTIONS, 14)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    pixels = images.pixels[:100]
    turned = torch.rot90(pixels, 1, (1, 2)).flatten(1) @ matrix.T
    torch.testing.assert_close(turned, (pixels.flatten(1) @ matrix.T)[:, permutation(quarter)])


def test_signal_is_not_antipodally_symmetric(images):
    signal, _ = spherical_digits(images, DIRECTIONS, seeded())
    north, south = DIRECTIONS[:, 2] > 1e-10, DIRECTIONS[:, 2] < -1e-10
    assert signal[south].abs().max() == 0
    assert signal[north].mean() > 0.1


def test_nine_tubes_of_one_digit_each(images):
    _, labels = spherical_digits(images, DIRECTIONS, seeded())
    assert labels.shape == (16, 16, 16)
    assert labels.flatten().bincount().tolist() == [4096 - 9 * 256] + [256] * 9
    assert (labels == labels[:, :, :1]).all()
    for corner_i in (1, 6, 11):
        for corner_j in (1, 6, 11):
            assert labels[corner_i : corner_i + 4, corner_j : corner_j + 4].unique().numel() == 1


def test_every_voxel_shows_an_image_of_its_digit(images):
    signal, labels = spherical_digits(images, DIRECTIONS, seeded())
    matrix = projection_matrix(DIRECTIONS, 14)
    for place in [(0, 0, 0), (2, 2, 2), (7, 12, 5)]:
        own = images.pixels[images.labels == labels[place]].flatten(1) @ matrix.T
        assert (own - signal[(slice(None), *place)]).abs().amax(1).min() < 1e-5
    assert signal.flatten(1).T.unique(dim=0).shape[0] > 3500


def test_seed_decides(images):
    first, again, other = (spherical_digits(images, DIRECTIONS, seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first.signal, again.signal)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)


@pytest.mark.parametrize("number", range(24))
def test_symmetry_of_the_cube_moves_voxels(images, number):
    """The value at R x of the rotated volume is the value at x of the volume."""
    before = spherical_digits(images, DIRECTIONS, seeded())
    after = spherical_digits(images, DIRECTIONS, seeded(), grid_rotation=CUBE[number])
    axis = torch.arange(16.0, dtype=torch.float64) - 7.5
    i, j, k = (torch.cartesian_prod(axis, axis, axis) @ CUBE[number].T + 7.5).round().long().T
    torch.testing.assert_close(after.signal[:, i, j, k], before.signal.flatten(1))
    assert torch.equal(after.labels[i, j, k], before.labels.flatten())


@pytest.mark.parametrize("number", range(8))
def test_symmetry_of_the_vertices_permutes_them(images, number):
    before = spherical_digits(images, DIRECTIONS, seeded())
    after = spherical_digits(images, DIRECTIONS, seeded(), voxel_rotation=VERTICES[number])
    torch.testing.assert_close(after.signal, before.signal[permutation(VERTICES[number])])
    assert torch.equal(after.labels, before.labels)


def test_any_rotation_of_the_grid_keeps_the_center_and_brings_background_in(images):
    turn = torch.from_numpy(Rotation.from_euler("y", 45, degrees=True).as_matrix())
    before = spherical_digits(images, DIRECTIONS, seeded())
    after = spherical_digits(images, DIRECTIONS, seeded(), grid_rotation=turn)
    assert torch.equal(after.labels[7:9, 7:9, 7:9], before.labels[7:9, 7:9, 7:9])
    assert (after.labels == 0).sum() > (before.labels == 0).sum()
    # The tubes along k lie along i + k, which is where the rotation takes the axis k.
    assert (after.labels[7, 7, 7] == after.labels.diagonal(dim1=0, dim2=2)[7, 2:14]).all()


def test_voxel_rotation_takes_the_digit_along(images):
    """The pole's value is found where the rotation takes the pole."""
    turn = torch.from_numpy(Rotation.from_euler("xyz", [70, 0, 130], degrees=True).as_matrix())
    pole = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    before = spherical_digits(images, pole, seeded())
    after = spherical_digits(images, pole @ turn.T, seeded(), voxel_rotation=turn)
    assert before.signal.std() > 0.1
    torch.testing.assert_close(after.signal, before.signal)
