"""Residual block of 3-D convolutions that is told the diffusion time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import silu

__all__ = ["TimedBlock"]

_GROUPS = 4


class TimedBlock(nn.Module):
    """Normalize, activate, convolve; add the time; normalize, activate, convolve; add the input.

    Args:
        in_channels, out_channels: of the features, multiples of 4.
        time_channels: of the time's embedding.

    Shape:
        features ``(B, in_channels, I, J, K)`` and embedding ``(B, time_channels)`` to ``(B, out_channels, I, J, K)``.

    Reference:
        Qin and Li, MICCAI 2023, whose blocks are those of Ho et al., NeurIPS 2020, in 3-D.
    """

    def __init__(self, in_channels: int, out_channels: int, time_channels: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            nn.GroupNorm(_GROUPS, in_channels), nn.SiLU(), nn.Conv3d(in_channels, out_channels, 3, padding=1)
        )
        self.time = nn.Linear(time_channels, out_channels)
        self.leave = nn.Sequential(
            nn.GroupNorm(_GROUPS, out_channels), nn.SiLU(), nn.Conv3d(out_channels, out_channels, 3, padding=1)
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, features: Tensor, time: Tensor) -> Tensor:
        """Features of the sum."""
        hidden = self.enter(features) + self.time(silu(time))[:, :, None, None, None]
        result: Tensor = self.shortcut(features) + self.leave(hidden)
        return result
