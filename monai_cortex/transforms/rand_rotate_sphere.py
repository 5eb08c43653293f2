"""Turn maps on a sphere at random: networks must not learn where on the sphere things lie."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import RandomizableTransform
from torch import Tensor

from monai_cortex.geometry.icosphere import icosphere, icosphere_level
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.transforms.shared_draw import SharedDraw

__all__ = ["RandRotateSphere", "RandRotateSphereD", "RandRotateSphereDict", "RandRotateSphered"]

_HALF_TURN = 180


class RandRotateSphere(RandomizableTransform):
    r"""Turn a map on an icosphere by a random rotation R: :math:`(R f)(x) = f(R^{-1} x)`, read linearly.

    Integers are labels: they are taken from the nearest vertex, and none is invented.

    Args:
        prob: probability of a rotation.
        max_angle_degree: largest angle, in degrees. Rotations by at most so much are drawn uniformly; 180 is all.

    Raises:
        ValueError: the angle is not above 0 and at most 180.
    """

    def __init__(self, prob: float = 1.0, max_angle_degree: float = 180.0) -> None:
        super().__init__(prob)
        if not 0 < max_angle_degree <= _HALF_TURN:
            raise ValueError(f"max_angle_degree is above 0 and at most 180 degrees, got {max_angle_degree}.")
        self.max_angle = math.radians(max_angle_degree)
        self.rotation = torch.eye(3, dtype=torch.float64)

    def randomize(self, data: Any = None) -> None:
        """Draw whether to rotate and by which ``rotation``, a matrix ``(3, 3)``."""
        super().randomize(data)
        if self._do_transform:
            generator = torch.Generator().manual_seed(int(self.R.randint(2**31 - 1)))
            self.rotation = random_rotation(generator, self.max_angle)

    def __call__(self, values: Tensor, randomize: bool = True) -> Tensor:
        """Return the map turned, ``(C, V)``, in its dtype.

        Args:
            values: at the vertices of an icosphere, ``(C, V)``.
            randomize: False repeats the last rotation.

        Raises:
            ValueError: the number of vertices is that of no icosphere.
        """
        mesh = _mesh(icosphere_level(values.shape[-1]))
        if randomize:
            self.randomize()
        if not self._do_transform:
            return values
        turned = SphereMap(mesh, values).rotated(self.rotation)
        return (turned.at if values.is_floating_point() else turned.nearest)(mesh.vertices)


class RandRotateSphered(SharedDraw):
    """Dictionary version of :class:`RandRotateSphere`: one rotation for all keys, also of different levels.

    Args:
        keys: of the maps.
        prob: probability of a rotation.
        max_angle_degree: largest angle, in degrees.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 1.0,
        max_angle_degree: float = 180.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(RandRotateSphere(prob, max_angle_degree), keys, allow_missing_keys)


RandRotateSphereD = RandRotateSphereDict = RandRotateSphered


@lru_cache(maxsize=4)
def _mesh(level: int) -> Mesh:
    return icosphere(level)
