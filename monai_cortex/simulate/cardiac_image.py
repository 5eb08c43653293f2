"""Short-axis cine images of a simulated heart: partial volume of thick slices, shading, point spread and noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.simulate.cardiac_look import CardiacLook
from monai_cortex.simulate.cardiac_stack import SliceStack
from monai_cortex.simulate.cardiac_tissue import CardiacScene, TissueView
from monai_cortex.simulate.diffusion import rician_noise
from monai_cortex.simulate.smooth_noise import SmoothNoise

__all__ = ["RenderedPhase", "render_phase"]

_SOFT = 0.3  # mm over which tissues meet
_CALM = 0.6  # of the texture that blood lacks
_READER = 0.5  # mm, deviation of contours
_BASAL = 25.0  # mm below the base over which flow is faster
_LABELS = 4


class RenderedPhase(NamedTuple):
    """An image and its labels.

    Attributes:
        image: gray values ``(I, J, K)``, float32.
        labels: ``(I, J, K)``, uint8: 1 right cavity, 2 wall, 3 left cavity.
    """

    image: Tensor
    labels: Tensor


def render_phase(
    scene: CardiacScene,
    stack: SliceStack,
    look: CardiacLook,
    systole: bool,
    generator: torch.Generator,
    samples: int = 5,
) -> RenderedPhase:
    """Image a phase of a heart.

    Args:
        scene: what is where.
        stack: the slices.
        look: how it looks.
        systole: which phase.
        generator: of what differs between the phases: the reader's error, flow, shading and noise.
        samples: through the thickness of a slice.
    """
    points = stack.points().reshape(-1, 3)
    error = _READER * SmoothNoise(1, 9.0, generator, nodes=32).at(points)[0]
    flow = SmoothNoise(1, 6.0, generator, nodes=40)
    still = stack.held(points, systole)
    signal = torch.zeros(len(points))
    votes = torch.zeros(_LABELS, len(points), dtype=torch.uint8)
    for offset in ((torch.arange(samples) + 0.5) / samples - 0.5).tolist():
        place = still + still.new_tensor([0, 0, offset * stack.thickness])
        tissue = stack.into_heart(place).float()
        fast = 1 + torch.exp((tissue[:, 2] / _BASAL).clamp(max=0)) * systole
        view = scene.at(scene.heart.to_diastole(tissue) if systole else tissue, systole)
        signal += _signal(view, look, fast * flow.at(place)[0]) / samples
        votes.scatter_add_(0, view.labels(error).long()[None], torch.ones_like(votes[:1]))
    labels = _LABELS - 1 - votes.flip(0).argmax(0)  # the inner one of two with equally many votes
    image = _scanned(signal.reshape(stack.shape), points, look, systole, generator)
    return RenderedPhase(image, labels.reshape(stack.shape).byte())


def _signal(view: TissueView, look: CardiacLook, flow: Tensor) -> Tensor:
    signal, blood = torch.zeros_like(flow), torch.zeros_like(flow)
    for layer in view.layers():
        cover = layer.amount * torch.sigmoid(-layer.distance / _SOFT)
        signal += (look.means[layer.tissue] - signal) * cover
        blood += (float("blood" in layer.tissue) - blood) * cover
    varied = 1 + look.texture * view.texture * (1 - _CALM * blood) + look.flow * flow * blood
    return signal * varied.clamp(min=0)


def _scanned(image: Tensor, points: Tensor, look: CardiacLook, systole: bool, generator: torch.Generator) -> Tensor:
    shade = look.bias * SmoothNoise(1, 45.0, generator, nodes=16).at(points)[0]
    shade -= look.coil * points[:, 0].float() / 100
    gain = (1 + look.slices * torch.randn(image.shape[2], generator=generator)) * (look.gain if systole else 1.0)
    seen = _spread(image * torch.exp(shade).reshape(image.shape) * gain, look)
    return look.scale * (rician_noise(seen, look.noise, generator) if look.noise else seen.abs())


def _spread(image: Tensor, look: CardiacLook) -> Tensor:
    """The point spread in the plane: a Gaussian, and the cut of high frequencies along the rows' direction."""
    rows, columns = (torch.fft.fftfreq(size).abs() for size in image.shape[:2])
    damping = torch.exp(-2 * (torch.pi * look.blur) ** 2 * (rows[:, None] ** 2 + columns**2))
    damping = damping * (columns <= look.band / 2)
    return torch.fft.ifft2(torch.fft.fft2(image, dim=(0, 1)) * damping[..., None], dim=(0, 1)).real
