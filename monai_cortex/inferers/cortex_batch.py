"""Batches of images with the fields of their cortex, for MONAI's trainers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from monai_cortex.data import own_rows

__all__ = ["CortexPrepareBatch", "join_channels", "noise_and_timesteps"]


class CortexPrepareBatch(PrepareBatch, ABC):
    """Split a batch into images, label and fields; subclasses say what the label is, and what is drawn for it."""

    def __call__(
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Any]]:
        """Return images, label, and what the inferer takes beside the images: fields, and what was drawn.

        Args:
            batchdata: with ``image`` and ``source`` ``(B, 1, I, J, K)``, and perhaps ``condition``
                ``(B, C', I, J, K)``, which is None where it is not there.
            device: where to put them.
            non_blocking: copy asynchronously from pinned memory.
            kwargs: of ``Tensor.to``.
        """

        def moved(name: str) -> Tensor:
            # Plain, since MONAI's tensors carry their affines through every operation.
            return torch.as_tensor(batchdata[name]).to(device, non_blocking=non_blocking, **kwargs).as_subclass(Tensor)

        images, source = moved("image"), moved("source")
        condition = moved("condition") if "condition" in batchdata else None
        label, drawn = self.draw(images, source)
        return images, label, (), {**drawn, "source": source, "condition": condition}

    @abstractmethod
    def draw(self, images: Tensor, source: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Label for images and source ``(B, 1, I, J, K)``, of their shape, and what was drawn for it, by name."""


def noise_and_timesteps(images: Tensor, number: int) -> dict[str, Tensor]:
    """Unit normal ``noise`` of the images' shape ``(B, ...)`` and ``timesteps`` in [0, number - 1], ``(B,)``."""
    count, device = len(images), images.device
    noise = own_rows(lambda rows: torch.randn(rows, *images.shape[1:], dtype=images.dtype, device=device), count)
    return {"noise": noise, "timesteps": own_rows(lambda rows: torch.randint(number, (rows,), device=device), count)}


def join_channels(*parts: Tensor | None) -> Tensor:
    """Concatenate channels ``(B, C, I, J, K)`` of those that are there."""
    return torch.cat([part for part in parts if part is not None], dim=1)
