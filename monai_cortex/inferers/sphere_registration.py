"""From two hemispheres as they are in their files to the moving one's place on the fixed sphere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from torch import Tensor
from torch.nn.functional import normalize

from monai_cortex.data import CorticalHemisphere, switched_on
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.geometry.sphere_registration import SphereRegistration
from monai_cortex.inferers.registration_pairs import smooth_features
from monai_cortex.inferers.rigid_sphere import align_rotation
from monai_cortex.inferers.score_guided_registration import ScoreGuidedRegistration
from monai_cortex.inferers.sphere_delivery import deliver
from monai_cortex.inferers.sphere_refinement import STAGES, are_one_persons, refine_sphere

__all__ = ["SphereRegistrar", "register_sphere"]


def register_sphere(  # noqa: PLR0913, PLR0917
    fixed: SphereMap,
    moving: SphereMap,
    network: ScoreGuidedRegistration | None = None,
    level: int = 6,
    refine: bool = True,
    draws: int = 1,
    stiffness: float = 1.0,
) -> SphereRegistration:
    """Rotation search, deformation network, instance optimization, delivery on the native mesh without new folds.

    Args:
        fixed, moving: the same C features; the network sees the first ones, as many as it was made for.
        network: gives the field that the optimization starts from; None starts from the rotation alone.
        level: of the icosphere on which the deformation is followed.
        refine: whether to optimize for this pair.
        draws: 1 or more; for two or more, the networks also register to fixed maps whose fine detail the diffusion
            draws anew, given their coarse form and the moving map: how far these registrations spread is the
            uncertainty. The result itself is that for the fixed map as it is.
        stiffness: that the network is asked for.

    Returns:
        Places of the moving vertices on the fixed sphere.

    Raises:
        ValueError: if neither a network nor the optimization is asked for, the number of draws is below 1 or above it
            without a network, the stiffness is not above 0, the features cannot be aligned, or the network needs more.
    """
    if network is None and not refine:
        raise ValueError("without a network and without refinement there is nothing but a rotation; allow one of them.")
    if draws < 1 or not stiffness > 0:
        raise ValueError(f"draws must be 1 or more and stiffness above 0, got {draws} and {stiffness}.")
    if draws > 1 and network is None:
        raise ValueError(
            f"{draws} draws need a network: without one, nothing is drawn; name weights, or set draws to 1."
        )
    start = time.perf_counter()
    rotation = align_rotation(fixed, moving)
    turned = moving.rotated(rotation)
    if network is None:
        field, drawn = refine_sphere(fixed, turned, STAGES), []
    else:
        field, *drawn = _network_fields(network, fixed, turned, draws if draws > 1 else 0, stiffness)
        field = _refined(fixed, turned, field) if refine else field
    delivery = deliver(field, rotation, moving.mesh, level)
    spread = _spread([deliver(one, rotation, moving.mesh, level).places for one in drawn]) if drawn else None
    seconds = time.perf_counter() - start
    return SphereRegistration(delivery.places, rotation, delivery.scale, delivery.folded, spread, seconds)


def _network_fields(
    network: ScoreGuidedRegistration, fixed: SphereMap, turned: SphereMap, draws: int, stiffness: float
) -> list[Tensor]:
    """Coefficients of the network's field ``(3, n)`` for the fixed map as it is, then for each drawn one."""
    count = network.score_net.in_channels
    if len(fixed.values) < count:
        raise ValueError(f"the network was made for {count} features, got {len(fixed.values)}.")
    device = network.basis.device
    maps = (smooth_features(sphere, network.level, network.degree) for sphere in (fixed, turned))
    first, second = (values[None, :count].to(device) for values in maps)
    with torch.no_grad():
        drawn = [network.eval().redraw(first, second) for _ in range(draws)]
        second = second.expand(1 + draws, -1, -1)
        found = network(torch.cat([first, *drawn]), second, torch.full((1 + draws,), stiffness, device=device))
    return list(found.steps[-1].field.cpu())


def _refined(fixed: SphereMap, turned: SphereMap, field: Tensor) -> Tensor:
    """The optimization goes on from the networks' field; one person's features know better than a start."""
    field = refine_sphere(fixed, turned, STAGES[1:], field)
    return refine_sphere(fixed, turned, STAGES) if are_one_persons(fixed, turned, field) else field


def _spread(places: Sequence[Tensor]) -> Tensor:
    """Root mean square distance of draws ``(V, 3)`` from their mean, in degree, ``(V,)``."""
    mean = normalize(torch.stack(list(places)).mean(0), dim=1)
    squares = [arc_angle(one, mean).square() for one in places]
    return torch.rad2deg(torch.stack(squares).mean(0).sqrt())


class SphereRegistrar:
    """Registration of the hemispheres of a subject to those of a fixed one: one iteration of a MONAI evaluator.

    Args:
        targets: hemispheres of the fixed subject, by side.
        features: names of the features, in the order of the hemispheres' values.
        use_network: False leaves the engine's network alone: rotation and instance optimization.
        compare: whether to register without the network too.
        options: of :func:`register_sphere`.
    """

    def __init__(
        self,
        targets: Mapping[str, CorticalHemisphere],
        features: Sequence[str] = ("sulc",),
        use_network: bool = True,
        compare: bool = False,
        **options: Any,
    ) -> None:
        self.targets, self.features, self.options = dict(targets), tuple(features), options
        if "refine" in options:
            self.options["refine"] = switched_on(options["refine"], "refine")
        self.use_network, self.compare = use_network, switched_on(compare, "compare")

    def __call__(self, engine: Engine, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Register all subjects of a batch with the engine's network."""
        network = getattr(engine, "network", None) if self.use_network else None
        state: Any = engine.state
        results = [self.register(item["hemispheres"], network) for item in batch]
        state.output = results
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return results

    def register(
        self, hemispheres: Mapping[str, CorticalHemisphere], network: ScoreGuidedRegistration | None
    ) -> dict[str, Any]:
        """Register one subject's hemispheres.

        Args:
            hemispheres: of the moving subject, by side.
            network: see :func:`register_sphere`.

        Returns:
            ``registrations`` and ``targets`` by side, ``features`` and ``level``; ``unguided`` where both are compared.
        """
        found = {"registrations": self._register(hemispheres, network)}
        if self.compare:
            found["unguided"] = self._register(hemispheres, None, refine=True, draws=1)
        level = self.options.get("level", 6)
        return {**found, "targets": self.targets, "features": self.features, "level": level}

    def _register(
        self, hemispheres: Mapping[str, CorticalHemisphere], network: ScoreGuidedRegistration | None, **options: Any
    ) -> dict[str, SphereRegistration]:
        return {
            side: register_sphere(_map(self.targets[side]), _map(moving), network, **{**self.options, **options})
            for side, moving in hemispheres.items()
        }


def _map(hemisphere: CorticalHemisphere) -> SphereMap:
    return SphereMap(hemisphere.sphere, hemisphere.values)
