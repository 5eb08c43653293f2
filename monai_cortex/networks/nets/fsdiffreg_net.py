"""Displacement between two images, from features and score of a diffusion network that shares the encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d, interpolate

from monai_cortex.geometry.demons_force import demons_forces
from monai_cortex.geometry.displacement import exponential
from monai_cortex.networks.blocks.guided_field_head import GuidedFieldHead, enlarge, zero_
from monai_cortex.networks.blocks.recomputed import recompute
from monai_cortex.networks.blocks.timed_block import TimedBlock
from monai_cortex.networks.layers.linear_attention import LinearSelfAttention

__all__ = ["PRESETS", "FSDiffRegNet", "fsdiffreg_net"]

_AXES = 3
_EXPAND = 4  # hidden width of the time's embedding
_PERIOD = 10000.0
_GROUPS = 4
_SCALES = (0.5, 1.5, 3.0)  # cells by which images are smoothed for the forces
_GAIN = 4.0  # of the forces, at most half a cell: makes them and their field of order 1 for the layers' usual weights
UPSAMPLINGS = ("nearest", "trilinear_scaled")

PRESETS: dict[str, dict[str, Any]] = {
    "reference": {},
    "recommended": {
        "width": 16,
        "multipliers": (1, 2, 2, 2),
        "upsampling": "trilinear_scaled",
        "stem_pooling": (2, 2, 1),
        "diffeomorphic_steps": 7,
        "forces": True,
    },
}


class _TimeEmbedding(nn.Module):
    """Sines and cosines of the time, then two linear layers: ``(B,)`` to ``(B, width)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, _EXPAND * width), nn.SiLU(), nn.Linear(_EXPAND * width, width))

    def forward(self, timesteps: Tensor) -> Tensor:
        half = self.width // 2
        rates = torch.exp(torch.arange(half, device=timesteps.device) * (-math.log(_PERIOD) / half))
        angles = timesteps.float()[:, None] * rates
        waves = torch.cat([angles.sin(), angles.cos()], 1)
        result: Tensor = self.layers(waves.to(next(self.layers.parameters())))
        return result


class _Encoder(nn.Module):
    """Features of all levels, shallow ones first: what the decoders skip to; and the deepest."""

    def __init__(self, in_channels: int, widths: Sequence[int], res_blocks: int, time: int, heads: int) -> None:
        super().__init__()
        self.stem = nn.Conv3d(in_channels, widths[0], 3, padding=1)
        self.skips = [widths[0]]
        blocks = nn.ModuleList()
        for level, width in enumerate(widths):
            if level:
                blocks.append(nn.Conv3d(self.skips[-1], self.skips[-1], 3, stride=2, padding=1))
                self.skips.append(self.skips[-1])
            for _ in range(res_blocks):
                blocks.append(TimedBlock(self.skips[-1], width, time))
                self.skips.append(width)
        self.blocks = blocks
        deepest = widths[-1]
        self.middle = nn.ModuleList([TimedBlock(deepest, deepest, time), TimedBlock(deepest, deepest, time)])
        self.attention = LinearSelfAttention(deepest, heads)

    def forward(self, image: Tensor, time: Tensor) -> tuple[list[Tensor], Tensor]:
        skips = [self.stem(image)]
        for block in self.blocks:
            skips.append(block(skips[-1], time) if isinstance(block, TimedBlock) else block(skips[-1]))
        return skips, self.middle[1](self.attention(self.middle[0](skips[-1], time)), time)


class _Decoder(nn.Module):
    """Features of each block, deep ones first, from the deepest ones, the skips and, if guided, another's features."""

    def __init__(self, widths: Sequence[int], skips: Sequence[int], res_blocks: int, time: int, guided: bool) -> None:
        super().__init__()
        blocks, rise, left, width = nn.ModuleList(), nn.ModuleList(), list(skips), widths[-1]
        for level, out in enumerate(reversed(widths)):
            rise.append(nn.Conv3d(width, width, 3, padding=1) if level else nn.Identity())
            for _ in range(res_blocks + 1):
                blocks.append(TimedBlock(width + left.pop() + (out if guided else 0), out, time))
                width = out
        self.blocks, self.rise, self.per_level = blocks, rise, res_blocks + 1

    def forward(self, deepest: Tensor, skips: Sequence[Tensor], time: Tensor, guides: Sequence[Tensor]) -> list[Tensor]:
        features, results = deepest, []
        for number, block in enumerate(self.blocks):
            skip = skips[-1 - number]
            if number and number % self.per_level == 0:
                features = self.rise[number // self.per_level](interpolate(features, skip.shape[2:]))
            seen = [features, skip, *guides[number : number + 1]]
            features = block(torch.cat(seen, 1), time)
            results.append(features)
        return results


class FSDiffRegNet(nn.Module):
    r"""Registration and denoising by two decoders of one encoder.

    The diffusion decoder predicts the noise of a noisy fixed image, the score. The registration decoder sees its
    features at each block; a head of each block gives a field by cross attention to them, one more sees the score; the
    displacement, or the stationary velocity, is the mean of all fields. The defaults are the published network, with
    1,320,471 parameters; :func:`fsdiffreg_net` has both presets.

    Args:
        in_channels: of the moving, fixed and noisy images together.
        width: features of the shallowest level, a multiple of 4.
        multipliers: of the width, by level; each level but the first halves all three axes.
        res_blocks: of each level of the encoder; the decoders have one more.
        heads: of the attention.
        fusion: "reference" or "projected", see :class:`GuidedFieldHead`.
        upsampling: "nearest", as published, or "trilinear_scaled": fields in the voxels of their own level, enlarged
            linearly, zero before training.
        stem_pooling: voxels along each axis that the shallowest level takes together as channels; fields are made on
            that grid. In thick slices (2, 2, 1) makes the cells nearly isotropic at a quarter of the cost.
        diffeomorphic_steps: squarings that make the mean field, as a velocity, a displacement; 0 takes the field as it
            is.
        guided: feature-wise guidance; without it the field comes from the last head alone.
        forces: show the network the demons' forces between the images at three scales, on the grid of the shallowest
            level, and add a field that a convolution makes of them.
        half_precision: convolve in bfloat16 where the processor does so faster; fields are averaged and followed in
            the images' precision.

    Shape:
        images ``(B, 1, I, J, K)``, axes divisible by the strides of all levels, timesteps ``(B,)``; result: a
        dictionary of ``score`` ``(B, 1, I, J, K)``, ``ddf`` ``(B, 3, I, J, K)`` in voxels, pull-back, ``fields``, the
        list of what ``ddf`` or ``velocity`` is the mean of, ``(B, 3, ...)`` in voxels of the image on the grid of the
        shallowest level, and ``velocity``, the same, None without squarings.

    Raises:
        ValueError: for another fusion or upsampling, or axes that the strides do not divide.

    Reference:
        Qin and Li, MICCAI 2023, with the order {moving, fixed, noisy} of the published network. Pooling stem, scaled
        fields and velocities are this project's.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        in_channels: int = 3,
        width: int = 8,
        multipliers: Sequence[int] = (1, 2, 4, 4),
        res_blocks: int = 1,
        heads: int = 4,
        fusion: str = "reference",
        upsampling: str = "nearest",
        stem_pooling: Sequence[int] = (1, 1, 1),
        diffeomorphic_steps: int = 0,
        guided: bool = True,
        forces: bool = False,
        half_precision: bool = False,
    ) -> None:
        super().__init__()
        if upsampling not in UPSAMPLINGS:
            raise ValueError(f"upsampling is one of {', '.join(UPSAMPLINGS)}, got {upsampling!r}.")
        self.pooling, self.steps, self.guided = tuple(stem_pooling), diffeomorphic_steps, guided
        self.half_precision = half_precision
        seen = _AXES * len(_SCALES) if forces else 0
        self.strides = tuple(pool * 2 ** (len(multipliers) - 1) for pool in self.pooling)
        widths, cell = [width * factor for factor in multipliers], math.prod(self.pooling)
        scaled = upsampling != "nearest"
        self.time = _TimeEmbedding(width)
        self.encoder = _Encoder(in_channels * cell + seen, widths, res_blocks, width, heads)
        self.diffusion = _Decoder(widths, self.encoder.skips, res_blocks, width, guided=False)
        self.registration = _Decoder(widths, self.encoder.skips, res_blocks, width, guided=guided)
        outputs = [out for out in reversed(widths) for _ in range(res_blocks + 1)]
        self.heads = nn.ModuleList(GuidedFieldHead(out, heads, fusion, scaled) for out in outputs if guided)
        self.score_head = nn.Sequential(nn.GroupNorm(_GROUPS, width), nn.SiLU(), nn.Conv3d(width, cell, 3, padding=1))
        joined = width + cell
        groups = next(number for number in (3, 4, 2, 1) if joined % number == 0)
        last = nn.Conv3d(joined, _AXES, 3, padding=1)
        self.field_head = nn.Sequential(nn.GroupNorm(groups, joined), nn.SiLU(), last)
        self.force_head = nn.Conv3d(seen, _AXES, 3, padding=1) if forces else None
        if scaled:
            zero_(last)
        if self.force_head is not None:
            zero_(self.force_head)

    def forward(self, moving: Tensor, fixed: Tensor, noisy: Tensor, timesteps: Tensor) -> dict[str, Any]:
        """Score and displacement."""
        self._require(fixed.shape[2:])
        image = _gather(torch.cat([moving, fixed, noisy], 1), self.pooling)
        if self.force_head is not None:
            still, moved = (avg_pool3d(one, self.pooling) for one in (fixed, moving))
            forces = _GAIN * demons_forces(still, moved, _SCALES)
            image = torch.cat([image, forces], 1)
        pooling = image.new_tensor(self.pooling)[:, None, None, None]
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.half_precision):
            score, heads = self._decode(image, timesteps)
            if self.force_head is not None:
                heads.append(_GAIN * self.force_head(image[:, -len(_SCALES) * _AXES :]))
        fields = [field.to(image) * pooling for field in heads]
        mean = torch.stack(fields).mean(0)
        moved = exponential(mean / pooling, self.steps) * pooling if self.steps else mean
        return {
            "score": _scatter(score.to(image), self.pooling),
            "ddf": enlarge(moved, fixed.shape[2:]),
            "fields": fields,
            "velocity": mean if self.steps else None,
        }

    def _decode(self, image: Tensor, timesteps: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score and the fields of all heads, in cells of the shallowest level."""
        time = self.time(timesteps)
        skips, deepest = self.encoder(image, time)
        guides = self.diffusion(deepest, skips, time, [])
        score = self.score_head(guides[-1])
        features = self.registration(deepest, skips, time, guides if self.guided else [])
        fields = [
            head(feature, guide, image.shape[2:])
            for head, feature, guide in zip(self.heads, features, guides, strict=False)  # unguided: no head
        ]
        return score, [*fields, self.field_head(torch.cat([features[-1], score], 1))]

    def _require(self, shape: Sequence[int]) -> None:
        if any(size % stride for size, stride in zip(shape, self.strides, strict=True)):
            raise ValueError(f"the axes must be multiples of {self.strides}, got {tuple(shape)}; pad the images.")


def fsdiffreg_net(preset: str = "recommended", changes: Mapping[str, Any] | None = None) -> FSDiffRegNet:
    """The network by the name of a preset.

    Args:
        preset: "reference", as published, or "recommended", this project's, in about half of the time and memory.
        changes: arguments of :class:`FSDiffRegNet` that differ from the preset's; with ``checkpointing`` true, training
            keeps less and computes it again.

    Raises:
        ValueError: for another preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset is one of {', '.join(PRESETS)}, got {preset!r}.")
    options = {**PRESETS[preset], **(changes or {})}
    checkpointing = options.pop("checkpointing", False)
    network = FSDiffRegNet(**options)
    if checkpointing:
        recompute(network, TimedBlock)
    return network


def _gather(image: Tensor, pooling: Sequence[int]) -> Tensor:
    """Voxels of a cell as channels, ``(B, C, I, J, K)`` to ``(B, C p q r, I/p, J/q, K/r)``."""
    for axis, pool in enumerate(pooling, 2):
        if pool > 1:
            image = torch.cat(image.unflatten(axis, (-1, pool)).unbind(axis + 1), 1)
    return image


def _scatter(cells: Tensor, pooling: Sequence[int]) -> Tensor:
    """Inverse of :func:`_gather`."""
    for axis, pool in reversed(list(enumerate(pooling, 2))):
        if pool > 1:
            cells = torch.stack(cells.chunk(pool, 1), axis + 1).flatten(axis, axis + 1)
    return cells
