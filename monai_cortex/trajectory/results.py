"""What a trajectory has found, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.data import atomic_path, bundle_folder, read_metadata, read_volume
from monai_cortex.handlers.run_description import git_revision, software_versions
from monai_cortex.trajectory.measure import MeasuredPlace
from monai_cortex.visualize import (
    Block,
    Check,
    Citation,
    Facts,
    Picture,
    Report,
    Reproduction,
    Table,
    png,
    render_report,
)
from monai_cortex.visualize.trajectory import TrajectoryPicture, TrajectoryStep, trajectory_figure

__all__ = ["summarize", "write_results"]

_BUNDLES = ("spherical_diffusion_registration", "cor2vox_synthesis")
_COLUMNS = {
    "thickness_mm": "thickness, meshes [mm]",
    "found_thickness_mm": "found in the image [mm]",
    "thickness_error_mm": "mean absolute error [mm]",
    "white_area_mm2": "white area [mm\u00b2]",
    "pial_area_mm2": "pial area [mm\u00b2]",
    "cortex_volume_mm3": "cortex [mm\u00b3]",
}
_DEFECTS = {
    "turned_triangles": "pial triangles turned over",
    "white_outside_pial_voxels": "white outside pial [voxels of 1 mm]",
    "white_crossing_triangles": "white triangles that cut others",
    "pial_crossing_triangles": "pial triangles that cut others",
}
_PROMISE = 0.02  # of the pial triangles may cut others: real surfaces have some


def summarize(record: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a whole trajectory, by name with unit.

    Args:
        record: content of ``trajectory.json``.
    """
    steps = record["steps"]
    true, found = ([step[name] for step in steps] for name in ("thickness_mm", "found_thickness_mm"))
    pairs = list(zip(true, found, strict=True))
    return {
        "thickness_error_mm": sum(step["thickness_error_mm"] for step in steps) / len(steps),
        "mean_thickness_error_mm": sum(abs(b - a) for a, b in pairs) / len(pairs),
        "true_change_mm": true[-1] - true[0],
        "found_change_mm": found[-1] - found[0],
        "crossing_triangles": float(max(_defects(step)["pial_crossing_triangles"] for step in steps)),
    }


def write_results(folder: Path, record: Mapping[str, Any], measured: Sequence[MeasuredPlace]) -> None:
    """Write ``figures/trajectory.png`` and ``report.html``.

    Args:
        folder: of the trajectory, with the images in ``synthesis``.
        record: content of ``trajectory.json``.
        measured: places, in order.
    """
    picture = png(trajectory_figure(_picture(folder, record, measured)))
    with atomic_path(folder / "figures" / "trajectory.png") as path:
        path.write_bytes(picture)
    with atomic_path(folder / "report.html") as path:
        path.write_text(render_report(_report(record, picture)), encoding="utf-8")


def _picture(folder: Path, record: Mapping[str, Any], measured: Sequence[MeasuredPlace]) -> TrajectoryPicture:
    steps = []
    for step, place in zip(record["steps"], measured, strict=True):
        volumes = {name: read_volume(folder / "synthesis" / step["name"] / f"{name}.nii.gz") for name in _VOLUMES}
        image, white, pial = (volumes[name].values for name in _VOLUMES)
        side, (_, mesh) = next(iter(place.surfaces.items()))
        true, found = place.thickness[side].numpy()
        affine = volumes["synth_T1w"].affine
        steps.append(TrajectoryStep(_title(step), image, white, pial, affine, side, mesh, true, found))
    curves = {name: [step[name] for step in record["steps"]] for name in (*_COLUMNS,)}
    return TrajectoryPicture(steps, curves, record["start_mm"])


_VOLUMES = ("synth_T1w", "white_sdf", "pial_sdf")


def _title(step: Mapping[str, Any]) -> str:
    start, end = step["ends"]
    return start if start == end else f"{step['share']:.0%}"


def _defects(step: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(sum(side[name] for side in step["hemispheres"].values())) for name in _DEFECTS}


def _report(record: Mapping[str, Any], picture: bytes) -> Report:
    metadata = [read_metadata(bundle_folder(slug)) for slug in _BUNDLES]
    numbers = summarize(record)
    model, stations = record["model"], ", ".join(record["stations"])
    return Report(
        title="From one cortex to another",
        summary=[
            Facts(
                {
                    "path": stations,
                    "change of the mean thickness, meshes [mm]": numbers["true_change_mm"],
                    "found in the images [mm]": numbers["found_change_mm"],
                    "error of a vertex, mean [mm]": numbers["thickness_error_mm"],
                }
            )
        ],
        inputs=[
            Facts({"subjects": ", ".join(record["subjects"]), "registered to": record["target"], **_joined(record)})
        ],
        method=[
            f"Spheres registered; surfaces read at {model['vertices']:,} corresponding places; principal components of "
            f"white and pial vertices, poses taken out ({model['components']} components).",
            f"Path: {record['convention']}.",
            "One call of the synthesis draws all images with the same noise"
            + (", voxel by voxel." if record["equal_grid"] else "; their grids differ, and so does the noise's place."),
            f"Both surfaces are then searched for in each image, from a cortex of {record['start_mm']} mm everywhere.",
        ],
        results=_results(record, picture),
        checks=_checks(record),
        reproduction=Reproduction(
            "python -m monai_cortex trajectory", software_versions(), record["settings"]["seed"], git_revision()
        ),
        citations=[Citation(text) for entry in metadata for text in entry["references"]],
    )


def _joined(record: Mapping[str, Any]) -> dict[str, str]:
    return {"joined the model, since two have no way around their mean": record["joined"]} if record["joined"] else {}


def _results(record: Mapping[str, Any], picture: bytes) -> list[Block]:
    steps = record["steps"]
    rows = [[step["name"], _title(step), *(round(step[name], 3) for name in _COLUMNS)] for step in steps]
    flaws = [[step["name"], *_defects(step).values()] for step in steps]
    return [
        Picture(picture, "Images, surfaces and thickness along the path.", "images and surfaces along the path"),
        Table(["folder", "place", *_COLUMNS.values()], rows, "Measures, means over both hemispheres or their sums."),
        Table(["folder", *_DEFECTS.values()], flaws, "Flaws of the surfaces on the way."),
    ]


def _checks(record: Mapping[str, Any]) -> list[Check]:
    most = 2 * record["model"]["vertices"] * _PROMISE  # two triangles a vertex
    checks = []
    for step in record["steps"]:
        flaws = _defects(step)
        for name, limit in (("turned_triangles", 0), ("pial_crossing_triangles", int(most))):
            reason = f"{flaws[name]}, at most {limit}"
            checks.append(Check(f"{step['name']}: {_DEFECTS[name]}", flaws[name] <= limit, reason))
    return checks
