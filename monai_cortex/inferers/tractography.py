"""Streamlines along fiber orientation distributions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from monai_cortex.data import read_mask, read_volume, rotation_of, write_streamlines
from monai_cortex.errors import ConfigError, InputFileError
from monai_cortex.geometry.harmonics import even_degree, real_harmonics
from monai_cortex.geometry.healpix import healpix_directions, hemisphere_index
from monai_cortex.geometry.rotation import harmonic_rotation

__all__ = ["TrackingOptions", "seed_points", "track_fibers", "track_file"]

_NSIDE = 8  # 7 degrees between samples: the highest of them is close to the maximum
_CHUNK = 1 << 15  # voxels at once: bounds memory to about 100 MB


@dataclass(frozen=True)
class TrackingOptions:
    """How streamlines run and which ones are kept.

    Attributes:
        deterministic: take the highest direction within reach at each step, instead of drawing one in proportion to
            the orientation distribution.
        step: between points in mm.
        angle: largest turn at a step in degree.
        minimum_length, maximum_length: in mm; shorter and longer streamlines are dropped whole.
        minimum_amplitude: streamlines end where the orientation distribution is lower everywhere, in its own unit.
    """

    deterministic: bool = False
    step: float = 0.5
    angle: float = 20.0
    minimum_length: float = 10.0
    maximum_length: float = 250.0
    minimum_amplitude: float = 0.0


def track_fibers(
    fod: ArrayLike | Tensor,
    affine: ArrayLike | Tensor,
    mask: ArrayLike | Tensor,
    seeds: int | ArrayLike = 10000,
    options: TrackingOptions | None = None,
    *,
    seed: int = 0,
) -> list[NDArray[np.float32]]:
    """Follow orientation distributions from seeds to both sides until the mask ends, by dipy.

    Each seed starts in the highest direction there. All points of a streamline lie in the mask.

    Args:
        fod: even harmonics in MRtrix's basis, world axes, ``(n, I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``; it may mirror and rotate.
        mask: voxels in which streamlines run, ``(I, J, K)`` or ``(1, I, J, K)``.
        seeds: points in RAS+ mm ``(S, 3)``, or how many to draw from the mask by :func:`seed_points`.
        options: how to track.
        seed: of the random numbers, 0 or more; equal seeds give equal streamlines.

    Returns:
        Points of each streamline in RAS+ mm, ``(P, 3)``; at most one streamline a seed.

    Raises:
        ConfigError: dipy is not installed.
        ValueError: for a number of coefficients that no even degree has, or a mask on another grid.

    Reference:
        Tournier, Calamante, Connelly, Int. J. Imaging Syst. Technol. 22(1):53-66, 2012 (probabilistic tracking on FOD).
    """
    options = options or TrackingOptions()
    coefficients = torch.nan_to_num(torch.as_tensor(fod).as_subclass(Tensor).detach().cpu().double())
    grid = np.asarray(affine, np.float64)
    inside = _inside(coefficients, mask, options.minimum_amplitude)
    points = seed_points(inside, grid, seeds, seed) if isinstance(seeds, int) else np.asarray(seeds, np.float64)
    if not inside.any() or not len(points):
        return []
    # dipy steps along the voxel axes: the function there is f(R x), R taking voxel axes to world axes.
    turn = harmonic_rotation(torch.from_numpy(rotation_of(grid).T), _degree(coefficients))
    turned = torch.einsum("mn,nijk->ijkm", turn, coefficients).contiguous().numpy()
    return _track(turned, grid, inside, points, options, seed)


def track_file(  # noqa: PLR0913
    fod: str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
    mask: str | os.PathLike[str] | None = None,
    seeds: int = 10000,
    options: TrackingOptions | None = None,
    *,
    seed: int = 0,
) -> int:
    """Track through a file of orientation distributions, and write the streamlines.

    Args:
        fod: NIfTI file such as ``wmfod.nii.gz``, even harmonics in MRtrix's basis.
        outputs: names that end in ``.trk`` or ``.tck``.
        mask: file of the voxels in which streamlines run; by default those that hold a distribution.
        seeds, options, seed: see :func:`track_fibers`.

    Returns:
        Number of streamlines.

    Raises:
        InputFileError: a file is damaged, or holds no even harmonics.
        GeometryError: the mask lies on another grid.
        ConfigError: dipy is not installed.
    """
    image = read_volume(fod, ndim=4)
    try:
        even_degree(image.values.shape[-1])
    except ValueError as error:
        raise InputFileError(
            "these are no orientation distributions",
            file=fod,
            found=f"{image.values.shape[-1]} volumes",
            expected="1, 6, 15, 28, 45, ... even harmonics",
            remedy="name wmfod.nii.gz, or an output of dwi2fod",
        ) from error
    inside = image.values.any(-1) if mask is None else read_mask(mask, image)
    lines = track_fibers(np.moveaxis(image.values, -1, 0), image.affine, inside, seeds, options, seed=seed)
    for path in outputs:
        write_streamlines(path, lines, image.affine, inside.shape)
    return len(lines)


def seed_points(mask: ArrayLike | Tensor, affine: ArrayLike | Tensor, count: int, seed: int = 0) -> NDArray[np.float64]:
    """Points drawn uniformly from the voxels of a mask.

    Args:
        mask: ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        count: how many.
        seed: of the random numbers.

    Returns:
        Points in RAS+ mm, ``(count, 3)``; none where the mask is empty.
    """
    chance = np.random.default_rng(seed)
    voxels = np.argwhere(np.asarray(mask) > 0)
    if not len(voxels):
        return np.empty((0, 3))
    points = voxels[chance.integers(len(voxels), size=count)] + chance.uniform(-0.5, 0.5, (count, 3))
    grid = np.asarray(affine, np.float64)
    return np.asarray(points @ grid[:3, :3].T + grid[:3, 3], np.float64)


def _degree(coefficients: Tensor) -> int:
    try:
        _, _, _ = coefficients.shape[1:]
        return even_degree(len(coefficients))
    except ValueError as error:
        raise ValueError(
            f"need (n, I, J, K) with n = 1, 6, 15, 28, 45, ... even harmonics, got {tuple(coefficients.shape)}."
        ) from error


def _inside(coefficients: Tensor, mask: ArrayLike | Tensor, minimum: float) -> NDArray[np.bool_]:
    """Voxels of the mask whose function somewhere reaches the minimum, ``(I, J, K)``."""
    degree, grid = _degree(coefficients), coefficients.shape[1:]
    inside = torch.as_tensor(mask).as_subclass(Tensor).cpu() > 0
    if inside.shape not in (grid, (1, *grid)):
        raise ValueError(f"the mask needs the grid of the orientations, {tuple(grid)}, got {tuple(inside.shape)}.")
    inside = inside.view(grid)
    if minimum > 0:
        sphere = healpix_directions(_NSIDE)
        basis = real_harmonics(sphere[hemisphere_index(sphere)], degree, even=True)
        highest = [(basis @ chunk).amax(0) for chunk in coefficients[:, inside].split(_CHUNK, 1)]
        inside[inside.clone()] = torch.cat(highest) >= minimum
    return inside.numpy()


def _track(
    fod: NDArray[np.float64],
    affine: NDArray[np.float64],
    inside: NDArray[np.bool_],
    points: NDArray[np.float64],
    options: TrackingOptions,
    seed: int,
) -> list[NDArray[np.float32]]:
    """Streamlines in RAS+ mm along functions ``(I, J, K, n)`` in voxel axes."""
    tracker, criterion = _dipy()
    follow = tracker.deterministic_tracking if options.deterministic else tracker.probabilistic_tracking
    streamlines = follow(
        points,
        criterion.BinaryStoppingCriterion(inside),
        affine,
        sh=fod,
        basis_type="tournier07",
        legacy=False,
        min_len=options.minimum_length,
        max_len=options.maximum_length,
        step_size=options.step,
        max_angle=options.angle,
        random_seed=seed + 1,  # dipy takes 0 for another seed at each call
    )
    return [np.asarray(line, np.float32) for line in streamlines]


def _dipy() -> tuple[Any, Any]:
    try:
        from dipy.tracking import stopping_criterion, tracker  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise ConfigError("tracking needs dipy, which is not installed", remedy="pip install dipy") from error
    return tracker, stopping_criterion
