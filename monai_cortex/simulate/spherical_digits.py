"""Volumes with a handwritten digit on the sphere of every voxel, whose class only the whole volume tells well.

Nine tubes of 4 x 4 x 16 voxels, one for each digit from 1 to 9, cross a background of digit 0. Every voxel shows
another image of its class, so neighbors help. The grid and the spheres are rotated apart from each other: one rotation
moves the voxels, another turns the sphere inside each of them.

Reference: Elaldi, Gerig, Dey, NeurIPS 2024 (R^3 x S^2 MNIST), arXiv:2411.11819.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from scipy.ndimage import zoom
from torch import Tensor
from torch.nn.functional import grid_sample, pad

__all__ = ["DigitImages", "SphericalDigits", "load_digit_images", "projection_matrix", "spherical_digits"]

_SIZE, _EDGE, _WIDTH = 16, 28, 4
_CORNERS = (1, 6, 11)  # of the tubes: gaps and margins are one voxel wide
_CROP, _SHIFT, _TRAINING = 14, 3, 1200
_EQUATOR = 1e-10


@dataclass(frozen=True)
class DigitImages:
    """Images of handwritten digits.

    Attributes:
        pixels: gray values in [0, 1], ``(N, H, H)`` float32; rows run down, columns to the right.
        labels: the digits, ``(N,)`` int64.
    """

    pixels: Tensor
    labels: Tensor

    def draw(self, digits: Tensor, generator: torch.Generator) -> Tensor:
        """Index of a random image of each digit, in the shape of ``digits``, int64."""
        order = self.labels.argsort(stable=True)
        count = self.labels.bincount(minlength=10)
        chance = torch.rand(digits.shape, generator=generator, dtype=torch.float64)
        index: Tensor = order[(count.cumsum(0) - count)[digits] + (chance * count[digits]).long()]
        return index


class SphericalDigits(NamedTuple):
    """One volume: gray values on the spheres ``(V, 16, 16, 16)`` float32, and digits ``(16, 16, 16)`` int64."""

    signal: Tensor
    labels: Tensor


def load_digit_images(training: bool) -> DigitImages:
    """The digits that ship in scikit-learn, enlarged and cropped at 49 places.

    The 8 x 8 pixels are interpolated by cubic splines to 14 x 14, with three empty pixels around. Each crop of 14 x 14
    is an image of its own: digits lie at many places of the sphere, or a network would learn how its vertices lie
    there. The first 1,200 of the 1,797 digits are for training, the others for tests.

    Args:
        training: which of the two parts, which share no digit.

    Returns:
        58,800 images for training, or 29,253 for tests.

    Reference:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - scikit-learn takes a second to import

    digits = load_digits()
    part = slice(_TRAINING) if training else slice(_TRAINING, None)
    large = torch.from_numpy(zoom(digits.images[part] / 16, (1, 1.75, 1.75), order=3)).clamp(0, 1).float()
    crops = pad(large, (_SHIFT,) * 4).unfold(1, _CROP, 1).unfold(2, _CROP, 1).flatten(1, 2)
    labels = torch.from_numpy(digits.target[part]).long()
    return DigitImages(crops.flatten(0, 1), labels.repeat_interleave(crops.shape[1]))


def projection_matrix(directions: Tensor, size: int) -> Tensor:
    r"""Linear map from the pixels of an image to its values on the sphere.

    The disc inscribed in the image covers the half sphere z >= 0 by Lambert's equal-area projection,
    :math:`(x, y) / \sqrt{1 + z}`; pixels are interpolated linearly. The other half is zero, so that the signal is not
    antipodally symmetric. Columns run along x, rows against y.

    Args:
        directions: unit vectors ``(V, 3)``.
        size: edge of the image in pixels.

    Returns:
        Matrix ``(V, size^2)``, float32.

    Reference:
        Snyder, Map Projections, U.S. Geological Survey Professional Paper 1395, 1987, section 24.
    """
    x, y, z = directions.double().unbind(-1)
    seen = z >= -_EQUATOR
    places = torch.stack([x, -y], -1) / (1 + z.clamp(min=0)).sqrt()[:, None]
    one_pixel_each = torch.eye(size**2, dtype=torch.float64).view(1, -1, size, size)
    values = grid_sample(one_pixel_each, places[None, None], align_corners=True, padding_mode="border")
    return (values[0, :, 0].T * seen[:, None]).float()


def spherical_digits(
    images: DigitImages,
    directions: Tensor,
    generator: torch.Generator,
    grid_rotation: Tensor | None = None,
    voxel_rotation: Tensor | None = None,
) -> SphericalDigits:
    """Draw a volume and rotate it.

    The volume is drawn on 28^3 voxels, rotated about its center and cut to 16^3: rotations bring background in, and
    those of the cube permute the voxels. What is drawn depends on the generator alone, not on the rotations.

    Args:
        images: where voxels take their images from.
        directions: vertices, unit vectors ``(V, 3)``.
        generator: source of chance.
        grid_rotation: of the voxels, matrix ``(3, 3)`` on the axes i, j, k; nearest voxel.
        voxel_rotation: of the sphere in every voxel, matrix ``(3, 3)`` on the axes x, y, z; exact.
    """
    labels = _tubes(generator)
    pictures = images.draw(labels, generator)
    source = _source_index(torch.eye(3) if grid_rotation is None else grid_rotation)
    labels, pictures = labels.flatten()[source], pictures.flatten()[source]
    # f(R^-1 v): the rotated sphere shows at v what was at R^-1 v.
    seen_from = directions.double() @ (torch.eye(3) if voxel_rotation is None else voxel_rotation).double()
    matrix = projection_matrix(seen_from, images.pixels.shape[-1])
    signal = matrix @ images.pixels.flatten(1)[pictures].T
    cube = (_SIZE,) * 3
    return SphericalDigits(signal.view(-1, *cube), labels.view(cube))


def _tubes(generator: torch.Generator) -> Tensor:
    """Nine tubes along k, in random order, ``(28, 28, 28)`` int64."""
    labels = torch.zeros(_EDGE, _EDGE, _EDGE, dtype=torch.int64)
    start = (_EDGE - _SIZE) // 2
    digits = iter((torch.randperm(9, generator=generator) + 1).tolist())
    for i in _CORNERS:
        for j in _CORNERS:
            rows, columns = (slice(start + corner, start + corner + _WIDTH) for corner in (i, j))
            labels[rows, columns, start : start + _SIZE] = next(digits)
    return labels


def _source_index(rotation: Tensor) -> Tensor:
    """For each voxel of the cut volume, the flat index of the voxel that the rotation brings there, ``(16^3,)``."""
    axis = torch.arange(_SIZE, dtype=torch.float64) - (_SIZE - 1) / 2
    places = torch.cartesian_prod(axis, axis, axis) @ rotation.double()
    index = (places + (_EDGE - 1) / 2).round().long()
    return (index * torch.tensor([_EDGE**2, _EDGE, 1])).sum(-1)
