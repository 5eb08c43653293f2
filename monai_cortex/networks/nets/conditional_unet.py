"""The U-Net that draws images from distance fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets import DiffusionModelUNet
from monai.networks.nets.diffusion_model_unet import DiffusionUNetResnetBlock
from torch import Tensor, nn

from monai_cortex.networks.blocks.recomputed import recompute

__all__ = ["ConditionalUNet"]

_SWITCHES = ("half_precision", "channels_last", "checkpointing")


class ConditionalUNet(nn.Module):
    """MONAI's :class:`DiffusionModelUNet` with as many inputs as there are channels, and a short way past it.

    The published network is ``channels=(64, 128, 192, 256), attention_levels=(False, False, False, True),
    local_channels=0, unet_options={"num_res_blocks": 2, "norm_num_groups": 32, "num_head_channels": 64,
    "resblock_updown": True}``: 62.1 million parameters, with time added to features where the reference scales and
    shifts them.

    Args:
        aux: channels of the condition, of which only the number matters here.
        sample: whether the network sees a noisy sample, as all but direct regression do.
        source: whether it sees the source.
        channels: of each level; each must be divisible by ``norm_num_groups`` of the options.
        attention_levels: whether there is attention, by level; none by default.
        local_channels: of a path beside the U-Net that sees 3 x 3 x 3 voxels and gives 0 at first; 0 is none. What a
            voxel holds depends on the surfaces through it alone. The U-Net, small enough for a CPU, normalizes by all
            that is in a window, and takes far more steps to find that.
        unet_options: further options of :class:`DiffusionModelUNet`; by default 1 ``num_res_blocks`` a level and 2
            ``norm_num_groups``. Besides, false by default: ``half_precision`` computes in bfloat16 where the processor
            does so faster; ``channels_last`` keeps the channels of a voxel side by side in memory; ``checkpointing``
            keeps less in training and computes it again.

    Shape:
        ``(B, C, I, J, K)`` with edges divisible by 2 to the number of levels less one, and timesteps ``(B,)``, to
        ``(B, 1, I, J, K)``.

    Reference:
        Bongratz et al., arXiv:2502.12742; Dhariwal and Nichol, NeurIPS 2021, arXiv:2105.05233 (network).
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        aux: Sequence[str] = ("pial", "white", "edges", "ribbon"),
        sample: bool = True,
        source: bool = True,
        channels: Sequence[int] = (8, 16, 32),
        attention_levels: Sequence[bool] | None = None,
        local_channels: int = 32,
        unet_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = {"num_res_blocks": 1, "norm_num_groups": 2, "num_head_channels": channels[-1], **(unet_options or {})}
        self.half_precision, channels_last, checkpointing = (options.pop(name, False) for name in _SWITCHES)
        self.layout = torch.channels_last_3d if channels_last else torch.contiguous_format
        self.in_channels = int(sample) + int(source) + len(aux)
        self.unet = DiffusionModelUNet(
            spatial_dims=3,
            in_channels=self.in_channels,
            out_channels=1,
            channels=tuple(channels),
            attention_levels=attention_levels or (False,) * len(channels),
            **options,
        )
        self.local = _local_path(self.in_channels, local_channels) if local_channels else None
        self.to(memory_format=self.layout)  # type: ignore[call-overload]
        if checkpointing:
            recompute(self, DiffusionUNetResnetBlock)

    def forward(self, x: Tensor, timesteps: Tensor | None = None, context: None = None) -> Tensor:  # noqa: ARG002
        """Prediction for joined channels ``(B, C, I, J, K)`` at timesteps ``(B,)``, 0 where there are none.

        MONAI's inferers also name a context, which is None where conditions are concatenated.
        """
        if timesteps is None:
            timesteps = torch.zeros(len(x), dtype=torch.long, device=x.device)
        laid = x.contiguous(memory_format=self.layout)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half_precision):
            result: Tensor = self.unet(laid, timesteps=timesteps)
            return (result if self.local is None else result + self.local(laid)).to(x)


def _local_path(in_channels: int, channels: int) -> nn.Sequential:
    last = nn.Conv3d(channels, 1, 1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    first = nn.Conv3d(in_channels, channels, 3, padding=1)
    return nn.Sequential(first, nn.SiLU(), nn.Conv3d(channels, channels, 1), nn.SiLU(), last)
