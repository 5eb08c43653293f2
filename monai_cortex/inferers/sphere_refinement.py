"""Instance optimization: a deformation of the sphere found for one pair, from nothing or from a network's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, require_same_features, standardize
from monai_cortex.losses.sphere_registration import SphereRegistrationLoss
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

__all__ = ["STAGES", "RefinementStage", "refine_sphere"]


class RefinementStage(NamedTuple):
    """One resolution of the optimization.

    Attributes:
        level: of the icosphere.
        degree: of the rotation field.
        steps: of Adam.
        learning_rate: at the first step in radian; it falls to 0 like a cosine.
        heat: time of the heat flow that smooths both maps at the first step; it falls to 0 at three quarters.
        features: degree of the maps that are smoothed.
    """

    level: int
    degree: int
    steps: int
    learning_rate: float
    heat: float = 0.0
    features: int = 20


STAGES = (
    RefinementStage(4, 6, 240, 1e-2, 0.1),
    RefinementStage(4, 10, 80, 1e-2),
    RefinementStage(5, 16, 60, 5e-3),
)
_SAME = 0.2  # misfit of two people's features in squared deviations: below it, they look like one person's
_FIRST = 0.3  # stiffness of the first stage, whose maps are smooth and match well where they should
_SOFTEST = 0.04  # least stiffness: without any, the interpolation's errors would fold triangles


def refine_sphere(
    fixed: SphereMap,
    moving: SphereMap,
    stages: Sequence[RefinementStage] = STAGES,
    start: Tensor | None = None,
    squarings: int = 5,
    **weights: float,
) -> Tensor:
    """Optimize the harmonics of a rotation field, coarse to fine.

    Where a stage leaves less misfit than two people's features have, the next one is less stiff in proportion: what is
    left is then no noise, but a deformation that the regularization holds back.

    Args:
        fixed, moving: the same C features, aligned by a rotation.
        stages: resolutions.
        start: coefficients of a field ``(3, n)``; None is the identity.
        squarings: of the exponential.
        weights: of :class:`SphereRegistrationLoss`.

    Returns:
        Coefficients of the field whose flow takes the moving vertices to the fixed sphere, in radian,
        ``(3, (L + 1)^2)``, L the last stage's degree; float32.

    Raises:
        ValueError: if the numbers of features differ, or one is constant or not finite.
    """
    require_same_features(fixed, moving)
    coefficients = torch.zeros(3, 0) if start is None else start.float()
    stiffness = weights.pop("stiffness", _FIRST)
    for stage in stages:
        optimized = _Stage(fixed, moving, stage, squarings, {**weights, "stiffness": stiffness})
        coefficients = optimized.run(coefficients)
        stiffness = min(1.0, max(_SOFTEST, optimized.misfit / _SAME))
    return coefficients


class _Stage:
    """Maps, meshes and loss of one resolution; the fixed map is kept on the next finer mesh, where it is read."""

    def __init__(
        self, fixed: SphereMap, moving: SphereMap, stage: RefinementStage, squarings: int, weights: dict[str, float]
    ) -> None:
        self.stage, self.squarings, self.misfit = stage, squarings, math.inf
        mesh, finer = icosphere(stage.level), icosphere(stage.level + 1)
        self.mesh, self.finer = (Mesh(m.vertices.float(), m.faces) for m in (mesh, finer))
        self.prepared, self.prepared_finer = locator(mesh), locator(finer)
        self.basis = real_harmonics(mesh.vertices, stage.degree).float()
        self.loss = SphereRegistrationLoss(mesh, **weights)
        self.fixed = _Warmth(finer, fixed.at(finer.vertices).float(), stage)
        self.moving = _Warmth(mesh, moving.at(mesh.vertices).float(), stage)

    def run(self, start: Tensor) -> Tensor:
        """Coefficients ``(3, n)`` that the steps lead to."""
        count = min(start.shape[1], self.basis.shape[1])
        coefficients = torch.zeros(3, self.basis.shape[1])
        coefficients[:, :count] = start[:, :count]
        coefficients.requires_grad_()
        optimizer = torch.optim.Adam([coefficients], lr=self.stage.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.stage.steps)
        for step in range(self.stage.steps):
            time = self.stage.heat * max(0.0, 1 - step / (0.75 * self.stage.steps)) ** 2
            moved = exponential(self.basis @ coefficients.T, self.mesh, self.squarings, self.prepared)
            location = locate(moved, self.finer, self.prepared_finer)
            read = interpolate(self.fixed.after(time), self.finer, location)
            terms = self.loss.terms(read, self.moving.after(time), moved, coefficients)
            optimizer.zero_grad()
            self.loss.weigh(terms).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            self.misfit = float(terms.misfit.detach().mean())
        return coefficients.detach()


class _Warmth:
    """A map, standardized, and what a heat flow makes of it."""

    def __init__(self, mesh: Mesh, values: Tensor, stage: RefinementStage) -> None:
        self.areas = vertex_areas(mesh).float()
        self.values = standardize(values, self.areas)
        if stage.heat:
            self.transform = SphericalHarmonicTransform(mesh, stage.features)
            degrees = harmonic_degrees(stage.features).float()
            self.decay = degrees * (degrees + 1)
            self.coefficients = self.transform(self.values[None])

    def after(self, time: float) -> Tensor:
        """Values ``(C, V)`` after a time of heat flow."""
        if not time:
            return self.values
        warm: Tensor = self.transform.inverse(self.coefficients * torch.exp(-self.decay * time))[0]
        return standardize(warm, self.areas)
