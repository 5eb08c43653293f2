"""Who is registered and modeled, and whom the path visits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from monai_cortex.data import atomic_folder, sample_target
from monai_cortex.data.cortex_correspondence import cortices_of
from monai_cortex.errors import ConfigError
from monai_cortex.simulate import write_trajectory_people
from monai_cortex.trajectory.request import TrajectoryRequest

__all__ = ["People", "gather_people"]

_FEWEST = 2


class People(NamedTuple):
    """Subjects of a trajectory.

    Attributes:
        dataset_dir: folder of all that the model is fitted to.
        target_dir: the subject that spheres are registered to.
        names: of all subjects.
        stations: those that the path visits, in order.
        joined: name of the target where it was added to two subjects, or "".
    """

    dataset_dir: Path
    target_dir: Path
    names: tuple[str, ...]
    stations: tuple[str, ...]
    joined: str = ""


def gather_people(request: TrajectoryRequest) -> People:
    """Find the subjects, or make the sample; two are joined by the target, since around two alone there is no way.

    The codes of two people lie opposite each other, whatever their shapes: slerp needs a third one.

    Args:
        request: what is asked for.

    Raises:
        ConfigError: a station is no subject, or there are fewer than two of either.
        InputFileError: a surface is missing.
    """
    dataset = request.dataset_dir or request.output_dir / "people"
    if request.dataset_dir is None:
        write_trajectory_people(dataset)
    target = request.target_dir or Path(sample_target(request.output_dir))
    names = _names(dataset, request)
    stations = request.subjects or (names[0], names[-1])
    unknown = [name for name in stations if name not in names]
    if unknown or len(stations) < _FEWEST or len(names) < _FEWEST:
        raise ConfigError(
            "the path cannot be laid",
            found=f"no subject {', '.join(unknown)}" if unknown else f"stations {', '.join(stations)}",
            expected=f"two or more of {', '.join(names)}",
            remedy="name folders of the dataset (--subjects a,b)",
        )
    if len(names) > _FEWEST:
        return People(dataset, target, names, stations)
    joined = _join(dataset, names, target, request)
    return People(joined, target, _names(joined, request), stations, target.name)


def _names(dataset: Path, request: TrajectoryRequest) -> tuple[str, ...]:
    return tuple(item["subject"] for item in cortices_of(dataset, request.hemispheres))


def _join(dataset: Path, names: tuple[str, ...], target: Path, request: TrajectoryRequest) -> Path:
    """A dataset of both subjects and the target."""
    if target.name in names:
        raise ConfigError(
            "the target is one of the only two subjects",
            found=target.name,
            expected="a third person: the codes of two lie opposite each other, and no way leads around the mean",
            remedy="add a subject to the dataset, or name another target (--target-dir)",
        )
    _names(target, request)  # needs white and pial surfaces, too
    folder = request.output_dir / "people"
    with atomic_folder(folder) as staging:
        for place in (*(dataset / name for name in names), target):
            try:
                (staging / place.name).symlink_to(place.absolute(), target_is_directory=True)
            except OSError:  # systems and disks without links
                shutil.copytree(place, staging / place.name)
    return folder
