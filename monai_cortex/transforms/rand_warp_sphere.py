"""Deform maps on a sphere at random: a single subject becomes many."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import RandomizableTransform
from torch import Tensor

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.icosphere import icosphere, icosphere_level
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.triangle_walk import TriangleWalk
from monai_cortex.transforms.shared_draw import SharedDraw

__all__ = ["RandWarpSphere", "RandWarpSphereD", "RandWarpSphereDict", "RandWarpSphered"]


class RandWarpSphere(RandomizableTransform):
    """Read a map on an icosphere where a random smooth flow takes the vertices.

    Args:
        prob: probability of a deformation.
        max_angle_degree: largest mean displacement, in degrees, above 0; means are uniform below it.
        degree: largest degree of the flow's field.

    Raises:
        ValueError: the angle is not above 0.
    """

    def __init__(self, prob: float = 1.0, max_angle_degree: float = 8.0, degree: int = 8) -> None:
        super().__init__(prob)
        if not max_angle_degree > 0:
            raise ValueError(f"max_angle_degree is above 0, got {max_angle_degree}.")
        self.max_angle, self.degree = math.radians(max_angle_degree), degree
        self.angle, self.seed = 0.0, 0

    def randomize(self, data: Any = None) -> None:
        """Draw whether to deform, how far (``angle``, radian), and the ``seed`` of the field."""
        super().randomize(data)
        if self._do_transform:
            self.angle, self.seed = self.max_angle * self.R.random_sample(), int(self.R.randint(2**31 - 1))

    def __call__(self, values: Tensor, randomize: bool = True) -> Tensor:
        """Return the map deformed, ``(C, V)``, in its dtype.

        Args:
            values: at the vertices of an icosphere, ``(C, V)``.
            randomize: False repeats the last deformation.

        Raises:
            ValueError: the number of vertices is that of no icosphere.
        """
        mesh, prepared = _grid(icosphere_level(values.shape[-1]))
        if randomize:
            self.randomize()
        if not self._do_transform:
            return values
        places = random_warp(mesh, self.angle, torch.Generator().manual_seed(self.seed), self.degree, prepared)
        return interpolate(values, mesh, locate(places.to(values), mesh, prepared))


class RandWarpSphered(SharedDraw):
    """Dictionary version of :class:`RandWarpSphere`: one deformation for all keys.

    Args:
        keys: of the maps.
        prob: probability of a deformation.
        max_angle_degree: largest mean displacement, in degrees.
        degree: largest degree of the flow's field.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 1.0,
        max_angle_degree: float = 8.0,
        degree: int = 8,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(RandWarpSphere(prob, max_angle_degree, degree), keys, allow_missing_keys)


RandWarpSphereD = RandWarpSphereDict = RandWarpSphered


@lru_cache(maxsize=4)
def _grid(level: int) -> tuple[Mesh, TriangleWalk]:
    mesh = icosphere(level)
    return mesh, locator(mesh)
