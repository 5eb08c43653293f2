"""The shape model, and the cortices on the way from one subject to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.data import CortexShapes, atomic_folder, write_mgh, write_shape_subject
from monai_cortex.errors import ConfigError
from monai_cortex.geometry.slerp import slerp
from monai_cortex.trajectory.people import People
from monai_cortex.trajectory.request import TrajectoryRequest

__all__ = ["Place", "lay_path", "places_between"]

_MARGIN, _LEAST = 7.5, 3.0  # mm: the bundle keeps 8 around the surfaces of one subject, and cuts off what is beyond


class Place(NamedTuple):
    """A place on the path.

    Attributes:
        name: of its folder.
        ends: the subjects before and behind it; the same one twice at a station.
        share: of the way between them, in [0, 1].
        code: ``(K,)``.
    """

    name: str
    ends: tuple[str, str]
    share: float
    code: Tensor


def places_between(stations: tuple[str, ...], codes: dict[str, Tensor], steps: int) -> list[Place]:
    """Places along slerp from station to station; a station between two legs is one place.

    Args:
        stations: names, two or more.
        codes: of each station, ``(K,)``.
        steps: of each leg, both ends included.

    Raises:
        ConfigError: two codes lie opposite each other, so that no way leads around the mean.
    """
    found: list[Place] = []
    for start, end in zip(stations, stations[1:], strict=False):
        for number in range(min(len(found), 1), steps):
            share = number / (steps - 1)
            try:
                code = slerp(codes[start], codes[end], share)
            except ValueError as error:
                raise ConfigError(
                    f"no way leads from {start} to {end} around the mean shape",
                    found=str(error),
                    expected="people whose differences from the mean have different directions",
                    remedy="add subjects to the dataset",
                ) from error
            ends = (start, start) if number == 0 else (end, end) if number == steps - 1 else (start, end)
            found.append(Place(f"step-{len(found):02d}", ends, share, code))
    return found


def lay_path(people: People, request: TrajectoryRequest, spheres_dir: Path, folder: Path) -> dict[str, Any]:
    """Fit the model to all people, and write the cortices on the way with one grid for all their images.

    Args:
        people: of the trajectory.
        request: what is asked for.
        spheres_dir: folder of registered spheres.
        folder: gets ``step-00`` and so on, each like a subject's; replaced if it exists.

    Returns:
        ``steps``: by place ``name``, ``ends``, ``share`` and the content of SHAPE.json; ``model``: what it is made of;
        ``equal_grid``: whether all images are drawn on one grid, with equal noise at each voxel.
    """
    shapes = CortexShapes.fit(
        people.dataset_dir, hemispheres=request.hemispheres, spheres_dir=spheres_dir, level=request.level
    )
    found = {name: shapes.shape(people.dataset_dir, name, spheres_dir) for name in dict.fromkeys(people.stations)}
    codes = {name: shapes.model.encode(shape) for name, shape in found.items()}
    places, steps = places_between(people.stations, codes, request.steps), []
    boxes = [_box(torch.cat([mesh.vertices for mesh in shapes.decode(place.code).pial])) for place in places]
    low, high = (torch.stack(part) for part in zip(*boxes, strict=True))
    apart = float(torch.maximum(low - low.amin(0), high.amax(0) - high).max())
    margin = max(_LEAST, _MARGIN - apart)
    grid = _grid(low.amin(0) - margin, high.amax(0) + margin, request.spacing)
    with atomic_folder(folder) as staging:
        for place in places:
            about = {"ends": place.ends, "place": place.share, "path": "slerp"}
            shape = write_shape_subject(staging / place.name, shapes, place.code, about)
            write_mgh(staging / place.name / "mri" / "T1.mgz", *grid)
            steps.append({"name": place.name, "share": place.share, **shape, "ends": list(place.ends)})
    return {
        "steps": steps,
        "model": {
            "people": list(people.names),
            "components": len(shapes.model.deviations),
            "vertices": len(shapes.model.mean) // 2,
            "level": request.level,
            "alignment": shapes.alignment,
            "off_model_mm": {name: shapes.residual(shape) for name, shape in found.items()},
        },
        "equal_grid": apart <= _MARGIN - _LEAST,
    }


def _box(points: Tensor) -> tuple[Tensor, Tensor]:
    return points.amin(0), points.amax(0)


def _grid(low: Tensor, high: Tensor, spacing: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Voxels without content from one corner to the other, axes along RAS+, and their affine."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = low.numpy()
    shape = tuple(int(size) for size in ((high - low) / spacing).ceil() + 1)
    return np.zeros(shape, np.float32), affine
