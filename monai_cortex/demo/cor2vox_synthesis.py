"""Draw brain MRI from real cortical surfaces: fsaverage5, as it is and with a thinner cortex."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monai_cortex.demo.demonstration import Demonstration, Finding
from monai_cortex.visualize import Table

__all__ = ["DEMONSTRATION"]

_SURFACES = ("white", "pial")
_DOSE = "0.5"  # mm


def _tables(subject: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(
        ["surface found again", "ASSD [mm]", "HD90 [mm]", "found"],
        [[name, *(subject[f"{name}_{key}"] for key in ("assd_mm", "hd90_mm", "found"))] for name in _SURFACES],
        "Found: share of vertices at which the image shows a boundary. Means over the hemispheres.",
    )
    yield Table(
        ["atrophy", "true [mm]", "estimated [mm]", "error [mm]"],
        [[f"dose {_DOSE} mm", *(subject[f"atrophy_{_DOSE}_{key}_mm"] for key in ("true", "estimated", "error"))]],
    )


def _finding(subject: Mapping[str, Any]) -> Finding:
    distance = sum(subject[f"{name}_assd_mm"] for name in _SURFACES) / len(_SURFACES)
    return Finding("surfaces found again within [mm]", f"{distance:.2f}", "2.00 (edge of a voxel)")


DEMONSTRATION = Demonstration(
    bundle="cor2vox_synthesis",
    data="Real white and pial surfaces, fsaverage5 of nilearn, voxels of 2 mm; again with a cortex thinner by 0.5 mm",
    title="Draw the image, and the one of a thinner cortex with equal noise",
    # Half of the bundle's own number of steps, for half of the time.
    words=("--dataset_dir#subject", "fsaverage5", "--num_inference_steps", "5", "--atrophy_mm", f"[{_DOSE}]"),
    sizes=("--spacing", "2"),
    finding=_finding,
    tables=_tables,
)
