"""Images from distance fields in one pass: plain regression, and the generator of Pix2Pix."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.inferers import Inferer
from torch import Tensor

from monai_cortex.inferers.cortex_batch import CortexPrepareBatch, join_channels

__all__ = ["DirectInferer", "DirectPrepareBatch"]


class DirectInferer(Inferer):
    """Give the network, which is that of the bridge, the distance fields alone, at timestep 0."""

    def __call__(
        self,
        inputs: Tensor,  # noqa: ARG002 (the image, which the trainer passes)
        network: Callable[..., Tensor],
        source: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Image predicted by the network.

        Args:
            inputs: not looked at.
            network: takes ``x (B, C, I, J, K)`` and ``timesteps (B,)``.
            source: ``(B, 1, I, J, K)``.
            condition: further channels ``(B, C', I, J, K)``.

        Returns:
            Images of the source's shape.
        """
        at = torch.zeros(len(source), dtype=torch.long, device=source.device)
        return network(join_channels(source, condition), timesteps=at)

    @torch.no_grad()
    def sample(
        self,
        source: Tensor,
        diffusion_model: Callable[..., Tensor],
        condition: Tensor | None = None,
        **_: object,
    ) -> Tensor:
        """The one image that there is, clamped to [-1, 1]; options of samplers that draw are not looked at."""
        return self(source, diffusion_model, source, condition).clamp(-1, 1)


class DirectPrepareBatch(CortexPrepareBatch):
    """Batches for a trainer of :class:`DirectInferer`, the image as the label."""

    def draw(self, images: Tensor, source: Tensor) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Images ``(B, 1, I, J, K)``, and nothing else; the source is not looked at."""
        return images, {}
