"""Training and sampling of a Brownian bridge from distance fields to images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.inferers import Inferer
from torch import Tensor
from tqdm import tqdm

from monai_cortex.inferers.cortex_batch import CortexPrepareBatch, join_channels, noise_and_timesteps
from monai_cortex.networks.schedulers import BrownianBridgeScheduler
from monai_cortex.networks.schedulers.brownian_bridge import draw_noise

__all__ = ["BridgeInferer", "BridgePrepareBatch"]

_FIRST_STEPS = ("renoise", "as_reference")


class BridgeInferer(Inferer):
    """The bridge beside MONAI's :class:`DiffusionInferer`, which knows neither a source nor a start other than noise.

    Args:
        scheduler: of the bridge.
        use_source_concat: whether the network sees the source beside the sample, as the reference does.
        first_step: "renoise" draws the sample after the first step from the bridge of the first estimate: the sample
            starts at the source without any variance, which steps with eta below 1 would never restore. "as_reference"
            takes the step as it is.

    Raises:
        ValueError: for another first step.

    Reference:
        Bongratz et al., arXiv:2502.12742.
    """

    def __init__(
        self, scheduler: BrownianBridgeScheduler, use_source_concat: bool = True, first_step: str = "renoise"
    ) -> None:
        super().__init__()
        if first_step not in _FIRST_STEPS:
            raise ValueError(f"first_step must be one of {_FIRST_STEPS}, got {first_step!r}.")
        self.scheduler, self.use_source_concat, self.first_step = scheduler, use_source_concat, first_step

    def __call__(  # noqa: PLR0913, PLR0917
        self,
        inputs: Tensor,
        diffusion_model: Callable[..., Tensor],
        noise: Tensor,
        timesteps: Tensor,
        source: Tensor,
        condition: Tensor | None = None,
        mode: str = "concat",
    ) -> Tensor:
        """Output of the network for images at timesteps of the bridge: one training step.

        Args:
            inputs: images ``(B, 1, I, J, K)``, in [-1, 1].
            diffusion_model: takes ``x (B, C, I, J, K)`` and ``timesteps (B,)``.
            noise: unit normal, of the images' shape.
            timesteps: ``(B,)`` int64.
            source: where the bridge ends, of the images' shape.
            condition: further channels ``(B, C', I, J, K)``.
            mode: "concat", the one that there is.

        Returns:
            Prediction of the images' shape, in the scheduler's terms.

        Raises:
            NotImplementedError: for another mode.
        """
        if mode != "concat":
            raise NotImplementedError(f"conditions are concatenated, mode must be 'concat', got {mode!r}.")
        sample = self.scheduler.add_noise(inputs, noise, timesteps, source)
        return diffusion_model(self._join(sample, source, condition), timesteps=timesteps)

    @torch.no_grad()
    def sample(  # noqa: PLR0913, PLR0917
        self,
        source: Tensor,
        diffusion_model: Callable[..., Tensor],
        condition: Tensor | None = None,
        num_inference_steps: int = 10,
        eta: float = 1.0,
        generator: torch.Generator | None = None,
        save_intermediates: bool = False,
        intermediate_steps: int = 1,
        verbose: bool = True,
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Draw images, from the source to timestep 0.

        Few steps draw too little: with a perfect network, ten give .41 of the variance at eta = 1 and .53 at 0.

        Args:
            source: ``(B, 1, I, J, K)``.
            diffusion_model: takes ``x`` and ``timesteps``.
            condition: further channels ``(B, C', I, J, K)``.
            num_inference_steps: of the scheduler.
            eta: see :meth:`BrownianBridgeScheduler.step`.
            generator: of all noise; equal ones draw equal images.
            save_intermediates: also return samples on the way.
            intermediate_steps: steps between these.
            verbose: show a progress bar, in terminals.

        Returns:
            Images of the source's shape; with them, if asked for, samples on the way.
        """
        self.scheduler.set_timesteps(num_inference_steps)
        steps = self.scheduler.timesteps.tolist()
        image, saved = source, []
        bar = tqdm(steps, desc="bridge", disable=None if verbose else True, leave=False)
        for number, step in enumerate(bar):
            at = torch.full((len(source),), step, device=source.device)
            output = diffusion_model(self._join(image, source, condition), timesteps=at)
            renoise = number == 0 and self.first_step == "renoise" and len(steps) > 1
            image, original = self.scheduler.step(output, step, image, source, 0.0 if renoise else eta, generator)
            if renoise:
                then = torch.full_like(at, steps[1])
                image = self.scheduler.add_noise(original, draw_noise(source, generator), then, source)
            if save_intermediates and (number + 1) % intermediate_steps == 0:
                saved.append(image)
        return (image, saved) if save_intermediates else image

    def _join(self, sample: Tensor, source: Tensor, condition: Tensor | None) -> Tensor:
        return join_channels(sample, source if self.use_source_concat else None, condition)


class BridgePrepareBatch(CortexPrepareBatch):
    """Batches for a trainer of the bridge: noise and timesteps drawn, and the scheduler's target as the label.

    Args:
        scheduler: of the bridge.
    """

    def __init__(self, scheduler: BrownianBridgeScheduler) -> None:
        self.scheduler = scheduler

    def draw(self, images: Tensor, source: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Target of the scheduler, noise and timesteps for images and source ``(B, 1, I, J, K)``."""
        drawn = noise_and_timesteps(images, self.scheduler.num_train_timesteps)
        return self.scheduler.get_target(images, drawn["noise"], drawn["timesteps"], source), drawn
