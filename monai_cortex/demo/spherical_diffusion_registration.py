"""Register real cortical surfaces: fsaverage5's mirrored hemispheres onto the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monai_cortex.demo.demonstration import Demonstration, Finding
from monai_cortex.visualize import Table

__all__ = ["DEMONSTRATION"]

_SIDES = {"lh": "left", "rh": "right"}
_KEYS = ("ncc_rigid", "ncc", "areal_mean", "edge_mean", "new_folds", "seconds")


def _tables(subject: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(
        ["hemisphere", "NCC rotated", "NCC registered", "areal distortion", "edge distortion", "new folds", "time [s]"],
        [[name, *(subject[f"{side}_{key}"] for key in _KEYS)] for side, name in _SIDES.items()],
        "NCC: correlation of sulcal depth. Distortion: means of |log2 area ratio| and |length ratio - 1|.",
    )


def _finding(subject: Mapping[str, Any]) -> Finding:
    rotated, registered = (
        sum(subject[f"{side}_{key}"] for side in _SIDES) / len(_SIDES) for key in ("ncc_rigid", "ncc")
    )
    return Finding("correlation of sulcal depth", f"{registered:.3f}", f"{rotated:.3f} (rotated only)")


DEMONSTRATION = Demonstration(
    bundle="spherical_diffusion_registration",
    data="Real cortices, fsaverage5 of nilearn: each hemisphere, mirrored, onto the other one",
    title="Register mirrored hemispheres to the others",
    finding=_finding,
    tables=_tables,
)
