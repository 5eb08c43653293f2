"""The MNI152 template, which ships inside nilearn: its T1-weighted image, with surfaces made from its tissue maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt, gaussian_filter, label

from monai_cortex.geometry.mesh import Mesh

from .freesurfer import write_surface_geometry
from .nifti_writer import write_volume
from .sample_packages import missing_package
from .sample_record import write_sample_record
from .surface_names import HEMISPHERES

__all__ = ["mni152_surfaces", "write_mni152"]

_MNI152 = {
    "name": "mni152",
    "source": "nilearn.datasets.load_mni152_template, load_mni152_gm_template and load_mni152_wm_template: ICBM152 "
    "2009a, nonlinear, symmetric, shipped inside the nilearn package",
    "license": "ICBM152: use, copy, modify and distribute with the copyright notice, (C) 1993-2004 Louis Collins, "
    "McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University; nilearn is BSD-3-Clause",
    "citation": "Fonov et al., NeuroImage 54(1):313-327, 2011, doi:10.1016/j.neuroimage.2010.07.033",
    "content": "average of 152 people, 1 mm, brain extracted: the T1-weighted image, cerebellum and brain stem "
    "included; white surface where the probability of white matter is 0.5, pial surface where that of white and gray "
    "matter is 0.5, of the cerebrum alone: cut at the midbrain, the tentorium and the midline, deep gray matter and "
    "ventricles filled by an ellipsoid; the average closes narrow sulci; "
    "handles are left, and white and pial vertices do not correspond",
    "orientation": "MNI152, RAS+ mm; the surfaces are in these coordinates, and their files say so",
}
_STEP = 1.5  # voxels of 1 mm between the points that surfaces are marched on
_COARSE = 2  # the cerebrum is found on every other voxel
_RAMP = 4.0  # mm over which cuts and fillings go from 0 to 1
_GAP = 0.6  # mm from the midline to the cut
_INSET = 1.0  # mm between white and pial surface where both are cut or filled
_CEREBRUM, _BELOW = 1, 2
_FILLING = ((0.0, -6.0, 6.0), (33.0, 34.0, 22.0))  # mm; center and half axes, from insula to corpus callosum
_FAR = 200.0
# Boxes of |x|, y and z in mm that belong to one part, where the probability of white matter is large enough.
_SEEDS = (
    (_CEREBRUM, (-1.0, _FAR), (-40.0, _FAR), (-4.0, _FAR), 0.0),
    (_CEREBRUM, (-1.0, _FAR), (-_FAR, _FAR), (8.0, _FAR), 0.0),
    (_CEREBRUM, (-1.0, _FAR), (-_FAR, _FAR), (-4.0, _FAR), 0.9),
    (_CEREBRUM, (25.0, _FAR), (-25.0, _FAR), (-30.0, _FAR), 0.5),  # temporal lobe
    (_BELOW, (-1.0, 12.0), (-50.0, -14.0), (-_FAR, -22.0), 0.0),  # pons
    (_BELOW, (-1.0, 12.0), (-_FAR, _FAR), (-_FAR, -50.0), 0.0),  # medulla
    (_BELOW, (8.0, 40.0), (-72.0, -50.0), (-50.0, -28.0), 0.0),  # cerebellum
)

Array = NDArray[np.float32]


class _Template(NamedTuple):
    """Maps in [0, 1] on one grid of 1 mm, ``(I, J, K)``, and its affine ``(4, 4)``."""

    t1: Array
    gray: Array
    white: Array
    affine: NDArray[np.float64]


def write_mni152(folder: Path) -> None:
    """Write ``surf/?h.white``, ``surf/?h.pial``, ``mri/T1.nii.gz`` and ``SOURCE.json``.

    Args:
        folder: of the subject.

    Raises:
        ConfigError: nilearn, which ships the maps, or scikit-image, which finds the surfaces, is not installed.
    """
    template = _crop(_load())
    for kind, sides in _surfaces(template).items():
        for side, mesh in sides.items():
            write_surface_geometry(folder / "surf" / f"{side}.{kind}", *mesh, _geometry(template))
    write_volume(folder / "mri" / "T1.nii.gz", np.round(255 * template.t1), template.affine, dtype=np.uint8)
    write_sample_record(folder, _MNI152)


def mni152_surfaces() -> dict[str, dict[str, Mesh]]:
    """White and pial surfaces of the MNI152 template: closed, of one piece, outward, the white within the pial ones.

    Returns:
        By "white" and "pial", then by "lh" and "rh", vertices ``(V, 3)`` float64 in mm, MNI152 RAS+; with handles, and
        without correspondence between white and pial.

    Raises:
        ConfigError: nilearn, which ships the maps, or scikit-image, which finds the surfaces, is not installed.
    """
    return _surfaces(_crop(_load()))


def _load() -> _Template:
    try:
        from nilearn import datasets  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise missing_package("nilearn") from error
    images: list[Any] = [
        load(resolution=1)
        for load in (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    ]
    t1, gray, white = (np.asarray(image.dataobj, np.float32) for image in images)
    return _Template(t1, gray, white, np.asarray(images[0].affine, np.float64))


def _crop(template: _Template, margin: int = 4) -> _Template:
    """The part of the grid that holds the brain."""
    found = np.argwhere(template.t1 > 0)
    low = np.maximum(found.min(0) - margin, 0)
    part = tuple(slice(a, b) for a, b in zip(low, found.max(0) + margin + 1, strict=True))
    affine = template.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return _Template(template.t1[part], template.gray[part], template.white[part], affine)


def _surfaces(template: _Template) -> dict[str, dict[str, Mesh]]:
    shape = tuple(int(np.ceil(size / _STEP)) for size in template.t1.shape)
    white = _resampled(gaussian_filter(template.white, 0.6), _STEP, shape)
    tissue = _resampled(gaussian_filter(template.white + template.gray, 0.6), _STEP, shape)
    cerebrum = _resampled(_cerebrum(template), _STEP / _COARSE, shape)
    affine = template.affine @ np.diag([_STEP, _STEP, _STEP, 1])
    x, y, z = _coordinates(shape, affine)
    center, axes = _FILLING
    radius = np.sqrt(sum(((p - c) / a) ** 2 for p, c, a in zip((x, y, z), center, axes, strict=True)))
    filling = (1 - radius) * min(axes)
    found: dict[str, dict[str, Mesh]] = {"white": {}, "pial": {}}
    for side, sign in zip(HEMISPHERES, (-1, 1), strict=True):
        depth = np.minimum(cerebrum, sign * x - _GAP)
        for kind, field, inset in (("white", white, _INSET), ("pial", tissue, 0.0)):
            # Unions and intersections of fields keep one within the other, as the maps are.
            solid = np.minimum(np.maximum(field, _ramp(filling - inset)), _ramp(depth - inset))
            found[kind][side] = _march(_in_one_piece(solid), affine)
    return found


def _cerebrum(template: _Template) -> Array:
    """Distance into the cerebrum or away from the brain, mm, negative in cerebellum and brain stem; every other voxel.

    Both parts grow from seeds of known place, and meet where the image is darkest: in the cleft of the tentorium.
    """
    try:
        from skimage.segmentation import watershed  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise missing_package("scikit-image") from error
    every = (slice(None, None, _COARSE),) * 3
    image, white = gaussian_filter(template.t1, 0.7)[every], template.white[every]
    x, y, z = _coordinates(image.shape, template.affine @ np.diag([_COARSE, _COARSE, _COARSE, 1]))
    seeds = np.zeros(image.shape, np.int32)
    for part, *box, least in _SEEDS:
        places = [(low < p) & (p < high) for p, (low, high) in zip((np.abs(x), y, z), box, strict=True)]
        seeds[np.logical_and.reduce(np.broadcast_arrays(*places, white >= least))] = part
    below = watershed(1 - image, seeds, mask=image > 0) == _BELOW
    distance = _COARSE * (distance_transform_edt(~below) - distance_transform_edt(below))
    return np.asarray(gaussian_filter(distance, 1.0), np.float32)


def _in_one_piece(field: Array) -> Array:
    """The field of the largest part above 0.5, without its cavities."""
    inside = field > 0.5  # noqa: PLR2004
    parts, _ = label(inside)
    largest = parts == np.bincount(parts[inside]).argmax()
    field = np.where(inside & ~largest, np.float32(0), field)
    around, _ = label(~largest)
    return np.where(~largest & (around != around[0, 0, 0]), np.float32(1), field)


def _march(field: Array, affine: NDArray[np.float64]) -> Mesh:
    from skimage.measure import marching_cubes  # noqa: PLC0415 (there, where the cerebrum was found)

    # Faces of "ascent" are counter-clockwise seen from where the field is low.
    points, faces, _, _ = marching_cubes(field, 0.5, gradient_direction="ascent")
    vertices = points.astype(np.float64) @ affine[:3, :3].T + affine[:3, 3]
    return Mesh(torch.from_numpy(vertices), torch.from_numpy(np.ascontiguousarray(faces, np.int64)))


def _resampled(values: Array, step: float, shape: tuple[int, ...]) -> Array:
    result: Array = affine_transform(values, [step] * 3, output_shape=shape, order=1, mode="nearest")
    return result


def _coordinates(shape: tuple[int, ...], affine: NDArray[np.float64]) -> tuple[Array, Array, Array]:
    """World coordinates along the axes of an upright grid, mm, each broadcast along the others."""
    index = np.ogrid[tuple(slice(size) for size in shape)]
    x, y, z = (np.asarray(i * affine[axis, axis] + affine[axis, 3], np.float32) for axis, i in enumerate(index))
    return x, y, z


def _ramp(distance: NDArray[Any]) -> Array:
    return np.clip(0.5 + distance / _RAMP, 0, 1).astype(np.float32)


def _geometry(template: _Template) -> dict[str, Any]:
    """The image as a surface's file names it; the 1 in its head says that coordinates are the scanner's."""
    size = np.array(template.t1.shape)
    return {
        "head": np.array([2, 1, 20]),
        "valid": "1  # volume info valid",
        "filename": "../mri/T1.nii.gz",
        "volume": size,
        "voxelsize": np.ones(3),
        **{name: axis for name, axis in zip(("xras", "yras", "zras"), np.eye(3), strict=True)},
        "cras": template.affine[:3, :3] @ (size / 2) + template.affine[:3, 3],
    }
