"""DDIM whose steps end where the next one begins."""

from __future__ import annotations

import torch
from monai.networks.schedulers import DDIMScheduler
from torch import Tensor

from monai_cortex.networks.schedulers.brownian_bridge import draw_noise
from monai_cortex.networks.schedulers.inference_steps import next_step

__all__ = ["ListedDDIMScheduler"]


class ListedDDIMScheduler(DDIMScheduler):
    """MONAI's :class:`DDIMScheduler`, with the next timestep looked up in its list.

    MONAI spreads n timesteps over T - 1 to 0, but steps by T // n, so that the noise level which a step leads to is not
    the one that the network is told next: with the true noise, ten steps end .9 away from the sample; here they do not.
    Parameters are those of the base class; predictions are the noise.

    Reference:
        Song, Meng, Ermon, ICLR 2021, arXiv:2010.02502, eqs. 12 and 16.
    """

    def step(
        self,
        model_output: Tensor,
        timestep: int,
        sample: Tensor,
        eta: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Go from one timestep of the list to the one after it.

        Args:
            model_output: predicted noise ``(B, ...)``.
            timestep: one of ``timesteps``.
            sample: at that timestep, of the same shape.
            eta: 0 adds no noise, 1 as much as DDPM.
            generator: of the noise.

        Returns:
            Sample at the next timestep, and estimate of the noise-free sample.

        Raises:
            ValueError: if the timestep is not in the list.
        """
        following = next_step(self.timesteps, int(timestep))
        alpha = float(self.alphas_cumprod[int(timestep)])
        before = float(self.final_alpha_cumprod) if following is None else float(self.alphas_cumprod[following])
        original = (sample - (1 - alpha) ** 0.5 * model_output) / alpha**0.5
        if self.clip_sample:
            original = original.clamp(*self.clip_sample_values)
        # Of the clamped estimate: without a clamp it is the prediction itself.
        noise = (sample - alpha**0.5 * original) / (1 - alpha) ** 0.5
        spread = eta * ((1 - before) / (1 - alpha) * (1 - alpha / before)) ** 0.5
        previous = before**0.5 * original + max(0.0, 1 - before - spread**2) ** 0.5 * noise
        return (previous + spread * draw_noise(sample, generator) if spread else previous), original
