"""From a diffused map on the sphere back to the map, by a score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from monai_cortex.networks.nets.spectral_score_net import Score
from monai_cortex.networks.schedulers.spherical_heat import SphericalHeatScheduler

__all__ = ["reverse_heat"]


def reverse_heat(  # noqa: PLR0913, PLR0917
    network: Callable[[Tensor, Tensor, Tensor], Score],
    scheduler: SphericalHeatScheduler,
    sample: Tensor,
    condition: Tensor,
    times: Tensor,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Score]:
    """Integrate the reverse process with the exponential steps of the scheduler.

    Args:
        network: gives the score at a sample, times and the condition, all but the times whitened.
        scheduler: of whitened coefficients.
        sample: coefficients at the first of the times, ``(B, C, (L + 1)^2)``.
        condition: coefficients that the network sees unchanged, ``(B, C', (L + 1)^2)``.
        times: from the latest to the earliest, ``(T,)``.
        eta: 0 follows the probability flow, 1 the reverse process.
        generator: of the noise, where eta is not 0.

    Returns:
        Coefficients at the last time, and the score there.
    """
    times = times.to(sample.device)
    for now, after in zip(times[:-1], times[1:], strict=True):
        t, previous = now.expand(len(sample)), after.expand(len(sample))
        with torch.no_grad():
            prediction = network(sample, t, condition).prediction
        noise = torch.randn(sample.shape, generator=generator).to(sample) if eta else None
        sample, _ = scheduler.step(prediction, t, previous, sample, eta, noise)
    return sample, network(sample, times[-1].expand(len(sample)), condition)
