"""Whether a feature has the opposite sign of another one's convention."""

from __future__ import annotations

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers.rigid_sphere import align_rotation
from monai_cortex.metrics import sphere_agreement

__all__ = ["opposite_agreement"]


def opposite_agreement(fixed: SphereMap, moving: SphereMap, level: int = 4) -> float:
    """How well the first feature agrees after its sign is turned and the best rotation is searched anew.

    Sulcal depth is positive in sulci in FreeSurfer's files and negative in others. A rotation that aligns maps of
    opposite signs is found too, so that a low agreement alone does not tell.

    Args:
        fixed, moving: spheres with C features ``(C, V)``, of which the first is looked at.
        level: of the icosphere on which they are compared.

    Returns:
        Normalized cross-correlation in [-1, 1].

    Raises:
        ValueError: if a feature is constant or not finite.
    """
    first = SphereMap(fixed.mesh, fixed.values[:1])
    opposite = SphereMap(moving.mesh, -moving.values[:1])
    turned = opposite.rotated(align_rotation(first, opposite, level))
    mesh = icosphere(level)
    agreement = sphere_agreement(first.at(mesh.vertices), turned.at(mesh.vertices), vertex_areas(mesh))
    return float(agreement.ncc)
