"""What a registration of two spheres gives."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["SphereRegistration"]


class SphereRegistration(NamedTuple):
    """A sphere registered to another one.

    Attributes:
        places: of the native vertices on the target sphere, unit vectors ``(V, 3)``.
        rotation: rigid part, from native directions to those of the target sphere, ``(3, 3)``.
        scale: factor in [0, 1] by which the deformation had to be weakened so that it folds no triangle; 0 leaves the
            rotation alone.
        folded: triangles of the native mesh that face outward before and inward after, a count.
        uncertainty: root mean square distance of repeated draws from their mean, in degree, ``(V,)``; None where
            there was one draw.
        seconds: what the registration took.
    """

    places: Tensor
    rotation: Tensor
    scale: float
    folded: int
    uncertainty: Tensor | None
    seconds: float
