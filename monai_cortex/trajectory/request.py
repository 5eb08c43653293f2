"""What is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["TrajectoryRequest"]


@dataclass(frozen=True)
class TrajectoryRequest:
    """Options of a trajectory.

    Attributes:
        output_dir: folder of all results.
        dataset_dir: folder of subjects with ``surf/?h.{white,pial,sphere,sulc}``; None makes three people from
            fsaverage5.
        target_dir: folder of the subject that spheres are registered to; None is fsaverage5.
        subjects: stations of the path, two or more; none are the first and the last of the dataset.
        steps: from one station to the next, both included.
        hemispheres: "lh", "rh" or both.
        level: of the icosphere whose vertices correspond; 5 has 10,242, 6 has 40,962.
        spacing: of the images in mm.
        sampling_steps: of the diffusion.
        seed: of the diffusion's noise, the same for all images.
        tracking_uri: MLflow server or database; None is ``mlruns.db`` in the output folder, "" tracks nothing.
    """

    output_dir: Path
    dataset_dir: Path | None = None
    target_dir: Path | None = None
    subjects: tuple[str, ...] = ()
    steps: int = 5
    hemispheres: tuple[str, ...] = ("lh", "rh")
    level: int = 5
    spacing: float = 2.0
    sampling_steps: int = 5
    seed: int = 0
    tracking_uri: str | None = None
