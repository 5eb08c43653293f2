"""Registration of maps on the sphere by a deformation network that a diffusion score guides."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_cortex.data import own_rows
from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.feature_spectrum import feature_power
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.inferers.heat_reversal import reverse_heat
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform
from monai_cortex.networks.nets.spectral_score_net import Score, SpectralScoreNet
from monai_cortex.networks.nets.spherical_warp_net import SphericalWarpNet
from monai_cortex.networks.schedulers.spherical_heat import SphericalHeatScheduler

__all__ = ["FieldOfPair", "GuidedRegistration", "GuidedStep", "ScoreGuidedRegistration"]

_GUIDANCE = ("score", "shuffled", "zero")
_START = 0.02
_DRAWN = 10  # steps of the reverse process where its result is wanted, not its embedding
_SQUARINGS = 5


class GuidedStep(NamedTuple):
    """What one pass of the deformation network led to.

    Attributes:
        field: coefficients of the rotation field in radian, ``(B, 3, (D + 1)^2)``.
        moved: where its flow takes the vertices of the moving icosphere, unit vectors ``(B, V, 3)``.
        read: features of the fixed sphere there, ``(B, C, V)``.
        moving: features of the moving sphere, ``(B, C, V)``.
    """

    field: Tensor
    moved: Tensor
    read: Tensor
    moving: Tensor


class GuidedRegistration(NamedTuple):
    """What both networks say of pairs.

    Attributes:
        steps: passes of the deformation network, the best one last.
        stiffness: that was asked for, ``(B,)``.
        prediction, target: of the score network at random times, whitened coefficients ``(B, C, (L + 1)^2)``; None
            outside of training.
    """

    steps: list[GuidedStep]
    stiffness: Tensor
    prediction: Tensor | None
    target: Tensor | None


class ScoreGuidedRegistration(nn.Module):
    """Deformation of the moving sphere, found by one network under the guidance of another.

    The fixed map, diffused by heat, is brought back by the reverse process given the moving map; the embedding of the
    last score goes to the deformation network, which sees both maps. Further passes refine the field on the maps as it
    aligns them so far, under a score of their own. Starting time, passes and steps are this project's choice.

    Args:
        score_net: of whitened coefficients up to degree L.
        warp_net: of the same degree.
        degree: L.
        level: of the icospheres on which maps are given; fields are followed one level below.
        guidance: "score", or, to measure what it is worth, "shuffled" (of another pair of the batch) or "zero".
        passes: of the deformation network.
        reverse_steps: from the starting time to the scheduler's shortest.

    Attributes:
        start: diffusion time to which the fixed map is brought; degree l keeps exp(-l(l+1) start) of itself.
        squarings: of the exponential.
        heat: time of the heat flow that smooths the maps of the misfit, not those that the networks see.

    Shape:
        fixed and moving ``(B, C, V)`` on the icosphere, standardized; stiffness ``(B,)``, 1 by default; result:
        :class:`GuidedRegistration`.

    Raises:
        ValueError: for another guidance, or shuffled guidance with a single pair.

    Reference:
        Lee, Pyatkovskiy, Yoo, Lyu, MICCAI 2025.
    """

    deviation: Tensor
    basis: Tensor
    decay: Tensor

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        score_net: SpectralScoreNet,
        warp_net: SphericalWarpNet,
        degree: int = 20,
        level: int = 4,
        guidance: str = "score",
        passes: int = 3,
        reverse_steps: int = 2,
    ) -> None:
        super().__init__()
        if guidance not in _GUIDANCE:
            raise ValueError(f"guidance is one of {', '.join(_GUIDANCE)}, got {guidance!r}.")
        self.score_net, self.warp_net, self.degree = score_net, warp_net, degree
        self.scheduler = SphericalHeatScheduler(degree)
        self.guidance, self.passes, self.reverse_steps, self.level = guidance, passes, reverse_steps, level
        self.start, self.squarings, self.heat = _START, _SQUARINGS, 0.0
        fine, mesh = icosphere(level), icosphere(level - 1)
        self.finer, self.mesh = (Mesh(m.vertices.float(), m.faces) for m in (fine, mesh))
        self.locators = locator(mesh), locator(fine)
        self.fine_transform = SphericalHarmonicTransform(fine, degree)
        self.transform = SphericalHarmonicTransform(mesh, degree)
        degrees = harmonic_degrees(degree)
        buffers = {
            "deviation": feature_power(degree).sqrt()[degrees],
            "decay": (degrees * (degrees + 1)).float(),
            "basis": real_harmonics(mesh.vertices, warp_net.field_degree),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float(), persistent=False)

    def forward(
        self, fixed: Tensor, moving: Tensor, stiffness: Tensor | None = None, generator: torch.Generator | None = None
    ) -> GuidedRegistration:
        """Fields of all passes and, in training, what the score's loss needs."""
        target, source = self.whiten(fixed), self.whiten(moving)
        stiffness = fixed.new_ones(len(fixed)) if stiffness is None else stiffness.to(fixed)
        steps, seen = self._align(target, source, stiffness.log(), generator)
        if not self.training:
            return GuidedRegistration(steps, stiffness, None, None)
        # The score is asked for maps as every pass sees them, so it learns from all of them.
        original = seen[int(torch.randint(len(seen), (), generator=generator))]
        t = own_rows(lambda rows: self.scheduler.draw_times(rows, generator), len(fixed)).to(fixed.device)
        noise = _noise(target, generator)
        prediction = self.score_net(self.scheduler.add_noise(original, noise, t), t, source).prediction
        return GuidedRegistration(steps, stiffness, prediction, self.scheduler.target(original, noise, t))

    def _align(
        self, target: Tensor, source: Tensor, number: Tensor, generator: torch.Generator | None
    ) -> tuple[list[GuidedStep], list[Tensor]]:
        """Passes, and the whitened fixed maps that they saw; the loss's maps may be smoothed by heat, those are not."""
        heat = self.heat if self.training else 0.0  # else validations at different times could not be compared
        warm = [_unit(c * self.deviation * torch.exp(-self.decay * heat)) for c in (target, source)]
        read_from, moving = self.fine_transform.inverse(warm[0]), self.transform.inverse(warm[1])
        sharp = self.fine_transform.inverse(target * self.deviation)
        field = target.new_zeros(len(target), 3, self.basis.shape[1])
        steps: list[GuidedStep] = []
        seen = [target]
        for _ in range(self.passes):
            if steps:
                aligned = self.transform(self._read(sharp, steps[-1].moved.detach())) / self.deviation
                seen.append(_without_mean(aligned))
            embedding = self.embed(seen[-1], source, generator)
            maps = seen[-1] * self.deviation, source * self.deviation
            field = self.warp_net(*maps, number, embedding, field.detach())
            moved = self.flow(field)
            steps.append(GuidedStep(field, moved, self._read(read_from, moved), moving))
        return steps, seen

    def whiten(self, values: Tensor) -> Tensor:
        """Coefficients ``(B, C, (L + 1)^2)`` of unit variance in the population, of features ``(B, C, V)``."""
        whitened: Tensor = self.fine_transform(values) / self.deviation
        return _without_mean(whitened)

    def embed(self, target: Tensor, source: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Embedding of the last score of the reverse process, ``(B, width, (L + 1)^2)``, of whitened maps."""
        if self.guidance == "zero":
            return target.new_zeros(len(target), self.score_net.width, target.shape[-1])
        if self.guidance == "shuffled" and len(target) == 1:
            raise ValueError("shuffled guidance takes another pair's; give two pairs or more.")
        _, score = self._reverse(target, source, self.reverse_steps, 0.0, generator)
        return score.embedding.roll(1, 0) if self.guidance == "shuffled" else score.embedding

    @torch.no_grad()
    def redraw(self, fixed: Tensor, moving: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw the fine detail of fixed maps anew, given their coarse form and the moving maps, all ``(B, C, V)``."""
        sample, _ = self._reverse(self.whiten(fixed), self.whiten(moving), _DRAWN, 1.0, generator)
        maps: Tensor = self.fine_transform.inverse(sample * self.deviation)
        return maps

    def _reverse(
        self, target: Tensor, source: Tensor, steps: int, eta: float, generator: torch.Generator | None
    ) -> tuple[Tensor, Score]:
        """Diffuse the target to the starting time and bring it back; eta as in :func:`reverse_heat`."""
        noise = _noise(target, generator)
        times = self.scheduler.inference_times(steps, self.start)
        sample = self.scheduler.add_noise(target, noise, times[:1].expand(len(target)).to(target.device))
        return reverse_heat(self.score_net, self.scheduler, sample, source, times, eta, generator)

    def flow(self, field: Tensor) -> Tensor:
        """Where the flow of fields ``(B, 3, (D + 1)^2)`` takes the vertices, ``(B, V, 3)``."""
        omega = torch.einsum("vn,bin->bvi", self.basis, field)
        mesh, prepared = self._mesh(self.mesh, field), self.locators[0]
        return torch.stack([exponential(part, mesh, self.squarings, prepared) for part in omega])

    def _read(self, values: Tensor, moved: Tensor) -> Tensor:
        mesh = self._mesh(self.finer, values)
        return torch.stack(
            [
                interpolate(v, mesh, locate(places, mesh, self.locators[1]))
                for v, places in zip(values, moved, strict=True)
            ]
        )

    @staticmethod
    def _mesh(mesh: Mesh, like: Tensor) -> Mesh:
        return Mesh(mesh.vertices.to(like), mesh.faces.to(like.device))


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Unit normal values of the shape, dtype and device of coefficients ``(B, ...)``."""
    return own_rows(lambda rows: torch.randn(rows, *like.shape[1:], generator=generator), len(like)).to(like)


def _without_mean(coefficients: Tensor) -> Tensor:
    """Coefficients of maps without their means, which tell nothing."""
    return torch.cat([torch.zeros_like(coefficients[..., :1]), coefficients[..., 1:]], -1)


def _unit(coefficients: Tensor) -> Tensor:
    """Coefficients of maps of mean square 1 on the sphere."""
    square = coefficients.square().sum(-1, keepdim=True) / (4 * math.pi)
    return coefficients * square.clamp_min(torch.finfo(square.dtype).tiny).rsqrt()


class FieldOfPair(nn.Module):
    """Network of one input and one output, as MONAI's ``verify_net_in_out`` wants it.

    Args:
        network: to be verified.

    Shape:
        fixed, then moving maps as channels ``(B, 2 C, V)`` to the field's coefficients ``(B, 3, (D + 1)^2)``.
    """

    def __init__(self, network: ScoreGuidedRegistration) -> None:
        super().__init__()
        self.network = network

    def forward(self, pair: Tensor) -> Tensor:
        """The field of the last pass."""
        found: GuidedRegistration = self.network(*pair.chunk(2, 1))
        return found.steps[-1].field
