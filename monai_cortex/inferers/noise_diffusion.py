"""Conditional diffusion from noise, the peer that the bridge is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import DiffusionInferer
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor
from tqdm import tqdm

from monai_cortex.inferers.cortex_batch import CortexPrepareBatch, join_channels, noise_and_timesteps
from monai_cortex.networks.schedulers import ListedDDIMScheduler
from monai_cortex.networks.schedulers.brownian_bridge import draw_noise

__all__ = ["NoiseDiffusionInferer", "NoiseDiffusionPrepareBatch"]


class NoiseDiffusionInferer(DiffusionInferer):
    """Denoising diffusion with the distance fields as concatenated channels, in the manner of Med-DDPM.

    Trained as DDPM, with the noise as target; sampled by DDIM, whose steps end where the next one begins.

    Args:
        num_train_timesteps: T; Med-DDPM has 250.
        schedule: of MONAI's schedulers; Med-DDPM has a cosine.

    Reference:
        Dorjsembe et al., IEEE JBHI 2024, arXiv:2305.18453 (network, schedule); Song, Meng, Ermon, arXiv:2010.02502.
    """

    def __init__(self, num_train_timesteps: int = 250, schedule: str = "cosine") -> None:
        super().__init__(DDPMScheduler(num_train_timesteps, schedule=schedule))
        self.sampler = ListedDDIMScheduler(num_train_timesteps, schedule=schedule)

    def __call__(  # type: ignore[override]  # noqa: PLR0913, PLR0917
        self,
        inputs: Tensor,
        diffusion_model: Callable[..., Tensor],
        noise: Tensor,
        timesteps: Tensor,
        source: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Noise predicted in noisy images, parameters as of :class:`monai_cortex.inferers.BridgeInferer`."""
        network: Any = diffusion_model
        joined = join_channels(source, condition)
        return super().__call__(inputs, network, noise, timesteps, condition=joined, mode="concat")

    @torch.no_grad()
    def sample(  # type: ignore[override]  # noqa: PLR0913, PLR0917
        self,
        source: Tensor,
        diffusion_model: Callable[..., Tensor],
        condition: Tensor | None = None,
        num_inference_steps: int = 10,
        eta: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw images from noise, parameters as of :meth:`monai_cortex.inferers.BridgeInferer.sample`."""
        self.sampler.set_timesteps(num_inference_steps)
        image = draw_noise(source, generator)
        for step in tqdm(self.sampler.timesteps.tolist(), desc="diffusion", disable=None, leave=False):
            at = torch.full((len(source),), step, device=source.device)
            output = diffusion_model(join_channels(image, source, condition), timesteps=at)
            image, _ = self.sampler.step(output, step, image, eta, generator)
        return image


class NoiseDiffusionPrepareBatch(CortexPrepareBatch):
    """Batches for a trainer of :class:`NoiseDiffusionInferer`: noise and timesteps drawn, the noise as the label.

    Args:
        num_train_timesteps: T.
    """

    def __init__(self, num_train_timesteps: int = 250) -> None:
        self.num_train_timesteps = num_train_timesteps

    def draw(self, images: Tensor, source: Tensor) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Noise, and it again with timesteps, for images ``(B, 1, I, J, K)``; the source is not looked at."""
        drawn = noise_and_timesteps(images, self.num_train_timesteps)
        return drawn["noise"], drawn
