"""Draw images where MONAI's evaluator calls a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor

__all__ = ["DrawImage"]


class DrawImage(Inferer):
    """Sampling as an evaluator's inferer; with equal seeds, validations draw with equal noise.

    Args:
        sampler: with a method ``sample``, such as :class:`BridgeInferer`.
        seed: of the noise of each batch.
        options: of the sampler.
    """

    def __init__(self, sampler: Any, seed: int = 0, **options: Any) -> None:
        super().__init__()
        self.sampler, self.seed, self.options = sampler, seed, options

    def __call__(
        self,
        inputs: Tensor,  # noqa: ARG002 (the image, which the evaluator passes)
        network: Callable[..., Tensor],
        source: Tensor,
        condition: Tensor | None = None,
        **_: object,
    ) -> Tensor:
        """Images ``(B, 1, I, J, K)`` drawn for a source of that shape.

        Args:
            inputs: not looked at.
            network: takes ``x`` and ``timesteps``.
            source: where the sampler starts, or what it is conditioned on.
            condition: further channels ``(B, C, I, J, K)``.
        """
        generator = torch.Generator().manual_seed(self.seed)
        options = dict(self.options)
        drawn: Tensor = self.sampler.sample(source, network, condition, generator=generator, **options)
        return drawn
