"""Diffusion of functions on the sphere by the heat equation, in harmonic space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import harmonic_degrees

__all__ = ["SphericalHeatScheduler"]

_PREDICTIONS = ("v_prediction", "epsilon", "sample")


class SphericalHeatScheduler(nn.Module):
    r"""Ornstein-Uhlenbeck process that forgets fine detail first and ends in the population's noise.

    Each coefficient of degree l obeys :math:`dc = -\lambda_l c\,d\tau + \sqrt{2 \lambda_l C_l}\,dW` with the eigenvalue
    :math:`\lambda_l = l(l + 1)` of the Laplace-Beltrami operator and the population's variance :math:`C_l`, so that

    .. math:: q(c_\tau \mid c_0) = \mathcal N(a_l c_0,\ C_l (1 - a_l^2)), \qquad a_l = e^{-\lambda_l \tau}.

    The mean is the function after heat flow for the time :math:`\tau`. Degree 0 does not diffuse: a feature's mean is
    left as it is. The paper prints neither variances nor times; both are this project's choice.

    Args:
        degree: largest degree L.
        variance: C of each degree, ``(L + 1,)``; 1 by default, for whitened coefficients.
        shortest, longest: times :math:`\tau` between which training draws and inference integrates. Degree l loses half
            of its amplitude in the time 0.69 / (l(l + 1)).
        prediction_type: what the network gives, in units of the standard deviation: "v_prediction"
            (:math:`a\,\epsilon - s\,c_0`), "epsilon" (the noise) or "sample" (:math:`c_0`). For the noise, the
            estimate of c_0 divides by a, which vanishes for long times and high degrees: it suits short times only.

    Raises:
        ValueError: for another prediction type, times that are not increasing or variances that do not fit.

    Reference:
        Lee, Pyatkovskiy, Yoo, Lyu, MICCAI 2025 (diffusion by the Laplace-Beltrami operator in harmonic space); Song et
        al., ICLR 2021, arXiv:2010.02502, eq. 12 (steps); Salimans and Ho, ICLR 2022, arXiv:2202.00512 (v).
    """

    eigenvalues: Tensor
    deviation: Tensor

    def __init__(
        self,
        degree: int,
        variance: Tensor | None = None,
        shortest: float = 1e-4,
        longest: float = 1.0,
        prediction_type: str = "v_prediction",
    ) -> None:
        super().__init__()
        if prediction_type not in _PREDICTIONS:
            raise ValueError(f"prediction_type must be one of {', '.join(_PREDICTIONS)}, got {prediction_type!r}.")
        if not 0 < shortest < longest:
            raise ValueError(f"need 0 < shortest < longest, got shortest={shortest}, longest={longest}.")
        variance = torch.ones(degree + 1) if variance is None else variance
        if variance.shape != (degree + 1,) or not (variance > 0).all():
            raise ValueError(f"need {degree + 1} variances above 0, one a degree, got {variance.tolist()}.")
        degrees = harmonic_degrees(degree)
        self.shortest, self.longest, self.prediction_type = shortest, longest, prediction_type
        self.register_buffer("eigenvalues", (degrees * (degrees + 1)).double(), persistent=False)
        self.register_buffer("deviation", variance.double().sqrt()[degrees], persistent=False)

    def draw_times(self, number: int, generator: torch.Generator | None = None) -> Tensor:
        """Times for training, log-uniform between the shortest and the longest, ``(number,)``."""
        low, high = math.log(self.shortest), math.log(self.longest)
        return torch.exp(low + (high - low) * torch.rand(number, generator=generator, dtype=torch.float64))

    def inference_times(self, steps: int, start: float | None = None) -> Tensor:
        """Times from the start, or the longest, to the shortest, even in their logarithms, ``(steps + 1,)``."""
        limits = math.log10(self.longest if start is None else start), math.log10(self.shortest)
        return torch.logspace(*limits, steps + 1, dtype=torch.float64)

    def mean_scale(self, t: Tensor) -> Tensor:
        """Factor a that the mean of each coefficient has at times ``(...)``, ``(..., (L + 1)^2)``, float64."""
        return torch.exp(-self.eigenvalues * t.double()[..., None])

    def std(self, t: Tensor) -> Tensor:
        """Standard deviation of each coefficient at times ``(...)``, ``(..., (L + 1)^2)``, float64."""
        return self.deviation * self._share(t)

    def add_noise(self, original_samples: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Coefficients at times ``(B,)``, of those at time 0 and unit normal noise, both ``(B, C, (L + 1)^2)``."""
        scale, deviation = (value[:, None].to(original_samples) for value in (self.mean_scale(t), self.std(t)))
        return scale * original_samples + deviation * noise

    def target(self, original_samples: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network is to predict, shapes as in :meth:`add_noise`."""
        if self.prediction_type == "epsilon":
            return noise
        white = original_samples / self.deviation.to(original_samples)
        if self.prediction_type == "sample":
            return white
        scale, share = (value[:, None].to(white) for value in (self.mean_scale(t), self._share(t)))
        return scale * noise - share * white

    def estimate(self, model_output: Tensor, t: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients at time 0 and noise that a prediction stands for, ``(B, C, (L + 1)^2)`` both."""
        deviation = self.deviation.to(sample)
        white = sample / deviation
        scale, share = (value[:, None].to(white) for value in (self.mean_scale(t), self._share(t)))
        if self.prediction_type == "v_prediction":
            original, noise = scale * white - share * model_output, share * white + scale * model_output
        elif self.prediction_type == "epsilon":
            noise = model_output
            original = (white - share * noise) / scale.clamp_min(torch.finfo(white.dtype).tiny)
        else:
            original = model_output
            noise = torch.where(share > 0, (white - scale * original) / share.clamp_min(1e-12), 0.0)
        return deviation * original, noise

    def step(  # noqa: PLR0913, PLR0917
        self,
        model_output: Tensor,
        t: Tensor,
        previous: Tensor,
        sample: Tensor,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        r"""Go from times t to earlier ones, exactly for the estimate of c_0 that the prediction stands for.

        .. math:: c' = a' \hat c_0 + \sqrt{s'^2 - \sigma^2}\,\hat\epsilon + \sigma z,\qquad
            \sigma^2 = \eta^2 \frac{s'^2}{s^2}\,C_l\,(1 - a^2 / a'^2)

        Args:
            model_output: of the network ``(B, C, (L + 1)^2)``.
            t, previous: times ``(B,)``, the second earlier.
            sample: coefficients at t ``(B, C, (L + 1)^2)``.
            eta: 0 follows the probability flow, 1 the reverse process.
            noise: unit normal ``(B, C, (L + 1)^2)``, needed where eta is not 0.

        Returns:
            Coefficients at the earlier times and the estimate of those at time 0, ``(B, C, (L + 1)^2)`` both.

        Raises:
            ValueError: if eta is not 0 and there is no noise.
        """
        original, found = self.estimate(model_output, t, sample)
        share, earlier = self._share(t), self._share(previous)
        between = -torch.expm1(-2 * self.eigenvalues * (t.double() - previous.double())[..., None])
        added = eta**2 * torch.where(share > 0, (earlier / share.clamp_min(1e-300)) ** 2 * between, 0.0)
        kept = (earlier**2 - added).clamp_min(0).sqrt()
        scale, kept, spread = (
            value[:, None].to(sample) for value in (self.mean_scale(previous), self.deviation * kept, added.sqrt())
        )
        result = scale * original + kept * found
        if eta:
            if noise is None:
                raise ValueError("a step with eta above 0 needs noise.")
            result = result + spread * self.deviation.to(sample) * noise
        return result, original

    def _share(self, t: Tensor) -> Tensor:
        """Standard deviation for a population of variance 1; expm1 keeps its digits at short times."""
        return (-torch.expm1(-2 * self.eigenvalues * t.double()[..., None])).sqrt()
