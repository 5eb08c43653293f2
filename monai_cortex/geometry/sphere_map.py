"""Functions on a sphere, given at the vertices of a mesh."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.barycentric import interpolate, locate, nearest_corner
from monai_cortex.geometry.mesh import Mesh

__all__ = ["SphereMap", "require_same_features", "standardize"]

_PLAIN = 3.0  # standard deviations up to which a value stays what it is


class SphereMap(NamedTuple):
    """Features of a cortex on its sphere.

    Attributes:
        mesh: sphere around the origin with V vertices.
        values: of C features, ``(C, V)``.
    """

    mesh: Mesh
    values: Tensor

    def at(self, points: Tensor) -> Tensor:
        """Values where rays through points ``(Q, 3)`` meet the mesh, linear on each triangle, ``(C, Q)``."""
        return interpolate(self.values, self.mesh, locate(points.to(self.mesh.vertices), self.mesh))

    def nearest(self, points: Tensor) -> Tensor:
        """Values at the nearest corner of the triangles that rays through points ``(Q, 3)`` meet, ``(C, Q)``.

        So labels are read: none is invented.
        """
        return self.values[..., nearest_corner(self.mesh, locate(points.to(self.mesh.vertices), self.mesh))]

    def rotated(self, rotation: Tensor) -> SphereMap:
        """The map that a rotation ``(3, 3)`` carries along."""
        return SphereMap(Mesh(self.mesh.vertices @ rotation.to(self.mesh.vertices).T, self.mesh.faces), self.values)


def require_same_features(fixed: SphereMap, moving: SphereMap) -> None:
    """Refuse maps ``(C, V)`` that cannot be aligned.

    Raises:
        ValueError: the numbers of features differ, or a feature is constant or not finite.
    """
    if len(fixed.values) != len(moving.values):
        raise ValueError(f"fixed has {len(fixed.values)} features, moving {len(moving.values)}; give both the same.")
    for name, values in (("fixed", fixed.values), ("moving", moving.values)):
        if not values.isfinite().all():
            raise ValueError(f"features of the {name} sphere are not finite; mask or repair them first.")
        if (values.amax(-1) == values.amin(-1)).any():
            raise ValueError(f"a feature of the {name} sphere is the same everywhere; nothing can be aligned by it.")


def standardize(values: Tensor, weights: Tensor) -> Tensor:
    r"""Features of mean 0 and deviation 1 with few outliers.

    Twice, values x are divided by their deviation and those beyond 3 squashed to
    :math:`\mathrm{sign}(x)\,(4 - e^{3 - |x|})`, at most 4.

    Args:
        values: ``(..., V)``.
        weights: of the vertices in the mean, such as their areas, 0 or more, ``(V,)``.

    Returns:
        Dimensionless, ``(..., V)``; zeros where a feature is constant.

    Reference:
        Fischl, Sereno, Dale, NeuroImage 9(2):195-207, 1999, for the scaling; the squashing is this project's.
    """
    share = (weights / weights.sum()).to(values)
    values = values - (values * share).sum(-1, keepdim=True)
    for _ in range(2):
        deviation = (values.square() * share).sum(-1, keepdim=True).sqrt()
        values = torch.where(deviation > 0, values / deviation.clamp_min(torch.finfo(values.dtype).tiny), 0.0)
        size = values.abs()
        values = torch.where(size > _PLAIN, values.sign() * (_PLAIN + 1 - torch.exp(_PLAIN - size)), values)
    return values
