"""A deformation carried to the subject's own mesh, where it is guaranteed to fold no triangle."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import normalize

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential

__all__ = ["Delivery", "deliver"]

_HALVINGS = 30  # after them the deformation is less than a billionth of what it was
_BISECTIONS = 5


class Delivery(NamedTuple):
    """A registered sphere.

    Attributes:
        places: of the native vertices on the fixed sphere, unit vectors ``(V, 3)``.
        scale: s in [0, 1] by which the field had to be multiplied; 0 leaves the rotation alone.
        folded: triangles that face inward now and outward before: 0.
    """

    places: Tensor
    scale: float
    folded: int


def deliver(coefficients: Tensor, rotation: Tensor, native: Mesh, level: int = 6, squarings: int = 6) -> Delivery:
    """Rotate, then follow the flow of a rotation field; weaken the field until no triangle turns over.

    A smooth flow never folds, but a mesh does where a triangle is compressed beyond its size. Small multiples of the
    field come close to the rotation, which folds nothing, so that one that keeps all triangles always exists.

    Args:
        coefficients: of the field in radian, ``(3, (L + 1)^2)``.
        rotation: from native directions to those of the fixed sphere, ``(3, 3)``.
        native: sphere around the origin.
        level: of the icosphere on which the flow is computed.
        squarings: of the exponential.
    """
    mesh = icosphere(level)
    degree = round(coefficients.shape[-1] ** 0.5) - 1
    field = real_harmonics(mesh.vertices, degree) @ coefficients.double().T
    turned = normalize(native.vertices.double() @ rotation.double().T, dim=1)
    prepared = locator(mesh)
    location = locate(turned, mesh, prepared)

    def carried(scale: float) -> tuple[Tensor, int]:
        grid = exponential(scale * field, mesh, squarings, prepared)
        places = normalize(interpolate(grid.T, mesh, location).T, dim=1)
        return places, folded(turned, places, native.faces)

    places, count = carried(1.0)
    if not count:
        return Delivery(places, 1.0, 0)
    low, high = 0.0, 1.0
    best = Delivery(turned, 0.0, 0)
    for trial in range(_HALVINGS):
        middle = (low + high) / 2
        places, count = carried(middle)
        if count:
            high = middle
        else:
            low, best = middle, Delivery(places, middle, 0)
        if low and trial >= _BISECTIONS:
            break
    return best
