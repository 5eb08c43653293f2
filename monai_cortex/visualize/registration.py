"""Pictures of registered cortical surfaces: of one subject, and of the average over subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize.surface_grid import SurfaceColumn, SurfaceMap, surface_grid

__all__ = ["GroupPicture", "RegistrationPicture", "group_figure", "registration_figure"]

_FEATURE = ("RdBu_r", (-2.5, 2.5), "both")  # in standard deviations, in which the maps are aligned
_TOP = 98  # percentile at which the colors of distortion end
_NAMES = {"lh": "Left", "rh": "Right"}
_AREAL = ("Areal distortion", "|log2 area ratio|")
_EDGE = ("Edge distortion", "|length ratio − 1|")
_VIEWS = "A anterior, P posterior."
_DISTORTION = f"Areal distortion is 1 where areas double or halve; colors of distortion end at the {_TOP}th percentile."


@dataclass(frozen=True)
class RegistrationPicture:
    """What the picture shows of one hemisphere.

    Attributes:
        target: surface of the fixed subject with T vertices, best the inflated one, mm or of unit radius.
        own: surface of the subject with V vertices.
        fixed: feature of the target in standard deviations, ``(T,)``.
        before: feature of the subject on the target after the rotation, in standard deviations, ``(T,)``.
        after: the same after the whole registration, ``(T,)``.
        areal: absolute log2 of the ratio of areas, ``(V,)``.
        edge: absolute relative change of lengths, ``(V,)``.
        uncertainty: root mean square distance of repeated draws from their mean, degree, ``(V,)``; or none.
        metrics: ``ncc_rigid``, ``ncc``, ``areal_mean``, ``edge_mean``, ``new_folds``; those that are there are shown.
    """

    target: Mesh
    own: Mesh
    fixed: ArrayLike
    before: ArrayLike
    after: ArrayLike
    areal: ArrayLike
    edge: ArrayLike
    uncertainty: ArrayLike | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupPicture:
    """What the picture of a group shows of one hemisphere, all on the fixed subject's surface with T vertices.

    Attributes:
        target: surface of the fixed subject, best the inflated one, mm or of unit radius.
        fixed: feature of the target in standard deviations, ``(T,)``.
        mean: average of the registered subjects' feature in standard deviations, ``(T,)``.
        areal: average of their absolute log2 ratio of areas, ``(T,)``.
    """

    target: Mesh
    fixed: ArrayLike
    mean: ArrayLike
    areal: ArrayLike


def registration_figure(
    subject: str, feature: str, hemispheres: Mapping[str, RegistrationPicture], target: str = "target"
) -> Figure:
    """Draw target, subject before and after the deformation, distortion and uncertainty, from both sides.

    Args:
        subject: identifier, for the title.
        feature: name of the map that is shown, such as "sulc".
        hemispheres: one or two of "lh" and "rh".
        target: identifier of the fixed subject.

    Raises:
        ValueError: if there is no hemisphere.
    """

    def column(title: str, name: str, quantity: str, cmap: str, place: str = "own") -> SurfaceColumn:
        maps = {
            side: SurfaceMap(getattr(part, place), getattr(part, name))
            for side, part in hemispheres.items()
            if getattr(part, name) is not None
        }
        if place == "target":
            return SurfaceColumn(title, quantity, *_FEATURE, maps)
        return SurfaceColumn(title, quantity, cmap, (0.0, _top(maps)), "max", maps)

    scaled = f"{feature} (standard deviations)"
    columns = [
        column(title, name, scaled, "", "target")
        for title, name in ((f"Target: {target}", "fixed"), ("Rotated only", "before"), ("Registered", "after"))
    ]
    columns += [column(_AREAL[0], "areal", _AREAL[1], "magma_r"), column(_EDGE[0], "edge", _EDGE[1], "magma_r")]
    if any(part.uncertainty is not None for part in hemispheres.values()):
        columns.append(column("Uncertainty", "uncertainty", "spread of draws (degree)", "viridis_r"))
    lines = [f"{_NAMES[side]}: {_numbers(part.metrics)}" for side, part in hemispheres.items() if part.metrics]
    caption = (
        f"The first three columns are on the surface of {target}, the others on the subject's own. {_VIEWS} "
        f"Distortion is measured from the native sphere. {_DISTORTION}"
    )
    return surface_grid(
        columns, "\n".join([f"{subject}: {feature} registered to {target}", *lines]), fill(caption, 190)
    )


def group_figure(
    feature: str, hemispheres: Mapping[str, GroupPicture], subjects: int, target: str = "target"
) -> Figure:
    """Draw the target, the average of the registered subjects, their difference, and the average areal distortion.

    Args:
        feature: name of the map that is shown, such as "sulc".
        hemispheres: one or two of "lh" and "rh".
        subjects: number of subjects in the average.
        target: identifier of the fixed subject.

    Raises:
        ValueError: if there is no hemisphere.
    """

    def maps(value: Callable[[GroupPicture], ArrayLike]) -> dict[str, SurfaceMap]:
        return {side: SurfaceMap(part.target, value(part)) for side, part in hemispheres.items()}

    scaled = f"{feature} (standard deviations)"
    areal = maps(lambda part: part.areal)
    columns = [
        SurfaceColumn(f"Target: {target}", scaled, *_FEATURE, maps(lambda part: part.fixed)),
        SurfaceColumn(f"Average of {subjects} subjects", scaled, *_FEATURE, maps(lambda part: part.mean)),
        SurfaceColumn(f"Average {_AREAL[0].lower()}", _AREAL[1], "magma_r", (0.0, _top(areal)), "max", areal),
    ]
    caption = f"All on the surface of {target}. {_VIEWS} {_DISTORTION}"
    return surface_grid(columns, f"{subjects} subjects registered to {target}", fill(caption, 100))


def _top(maps: Mapping[str, SurfaceMap]) -> float:
    """Largest value of the colors, over all hemispheres."""
    values = [np.ravel(np.asarray(part.values, np.float64)) for part in maps.values()]
    finite: NDArray[np.float64] = np.concatenate([part[np.isfinite(part)] for part in values] or [np.zeros(0)])
    return float(np.percentile(finite, _TOP)) if (finite > 0).any() else 1.0


def _numbers(metrics: Mapping[str, float]) -> str:
    parts = []
    if {"ncc_rigid", "ncc"} <= metrics.keys():
        parts.append(f"NCC {metrics['ncc_rigid']:.3f} rotated \N{RIGHTWARDS ARROW} {metrics['ncc']:.3f} registered")
    named = {"areal_mean": "mean areal distortion", "edge_mean": "mean edge distortion"}
    parts += [f"{label} {metrics[name]:.3f}" for name, label in named.items() if name in metrics]
    if "new_folds" in metrics:
        parts.append(f"{metrics['new_folds']:.0f} new folds")
    return ", ".join(parts)
