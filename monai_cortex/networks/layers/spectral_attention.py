"""Attention between two functions on the sphere, by their harmonics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.networks.layers.degree_filter import DegreeFilter

__all__ = ["SpectralCrossAttention"]

_KINDS = ("degree", "gate", "none")
_FLOOR = 1e-6  # of the power of a degree


class SpectralCrossAttention(nn.Module):
    r"""Add to features what they attend to in a context, without mixing degrees, so that rotations commute exactly.

    "degree" attends over the context's channels within each degree l,

    .. math:: A_l = \mathrm{softmax}_{c'}\Big(\frac{1}{\sqrt{2l + 1}} \sum_m q_{lcm} k_{lc'm}\Big), \qquad
        y_{lcm} = \sum_{c'} A_{lcc'} v_{lc'm},

    with queries and keys of unit power in each degree, which else the lowest would dominate. "gate" attends over
    degrees: queries and keys are the logarithms of the powers of each degree, invariant under rotations, and what they
    gather scales the context's values. "none" leaves the features alone. A last filter, zero at the start, makes the
    layer start as the identity.

    Args:
        channels: of features and result.
        context_channels: of the context.
        degree: largest degree L of both.
        kind: "degree", "gate" or "none".

    Shape:
        features ``(B, channels, (L + 1)^2)`` and context ``(B, context_channels, (L + 1)^2)`` to the shape of the
        first.

    Raises:
        ValueError: for another kind.

    Reference:
        Vaswani et al., NeurIPS 2017; spectral attention: Lee et al., MICCAI 2025. That paper's tokens are coefficients,
        which does not commute with rotations; these forms are this project's.
    """

    degrees: Tensor

    def __init__(self, channels: int, context_channels: int, degree: int, kind: str = "degree") -> None:
        super().__init__()
        if kind not in _KINDS:
            raise ValueError(f"attention is one of {', '.join(_KINDS)}, got {kind!r}.")
        self.kind, self.degree = kind, degree
        self.register_buffer("degrees", harmonic_degrees(degree), persistent=False)
        if kind == "none":
            return
        self.value = DegreeFilter(context_channels, channels, degree)
        self.project = DegreeFilter(channels, channels, degree, zero=True)
        if kind == "degree":
            self.query = DegreeFilter(channels, channels, degree)
            self.key = DegreeFilter(context_channels, channels, degree)
        else:
            self.query_power = nn.Linear(channels, channels)
            self.key_power = nn.Linear(context_channels, channels)
            self.gain = nn.Linear(context_channels, channels)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Features, and what they attend to."""
        if self.kind == "none":
            return features
        attend = self._over_channels if self.kind == "degree" else self._over_degrees
        added: Tensor = self.project(attend(features, context))
        return features + added

    def _over_channels(self, features: Tensor, context: Tensor) -> Tensor:
        query, key = (self._whiten(c) for c in (self.query(features), self.key(context)))
        value = self.value(context)
        parts = []
        for d in range(self.degree + 1):
            part = slice(d * d, (d + 1) ** 2)
            scores = torch.einsum("bcm,bdm->bcd", query[..., part], key[..., part]) / (2 * d + 1) ** 0.5
            parts.append(scores.softmax(-1) @ value[..., part])
        return torch.cat(parts, -1)

    def _over_degrees(self, features: Tensor, context: Tensor) -> Tensor:
        logs = [(self._power(c) + _FLOOR).log().transpose(1, 2) for c in (features, context)]  # (B, L + 1, C)
        query, key = self.query_power(logs[0]), self.key_power(logs[1])
        gathered = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1) @ self.gain(logs[1])
        gated: Tensor = self.value(context) * gathered.transpose(1, 2)[..., self.degrees]
        return gated

    def _power(self, coefficients: Tensor) -> Tensor:
        """Mean square of the coefficients of each degree, ``(B, C, L + 1)``."""
        sums = coefficients.new_zeros(*coefficients.shape[:-1], self.degree + 1)
        counts = 2 * torch.arange(self.degree + 1, device=coefficients.device) + 1
        return sums.index_add(-1, self.degrees, coefficients.square()) / counts

    def _whiten(self, coefficients: Tensor) -> Tensor:
        """Unit power in each degree, over all channels."""
        power = self._power(coefficients).mean(1, keepdim=True)
        whitened: Tensor = coefficients * (power + _FLOOR).rsqrt()[..., self.degrees]
        return whitened
