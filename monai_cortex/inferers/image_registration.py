"""Registration of pairs of images by a network, by optimization, or by both."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from monai.engines.utils import IterationEvents
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from monai_cortex.data import switched_on
from monai_cortex.errors import ConfigError
from monai_cortex.geometry.displacement import invert
from monai_cortex.inferers.displacement_refinement import RefinementLevel, RefinementOptions, refine

__all__ = ["ImageRegistrar", "ImageRegistration"]

_TIMES = 2000


class ImageRegistration(NamedTuple):
    """What was found for one pair, on the registration grid.

    Attributes:
        ddf: voxels, pull-back, ``(3, I, J, K)``.
        inverse: of the inverse map, voxels, ``(3, I, J, K)``.
        network_ddf: before the refinement, voxels, ``(3, I, J, K)``; None without a network or without a refinement.
        score: predicted noise of the fixed image, at a later time the mean of its absolute value over the draws,
            ``(1, I, J, K)``; None without a network.
        network_s: seconds that the network took, 0 without one.
        refine_s: seconds that the refinement took, 0 without one.
    """

    ddf: Tensor
    inverse: Tensor
    network_ddf: Tensor | None
    score: Tensor | None
    network_s: float
    refine_s: float


class ImageRegistrar:
    """One iteration of a MONAI evaluator: the network's single pass, then instance optimization.

    Args:
        use_network: False leaves the engine's network alone; the optimization then starts from zero.
        refine: optimize from the network's field on.
        score_time: diffusion time at which the score is asked for. At 0, as published, the ideal score is nearly 0, and
            what is seen is what the network failed to learn.
        score_draws: noise drawn at a later time; the score is the mean of its absolute value.
        seed: of that noise.
        options: of the refinement: ``mode``, and what :class:`RefinementOptions` names; a level is its pooling, window
            and iterations.

    Raises:
        ConfigError: nothing is to be done, or a time that the schedule does not have.

    Reference:
        Qin and Li, MICCAI 2023, section 2.4 (one pass with {fixed, moving, fixed}); the refinement is this project's.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        use_network: bool = True,
        refine: bool = True,
        score_time: int = 0,
        score_draws: int = 4,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.use_network, self.refine = switched_on(use_network, "use_network"), switched_on(refine, "refine")
        _require_one(self.use_network, self.refine)
        self.scheduler = DDPMScheduler(_TIMES, "linear_beta", beta_start=1e-6, beta_end=1e-2)
        if not 0 <= score_time < _TIMES:
            raise ConfigError(
                "a time that the noise schedule does not have",
                found=f"score_time {score_time}",
                expected=f"0 to {_TIMES - 1}",
                remedy="choose a time in that range",
            )
        self.score_time, self.score_draws, self.seed = score_time, score_draws, seed
        self.mode, self.options = _refinement(dict(options or {}))

    def __call__(self, engine: Any, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Register all pairs of a batch with the engine's network."""
        network = engine.network.eval() if self.use_network else None
        results = [{"registration": self.register(item, network)} for item in batch]
        engine.state.output = results
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return results

    def register(self, item: Mapping[str, Any], network: nn.Module | None) -> ImageRegistration:
        """Register one pair.

        Args:
            item: of :func:`monai_cortex.transforms.cardiac_preprocessing`.
            network: :class:`~monai_cortex.networks.nets.FSDiffRegNet`, or None.

        Raises:
            ConfigError: without a network where nothing is optimized.
        """
        _require_one(network is not None, self.refine)
        device = torch.device("cpu") if network is None else next(network.parameters()).device
        fixed, moving, valid = (
            torch.as_tensor(item[key]).as_subclass(Tensor)[None].to(device)
            for key in ("fixed_image", "moving_image", "valid")
        )
        start, ddf, score = time.perf_counter(), None, None
        if network is not None:
            with torch.no_grad():
                output = network(moving, fixed, fixed, torch.zeros(1, dtype=torch.long, device=device))
                ddf, score = output["ddf"], self._score(network, moving, fixed, output)
        middle = time.perf_counter()
        first = ddf
        if self.refine:
            spacing = torch.as_tensor(item["fixed_image"].affine)[:3, :3].norm(dim=0).tolist()
            ddf = refine(ddf, fixed, moving, self.mode, self.options, valid, spacing)
        end = time.perf_counter()
        found = torch.as_tensor(ddf)
        return ImageRegistration(
            found[0].cpu(),
            invert(found)[0].cpu(),
            None if first is None or not self.refine else first[0].cpu(),
            None if score is None else score[0].cpu(),
            middle - start if network is not None else 0.0,
            end - middle if self.refine else 0.0,
        )

    def _score(self, network: nn.Module, moving: Tensor, fixed: Tensor, found: Mapping[str, Tensor]) -> Tensor:
        if not self.score_time:
            return found["score"]
        generator = torch.Generator().manual_seed(self.seed)
        times = torch.full((1,), self.score_time, dtype=torch.long, device=fixed.device)
        total = torch.zeros_like(fixed)
        for _ in range(self.score_draws):
            noise = torch.randn(fixed.shape, generator=generator).to(fixed)
            noisy = self.scheduler.add_noise(original_samples=fixed, noise=noise, timesteps=times)
            total += network(moving, fixed, noisy, times)["score"].abs()
        return total / self.score_draws


def _require_one(network: bool, refine: bool) -> None:
    if not (network or refine):
        raise ConfigError(
            "nothing moves the image",
            found="neither weights nor refine",
            expected="one of the two, or both",
            remedy="name weights, or set refine to true",
        )


def _refinement(options: dict[str, Any]) -> tuple[str, RefinementOptions]:
    """Mode and options from plain values, such as a configuration has."""
    levels = options.pop("levels", None)
    mode = str(options.pop("mode", "svf"))
    plan = None if levels is None else tuple(RefinementLevel(tuple(p), w, n) for p, w, n in levels)
    unknown = sorted(options.keys() - set(RefinementOptions._fields))
    if unknown:
        raise ConfigError(
            "the refinement has no such option",
            found=", ".join(unknown),
            expected=", ".join(("mode", *RefinementOptions._fields)),
            remedy="correct the name in refine_options",
        )
    return mode, RefinementOptions(levels=plan, **options)
