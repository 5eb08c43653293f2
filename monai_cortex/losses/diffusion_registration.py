"""Joint loss of a network that denoises the fixed image and moves the moving one onto it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_cortex.data import batch_count
from monai_cortex.geometry.displacement import warp
from monai_cortex.losses.displacement_smoothness import displacement_smoothness
from monai_cortex.losses.known_motion import displacement_distance, warped_overlap_loss
from monai_cortex.losses.score_weighted_ncc import ScoreWeightedNCCLoss

__all__ = ["DiffusionRegistrationLoss"]

_SOURCES = ("score", "shuffled", "residual", "none")
_KNOWN = {"field": ("true_displacement", "fixed_label", "valid"), "overlap": ("moving_label", "fixed_label")}


class DiffusionRegistrationLoss(nn.Module):
    """Noise, similarity and smoothness (Eqs. 5 and 6), and, of simulated pairs, the distance from the truth.

    Args:
        noise: weight of the squared error of the predicted noise.
        similarity: weight of the weighted correlation.
        smooth: weight of the roughness of the velocity, or of the displacement where there is none.
        known: weights of what only simulated pairs tell: "field", the distance from the true displacement, per voxel,
            and "overlap", one minus the Dice coefficient of the labels.
        source: of the weights: "score", "shuffled" over the valid voxels, "residual" ``|fixed - warped|``, or "none"
            for 1.
        spacing: edges of a voxel in mm; None measures roughness and distance in voxels, as published.
        correlation: arguments of :class:`ScoreWeightedNCCLoss`.

    Shape:
        what ``FSDiffRegNet`` returns and, of ``ImagePairBatch``, images ``(B, 1, I, J, K)`` in [-1, 1]; scalar.

    Attributes:
        latest: unweighted terms of the last call.

    Raises:
        ValueError: for another source, or a weighted truth without true displacement and labels in the batch.

    Reference:
        Qin and Li, MICCAI 2023; weights of 20 as published. Truth and other sources are this project's.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        noise: float = 1.0,
        similarity: float = 20.0,
        smooth: float = 20.0,
        known: Mapping[str, float] | None = None,
        source: str = "score",
        spacing: Sequence[float] | None = None,
        correlation: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if source not in _SOURCES:
            raise ValueError(f"source is one of {', '.join(_SOURCES)}, got {source!r}.")
        self.weights = {"noise": noise, "similarity": similarity, "smooth": smooth}
        self.known = {name: weight for name, weight in (known or {}).items() if weight}
        if not self.known.keys() <= _KNOWN.keys():
            raise ValueError(f"known names {', '.join(_KNOWN)}, got {', '.join(self.known)}.")
        self.weights |= self.known
        self.source, self.spacing = source, None if spacing is None else tuple(spacing)
        self.correlation = ScoreWeightedNCCLoss(**(correlation or {}))
        self.latest: dict[str, Tensor] = {}

    def forward(self, found: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """Weighted sum of the terms."""
        warped = warp(target["moving"], found["ddf"])
        terms = {
            "noise": _noise_error(found["score"], target),
            "similarity": self._similarity(warped, found["score"], target),
            "smooth": self._roughness(found),
        }
        terms |= {name: _known_term(name, found["ddf"], target) for name in self.known}
        self.latest = {name: term.detach() for name, term in terms.items()}
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()

    def _similarity(self, warped: Tensor, score: Tensor, target: Mapping[str, Any]) -> Tensor:
        fixed = target["fixed"]
        weight: Tensor | None = score
        if self.source == "none":
            weight = None
        elif self.source == "residual":
            weight = (fixed - warped).abs().detach()
        elif self.source == "shuffled":
            weight = torch.stack([_shuffled(*pair) for pair in zip(score, target["valid"] > 0, strict=True)])
        return self.correlation((warped + 1) / 2, (fixed + 1) / 2, weight, target["valid"])

    def _roughness(self, found: Mapping[str, Any]) -> Tensor:
        velocity, ddf = found["velocity"], found["ddf"]
        field = ddf if velocity is None else velocity
        edges = self.spacing or (1.0, 1.0, 1.0)
        # A velocity may be given on a coarser grid, in voxels of the fine one.
        cells = [full / own for full, own in zip(ddf.shape[2:], field.shape[2:], strict=True)]
        coarse = field / field.new_tensor(cells)[:, None, None, None]
        return displacement_smoothness(coarse, [cell * edge for cell, edge in zip(cells, edges, strict=True)])


def _shuffled(score: Tensor, inside: Tensor) -> Tensor:
    """The same values inside the mask, at other voxels of it."""
    values = score[inside]
    return score.masked_scatter(inside, values[torch.randperm(len(values), device=score.device)])


def _noise_error(score: Tensor, target: Mapping[str, Any]) -> Tensor:
    """Squared error of the noise where there is any."""
    noised = target["noised"][:, None, None, None, None] * target["valid"]
    error: Tensor = ((score - target["noise"]).square() * noised).sum() / batch_count(noised.sum())
    return error


def _known_term(name: str, ddf: Tensor, target: Mapping[str, Any]) -> Tensor:
    missing = [needed for needed in _KNOWN[name] if target.get(needed) is None]
    if missing:
        raise ValueError(f"the weight of {name} needs {missing[0]} in each item; simulate pairs, or set it to 0.")
    values = [target[needed] for needed in _KNOWN[name]]
    return displacement_distance(ddf, *values) if name == "field" else warped_overlap_loss(ddf, *values)
