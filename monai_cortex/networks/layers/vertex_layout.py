"""Memory layout of feature maps on the sphere.

Feature maps are ``(B, C, V, I, J, K)``: C channels at V vertices of a spherical graph in each voxel. In memory the
vertices come first and the channels last, because a filter over vertices is then one matrix product from the left, and
the mixing of channels one from the right. The layers hand each other views of that memory, so nothing is copied.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["from_memory", "to_memory"]


def to_memory(x: Tensor) -> Tensor:
    """Maps ``(B, C, V, I, J, K)`` as contiguous ``(V, B, I, J, K, C)``; copies only what is not laid out so yet."""
    return x.permute(2, 0, 3, 4, 5, 1).contiguous()


def from_memory(x: Tensor) -> Tensor:
    """Memory ``(V, B, I, J, K, C)`` seen as maps ``(B, C, V, I, J, K)``."""
    return x.permute(1, 5, 0, 2, 3, 4)
