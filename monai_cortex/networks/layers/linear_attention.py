"""Attention whose cost grows with the number of voxels, not with its square."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["LinearSelfAttention", "linear_attention"]

_GROUPS = 4


def linear_attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    r"""Read a summary of all voxels at each of them: :math:`(\mathrm{softmax}(k)\,v^T)^T q`, head by head.

    The softmax of the keys runs over the voxels; the queries are not normalized (Qin and Li, MICCAI 2023, Eq. 3, as
    their network computes it). Reordering the voxels of keys and values together changes nothing.

    Args:
        query, key, value: ``(B, C, ...)``, the axes after C being voxels.
        heads: number of heads, a divisor of C.

    Returns:
        ``(B, C, ...)``.

    Raises:
        ValueError: the heads do not divide the channels.
    """
    if query.shape[1] % heads:
        raise ValueError(f"heads must divide the {query.shape[1]} channels, got {heads}.")
    parts = [tensor.flatten(2).unflatten(1, (heads, -1)) for tensor in (query, key, value)]
    context = parts[1].softmax(-1) @ parts[2].transpose(-1, -2)
    return (context.transpose(-1, -2) @ parts[0]).view(query.shape)


class LinearSelfAttention(nn.Module):
    """Normalize, attend, project, add.

    Args:
        channels: C, a multiple of 4.
        heads: number of heads, a divisor of C.

    Shape:
        ``(B, C, I, J, K)`` to the same.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.qkv = nn.Conv3d(channels, 3 * channels, 1, bias=False)
        self.project = nn.Conv3d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features and what they attend to."""
        query, key, value = self.qkv(self.norm(features)).chunk(3, 1)
        result: Tensor = features + self.project(linear_attention(query, key, value, self.heads))
        return result
