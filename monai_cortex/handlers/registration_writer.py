"""Files, metrics and picture of a subject's registered hemispheres."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from monai_cortex import __version__
from monai_cortex.data import write_gifti_sphere, write_morph, write_sidecar, write_surface_geometry
from monai_cortex.handlers.carried_hemisphere import CarriedHemisphere
from monai_cortex.handlers.subject_writer import SubjectWriter
from monai_cortex.visualize import RegistrationPicture, png, registration_figure

__all__ = ["SphereRegistrationWriter", "carried_hemispheres", "registration_picture"]

_log = logging.getLogger(__name__)
_RADIUS = 100.0
_SPHERE = {
    "units": "mm, radius 100",
    "convention": "place of each vertex of the subject's sphere on the target's sphere; same vertices and faces",
}
_MAPS = {
    "areal": ("dimensionless", "mean of |log2(area after / before)| of the triangles at each vertex, by their areas"),
    "edge": ("dimensionless", "mean of |length after / before - 1| of the edges at each vertex"),
    "uncertainty": ("degree", "root mean square distance of repeated draws from their mean"),
}


class SphereRegistrationWriter(SubjectWriter):
    """Write registered spheres, distortion, uncertainty, metrics and picture of each subject.

    Items hold, beside ``subject``: ``hemispheres``, ``targets`` and ``registrations``, each by "lh" and "rh";
    ``features``, the names of the rows of the hemispheres' values; ``level``, of the icosphere on which maps are
    compared; and may hold ``sources``, relative names of the files that were read, by hemisphere, and ``unguided``,
    registrations to compare with, whose metrics are named ``lh_unguided_`` or ``rh_unguided_``.

    Args:
        output_dir: folder of the run.
    """

    columns: ClassVar[Mapping[str, str]] = {
        "left": "lh_",
        "right": "rh_",
        "left, optimization alone": "lh_unguided_",
        "right, optimization alone": "rh_unguided_",
    }

    def write(self, item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write the files of ``surf`` and ``qc.png``; metrics are named ``lh_`` or ``rh_``."""
        metrics: dict[str, Any] = {}
        pictures, notes = {}, []
        carried = carried_hemispheres(item)
        for side, part in carried.items():
            _write_sphere(folder / "surf", side, part, item)
            _write_maps(folder / "surf", side, part, item)
            numbers = part.metrics(int(item["level"]))
            metrics |= {f"{side}_{name}": value for name, value in numbers.items()}
            if "unguided" in item:
                alone = CarriedHemisphere(part.native, part.target, item["unguided"][side])
                compared = alone.metrics(int(item["level"]))
                metrics |= {f"{side}_unguided_{name}": value for name, value in compared.items()}
            pictures[side] = registration_picture(part, numbers)
            notes.append(part.sign_note(item["features"][0], numbers))
        if any(notes):
            metrics["sign_note"] = "; ".join(filter(None, notes))
            _log.warning("%s: %s", item["subject"], metrics["sign_note"])
        target = next(iter(carried.values())).target.subject
        figure = registration_figure(str(item["subject"]), item["features"][0], pictures, target)
        (folder / "qc.png").write_bytes(png(figure))
        return metrics


def carried_hemispheres(item: Mapping[str, Any]) -> dict[str, CarriedHemisphere]:
    """Hemispheres of an item on their targets, by "lh" and "rh".

    Raises:
        ValueError: if there is none, or one has no target or does not fit its registration.
    """
    registrations = item["registrations"]
    if not registrations or not registrations.keys() <= item["hemispheres"].keys() & item["targets"].keys():
        raise ValueError(
            f"subject {item['subject']}: need a subject's and a target's hemisphere for each registration, got "
            f"{sorted(item['hemispheres'])} and {sorted(item['targets'])} for {sorted(registrations)}."
        )
    return {
        side: CarriedHemisphere(item["hemispheres"][side], item["targets"][side], registration)
        for side, registration in registrations.items()
    }


def registration_picture(part: CarriedHemisphere, metrics: Mapping[str, float]) -> RegistrationPicture:
    """What the figure shows of a hemisphere: its first feature, on inflated surfaces where there are any.

    Args:
        part: the hemisphere on its target.
        metrics: for the title.
    """
    scaled = part.scaled[:1]
    uncertainty = part.registration.uncertainty
    return RegistrationPicture(
        target=part.target.inflated or part.target.sphere,
        own=part.native.inflated or part.native.sphere,
        fixed=part.target_scaled[0],
        before=part.carry(scaled, rigid=True)[0],
        after=part.carry(scaled)[0],
        areal=part.areal,
        edge=part.edge,
        uncertainty=None if uncertainty is None else uncertainty.detach().cpu(),
        metrics=metrics,
    )


def _write_sphere(folder: Path, side: str, part: CarriedHemisphere, item: Mapping[str, Any]) -> None:
    vertices, faces = _RADIUS * part.places.numpy(), part.native.sphere.faces.numpy()
    names = (f"{side}.sphere.mcx.reg", f"{side}.sphere.mcx.reg.surf.gii")
    write_surface_geometry(folder / names[0], vertices, faces, part.native.volume_info)
    write_gifti_sphere(folder / names[1], vertices, faces, side)
    for name in names:
        write_sidecar(folder / name, _shared(side, part, item) | _SPHERE)


def _write_maps(folder: Path, side: str, part: CarriedHemisphere, item: Mapping[str, Any]) -> None:
    maps = {"areal": part.areal, "edge": part.edge, "uncertainty": part.registration.uncertainty}
    for name, values in maps.items():
        if values is None:
            continue
        path, (units, convention) = folder / f"{side}.mcx.{name}", _MAPS[name]
        write_morph(path, values.detach().cpu().numpy(), len(part.native.sphere.faces))
        write_sidecar(path, _shared(side, part, item) | {"units": units, "convention": convention})


def _shared(side: str, part: CarriedHemisphere, item: Mapping[str, Any]) -> dict[str, Any]:
    """What every sidecar says."""
    return {
        "sources": sorted(item.get("sources", {}).get(side, ())),
        "hemisphere": side,
        "target": part.target.subject,
        "features": list(item["features"]),
        "scale": part.registration.scale,
        "rotation": np.round(part.registration.rotation.detach().cpu().double().numpy(), 9),
        "spatial_reference": "vertices of the subject's own sphere, in their order",
        "software": f"monai_cortex {__version__}",
    }
