"""Blocks that save memory in training by computing twice."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

__all__ = ["recompute"]


def recompute(network: nn.Module, kind: type[nn.Module]) -> None:
    """Have the blocks of a network compute their inner features again in the backward pass instead of keeping them.

    Results, gradients and names of weights stay as they are. Not for blocks with batch normalization, which would count
    each batch twice.

    Args:
        network: is changed.
        kind: class of the blocks.
    """
    for block in network.modules():
        if isinstance(block, kind):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
