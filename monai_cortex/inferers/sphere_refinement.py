"""Instance optimization: a deformation of the sphere found for one pair, from nothing or from a network's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, require_same_features, standardize
from monai_cortex.inferers.patch_search import match_patches
from monai_cortex.losses.sphere_registration import SphereRegistrationLoss
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

__all__ = ["STAGES", "RefinementStage", "are_one_persons", "refine_sphere"]


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
_ALIKE = 0.2  # misfit of two people's features in squared deviations: below it, a good match must not be torn
_SAME = 0.02  # below it they are one person's: two people's averages have twice as much, one person's a tenth of it
_FIRST = 0.3  # stiffness of the first stage, whose maps are smooth and match well where they should
_SOFTEST = 0.04  # least stiffness: without any, the interpolation's errors would fold triangles
_TORN = 0.3  # median to mean of squared residuals, 0.45 where they are normal: below, part matches and part does not
_MATCHED = 0.02  # misfit below which all of it matches
_RESCUE = 60  # steps after a search by patches
_COARSE = 3  # level on which they are taken


def refine_sphere(
    fixed: SphereMap,
    moving: SphereMap,
    stages: Sequence[RefinementStage] = STAGES,
    start: Tensor | None = None,
    squarings: int = 5,
    **weights: float,
) -> Tensor:
    """Optimize the harmonics of a rotation field, coarse to fine.

    Where a stage leaves less misfit than two people's features have, the next one takes shorter steps; where it leaves
    so little that they must be one person's, the next one is less stiff in proportion: what is left is then no noise,
    but a small deformation that the regularization holds back. Two people's similar features are no reason for that:
    regions then overlap less. Where the first stage matches a part of the surface much better than the rest, as noise
    between two people does not, it ended in a local minimum: patches are searched, and what they lead to is taken if it
    leaves less than half the misfit.

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
    stiffness, pace = weights.pop("stiffness", _FIRST), 1.0
    for number, stage in enumerate(stages):
        optimized = _Stage(fixed, moving, stage, squarings, weights)
        if start is not None and number == 0:
            stiffness, pace = _adapted(optimized.misfit_of(coefficients))
        optimized.run(coefficients, stiffness, pace)
        if number == 0 and optimized.torn:
            optimized = _rescue(optimized, stiffness)
        coefficients = optimized.coefficients
        stiffness, pace = _adapted(optimized.misfit)
    return coefficients


def are_one_persons(fixed: SphereMap, moving: SphereMap, coefficients: Tensor, squarings: int = 5) -> bool:
    """Whether a field ``(3, n)`` leaves so little misfit that both maps must be of one person."""
    degree = math.isqrt(coefficients.shape[1]) - 1
    stage = STAGES[-1]._replace(degree=degree)
    return _Stage(fixed, moving, stage, squarings, {}).misfit_of(coefficients) < _SAME


def _adapted(misfit: float) -> tuple[float, float]:
    """Stiffness, and factor of the learning rate, after what a stage left."""
    return min(1.0, max(_SOFTEST, misfit / _SAME)), min(1.0, math.sqrt(misfit / _ALIKE))


def _rescue(failed: _Stage, stiffness: float) -> _Stage:
    """The stage after a search by patches, or the failed one if that is not much better.

    No heat: strong deformations change what it makes of a map, and it would lead away from a good start.
    """
    fixed, moving = failed.maps
    stage = failed.stage._replace(level=min(failed.stage.level, _COARSE), steps=_RESCUE, heat=0.0)
    again = _Stage(fixed, moving, stage, failed.squarings, failed.weights)
    again.run(match_patches(fixed, moving), stiffness)
    return again if again.misfit < failed.misfit / 2 else failed


class _Stage:
    """Maps, meshes and loss of one resolution; the fixed map is kept on the next finer mesh, where it is read."""

    def __init__(
        self, fixed: SphereMap, moving: SphereMap, stage: RefinementStage, squarings: int, weights: dict[str, float]
    ) -> None:
        self.maps, self.stage, self.squarings, self.weights = (fixed, moving), stage, squarings, weights
        self.misfit, self.torn = math.inf, False
        mesh, finer = icosphere(stage.level), icosphere(stage.level + 1)
        self.mesh, self.finer = (Mesh(m.vertices.float(), m.faces) for m in (mesh, finer))
        self.prepared, self.prepared_finer = locator(mesh), locator(finer)
        self.basis = real_harmonics(mesh.vertices, stage.degree).float()
        self.coefficients = torch.zeros(3, self.basis.shape[1])
        self.loss = SphereRegistrationLoss(mesh, **weights)
        self.fixed = _Warmth(finer, fixed.at(finer.vertices).float(), stage)
        self.moving = _Warmth(mesh, moving.at(mesh.vertices).float(), stage)

    def run(self, start: Tensor, stiffness: float, pace: float = 1.0) -> None:
        """Take the steps from coefficients ``(3, n)`` on, at the stage's learning rate times the pace."""
        coefficients = self._fit(start).clone().requires_grad_()
        optimizer = torch.optim.Adam([coefficients], lr=pace * self.stage.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.stage.steps)
        for step in range(self.stage.steps):
            time = self.stage.heat * max(0.0, 1 - step / (0.75 * self.stage.steps)) ** 2
            moved, read = self._read(coefficients, time)
            terms = self.loss.terms(read, self.moving.after(time), moved, coefficients)
            optimizer.zero_grad()
            self.loss.weigh(terms, stiffness).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            self.misfit = float(terms.misfit.detach().mean())
        residual = (read.detach() - self.moving.values).square().sum(0)
        self.torn = self.misfit > _MATCHED and bool(residual.median() < _TORN * residual.mean())
        self.coefficients = coefficients.detach()

    def misfit_of(self, coefficients: Tensor) -> float:
        """Mean squared deviation of sharp maps under the field with coefficients ``(3, n)``."""
        with torch.no_grad():
            coefficients = self._fit(coefficients)
            moved, read = self._read(coefficients, 0.0)
            return float(self.loss.terms(read, self.moving.values, moved, coefficients).misfit.mean())

    def _fit(self, coefficients: Tensor) -> Tensor:
        """Coefficients ``(3, n)`` cut or filled with zeros to this stage's degree."""
        return pad(coefficients, (0, self.basis.shape[1] - coefficients.shape[1]))

    def _read(self, coefficients: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Where the moving vertices go, and the fixed features there after a time of heat flow."""
        moved = exponential(self.basis @ coefficients.T, self.mesh, self.squarings, self.prepared)
        location = locate(moved, self.finer, self.prepared_finer)
        return moved, interpolate(self.fixed.after(time), self.finer, location)


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
