"""The chain: spheres registered, shapes modeled, a path laid, images drawn along it, and measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_cortex.data import registration_subjects, write_json
from monai_cortex.handlers import track_work
from monai_cortex.handlers.chained_runs import PARENT_TAG
from monai_cortex.handlers.tracker_store import database_uri
from monai_cortex.trajectory.measure import START_MM, MeasuredPlace, measure_place
from monai_cortex.trajectory.path import lay_path
from monai_cortex.trajectory.people import People, gather_people
from monai_cortex.trajectory.request import TrajectoryRequest
from monai_cortex.trajectory.results import summarize, write_results
from monai_cortex.trajectory.stages import Stage, run_stage

__all__ = ["run_trajectory"]

_PLACES = ("dataset_dir", "target_dir", "output_dir", "tracking_uri")


def run_trajectory(request: TrajectoryRequest) -> dict[str, Any]:
    """Run the chain inside one run of the tracker, with a child for each bundle and one for the measurements.

    Args:
        request: what is asked for.

    Returns:
        The content of ``trajectory.json``.

    Raises:
        ConfigError: the path cannot be laid.
        CortexError: an input is damaged, or a bundle's run failed.
    """
    out = request.output_dir
    out.mkdir(parents=True, exist_ok=True)
    people = gather_people(request)
    settings = {name: value for name, value in asdict(request).items() if name not in _PLACES}
    record: dict[str, Any] = {}

    def work(_: object, run: str | None) -> Mapping[str, float]:
        record.update(_chain(request, people, run))
        return summarize(record)

    config = settings | {"dataset_dir": str(people.dataset_dir), "stations": len(people.stations)}
    track_work(work, ["chain"], out, name="trajectory", config=config, tracking_uri=request.tracking_uri)
    return record


def _chain(request: TrajectoryRequest, people: People, run: str | None) -> dict[str, Any]:
    out, tracking = request.output_dir, _tracking(request, run)
    fresh = {"registration": run_stage(_registration(request, people), tracking)}
    path = lay_path(people, request, out / "registration", out / "path")
    fresh["synthesis"] = run_stage(_synthesis(request, path), tracking)
    measured = _measure(request, path, run)
    record = {
        "subjects": list(people.names),
        "stations": list(people.stations),
        "target": people.target_dir.name,
        "joined": people.joined,
        "convention": "slerp of whitened codes around the mean shape: directions turn evenly, norms change linearly",
        "settings": {"spacing_mm": request.spacing, "sampling_steps": request.sampling_steps, "seed": request.seed},
        "start_mm": START_MM,
        "run_now": [name for name, new in fresh.items() if new],
        "model": path["model"],
        "equal_grid": path["equal_grid"],
        "steps": [
            {**step, **place.numbers, "hemispheres": _merged(step["hemispheres"], place.sides)}
            for step, place in zip(path["steps"], measured, strict=True)
        ],
    }
    write_json(out / "trajectory.json", record)
    write_results(out, record, measured)
    return record


def _registration(request: TrajectoryRequest, people: People) -> Stage:
    halves = {
        (role, item["subject"], side): half
        for role, folder in (("moving", people.dataset_dir), ("fixed", people.target_dir))
        for item in registration_subjects(folder, request.hemispheres)
        for side, half in item["hemispheres"].items()
    }
    inputs = {
        " ".join((*place, kind)): Path(path)
        for place, half in halves.items()
        for kind, path in {"sphere": half["sphere"], **half["features"]}.items()
    }
    return Stage(
        f"Register {len(people.names)} subjects to {people.target_dir.name} on the sphere",
        "spherical_diffusion_registration",
        request.output_dir / "registration",
        {"dataset_dir": people.dataset_dir, "target_dir": people.target_dir},
        {"hemispheres": list(request.hemispheres), "level": request.level, "seed": request.seed},
        inputs,
    )


def _synthesis(request: TrajectoryRequest, path: Mapping[str, Any]) -> Stage:
    folder = request.output_dir / "path"
    files = sorted([*folder.glob("step-*/surf/*"), *folder.glob("step-*/mri/*")])
    return Stage(
        f"Draw the images of {len(path['steps'])} cortices with equal noise",
        "cor2vox_synthesis",
        request.output_dir / "synthesis",
        {"dataset_dir": folder},
        {"num_inference_steps": request.sampling_steps, "seed": request.seed, "measure": False},
        {file.relative_to(folder).as_posix(): file for file in files},
    )


def _measure(request: TrajectoryRequest, path: Mapping[str, Any], run: str | None) -> list[MeasuredPlace]:
    found: list[MeasuredPlace] = []

    def work(name: str, _: str | None) -> Mapping[str, float]:
        image = request.output_dir / "synthesis" / name / "synth_T1w.nii.gz"
        found.append(measure_place(request.output_dir / "path" / name, image))
        return found[-1].numbers

    names = [step["name"] for step in path["steps"]]
    tags = {PARENT_TAG: run}
    track_work(
        work,
        names,
        request.output_dir / "measurement",
        name="measurement",
        config={"start_mm": START_MM},
        tags=tags,
        tracking_uri=_store(request),
    )
    return found


def _store(request: TrajectoryRequest) -> str:
    """The parent's store, which all children share; "" for none."""
    own = database_uri(request.output_dir.absolute())
    return own if request.tracking_uri is None else request.tracking_uri


def _tracking(request: TrajectoryRequest, run: str | None) -> list[str]:
    """Words by which a bundle's run becomes a child of ours."""
    store = _store(request)
    if not store:
        return ["--track", "False"]
    words = [] if os.environ.get("MLFLOW_TRACKING_URI") else ["--tracking_uri", store]
    return [*words, "--tracker#tags", str({PARENT_TAG: run})] if run else words


def _merged(
    shapes: Mapping[str, Mapping[str, float]], measures: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {side: {**shapes[side], **measures[side]} for side in shapes}
