"""Brownian bridge between an image and the distance field that it is drawn from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_cortex.networks.schedulers.inference_steps import bridge_steps, even_steps, next_step

__all__ = ["BrownianBridgeScheduler"]

_PREDICTIONS = ("ysubx", "grad", "noise", "sample")
_SPACINGS = {"bbdm": bridge_steps, "linspace": even_steps}


class BrownianBridgeScheduler(nn.Module):
    r"""Process that is an image :math:`x_0` at the first timestep and the source :math:`y` at the last one.

    .. math:: q(x_t \mid x_0, y) = \mathcal N((1 - m_t) x_0 + m_t y,\ \delta_t),\qquad \delta_t = 2 s (m_t - m_t^2)

    where :math:`m_t` goes evenly from ``ends[0]`` to ``ends[1]`` and :math:`s` is ``max_variance``; the variance peaks
    at s/2 half way. With s = 0 the bridge is the straight path of a rectified flow.

    Args:
        num_train_timesteps: T, at least 2; timesteps are 0 to T - 1.
        max_variance: s, 0 or above.
        prediction_type: what the network gives: "ysubx" (:math:`y - x_0`), "grad" (:math:`m_t (y - x_0) +
            \sqrt{\delta_t}\,\epsilon`), "noise" (:math:`\epsilon`; its estimate of the image divides by
            :math:`1 - m_t`, which multiplies errors a thousandfold at the last timestep) or "sample" (:math:`x_0`).
        ends: :math:`m_t` at the first and at the last timestep, 0 <= first < last <= 1. The default is the published
            one, which leaves a variance of .001998 at both ends; (0, 1) has none, as the theory has it.
        spacing: of timesteps in :meth:`set_timesteps`: "bbdm" (even strides, then 1 and 0) or "linspace".
        clip_sample: clamp each estimate of the image to [-1, 1] in :meth:`step`.

    Attributes:
        timesteps: those that :meth:`step` knows, decreasing to 0, ``(n,)`` int64; at first all.

    Raises:
        ValueError: for values out of range.

    Reference:
        Li, Xue, Liu, Lai, CVPR 2023, arXiv:2205.07680 (bridge, its objective "grad"); Bongratz et al., arXiv:2502.12742
        (from distance fields to MRI, "ysubx"). Steps for eta below 1 keep the variance, see :meth:`step`.
    """

    m: Tensor
    delta: Tensor
    timesteps: Tensor

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        num_train_timesteps: int = 1000,
        max_variance: float = 1.0,
        prediction_type: str = "ysubx",
        ends: tuple[float, float] = (0.001, 0.999),
        spacing: str = "bbdm",
        clip_sample: bool = False,
    ) -> None:
        super().__init__()
        first, last = ends
        if prediction_type not in _PREDICTIONS or spacing not in _SPACINGS:
            raise ValueError(
                f"prediction_type must be one of {_PREDICTIONS} and spacing one of {tuple(_SPACINGS)}, "
                f"got {prediction_type!r} and {spacing!r}."
            )
        if num_train_timesteps < 2 or not 0 <= max_variance < float("inf") or not 0 <= first < last <= 1:  # noqa: PLR2004
            raise ValueError(
                "need at least 2 timesteps, max_variance of 0 or above and 0 <= first end < last end <= 1, "
                f"got {num_train_timesteps}, {max_variance} and {tuple(ends)}."
            )
        if prediction_type == "noise" and last == 1:
            raise ValueError("the noise says nothing about the image where the bridge ends in the source; end below 1.")
        m = torch.linspace(first, last, num_train_timesteps, dtype=torch.float64)
        self.num_train_timesteps, self.max_variance = num_train_timesteps, max_variance
        self.prediction_type, self.spacing, self.clip_sample = prediction_type, spacing, clip_sample
        self.register_buffer("m", m, persistent=False)
        self.register_buffer("delta", 2 * max_variance * (m - m**2), persistent=False)
        self.register_buffer("timesteps", torch.arange(num_train_timesteps).flip(0), persistent=False)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Choose the timesteps that :meth:`step` goes along.

        Args:
            num_inference_steps: between 1 and T; all of them for T, otherwise by ``spacing``.
            device: where ``timesteps`` are kept; None leaves them where the tables are.

        Raises:
            ValueError: if the number is out of range.
        """
        if not 1 <= num_inference_steps <= self.num_train_timesteps:
            raise ValueError(f"need 1 to {self.num_train_timesteps} inference steps, got {num_inference_steps}.")
        steps = _SPACINGS[self.spacing](self.num_train_timesteps, num_inference_steps)
        self.timesteps = steps.to(self.m.device if device is None else device)

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor, source: Tensor) -> Tensor:
        """Draw from q.

        Args:
            original_samples: images ``(B, ...)``.
            noise: unit normal, of their shape.
            timesteps: in [0, T - 1], ``(B,)`` or one for all.
            source: y, of their shape.

        Returns:
            Samples at the timesteps, of their shape.
        """
        m, delta = self._tables(timesteps, original_samples)
        return (1 - m) * original_samples + m * source + delta.sqrt() * noise

    def get_target(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor, source: Tensor) -> Tensor:
        """What the network is to predict, shapes as in :meth:`add_noise`."""
        if self.prediction_type == "ysubx":
            return source - original_samples
        if self.prediction_type == "grad":
            m, delta = self._tables(timesteps, original_samples)
            return m * (source - original_samples) + delta.sqrt() * noise
        return noise if self.prediction_type == "noise" else original_samples

    def predict_original(self, model_output: Tensor, timesteps: Tensor, sample: Tensor, source: Tensor) -> Tensor:
        """Images that predictions stand for.

        Args:
            model_output: of the network ``(B, ...)``.
            timesteps: ``(B,)`` or one for all.
            sample, source: of the same shape.

        Returns:
            Images of the same shape, not clamped.
        """
        if self.prediction_type == "ysubx":
            return source - model_output
        if self.prediction_type == "grad":
            return sample - model_output
        if self.prediction_type == "sample":
            return model_output
        m, delta = self._tables(timesteps, sample)
        return (sample - m * source - delta.sqrt() * model_output) / (1 - m)

    def step(  # noqa: PLR0913, PLR0917
        self,
        model_output: Tensor,
        timestep: int,
        sample: Tensor,
        source: Tensor,
        eta: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        r"""Go from one of ``timesteps`` t to the one after it, n.

        .. math:: x_n = (1 - m_n) \hat x_0 + m_n y + \sqrt{\frac{\delta_n - \eta^2\sigma^2}{\delta_t}}
            \bigl(x_t - (1 - m_t) \hat x_0 - m_t y\bigr) + \eta \sigma z,\qquad
            \sigma^2 = \Bigl(\delta_t - \delta_n \frac{(1 - m_t)^2}{(1 - m_n)^2}\Bigr) \frac{\delta_n}{\delta_t}

        For the true image the marginals stay those of q whatever eta is. After timestep 0, or the last one, comes the
        estimate of the image itself. Where x_t has no variance, as at an exact end, its deviation from the path says
        nothing: the step draws from q.

        Args:
            model_output: of the network ``(B, ...)``.
            timestep: one of ``timesteps``.
            sample: x_t, of the same shape.
            source: y, of the same shape.
            eta: 1 follows the reverse process, 0 adds no noise.
            generator: of the noise.

        Returns:
            Sample at n and estimate of the image, both of the same shape.

        Raises:
            ValueError: if the timestep is not one of ``timesteps``, or eta is not in [0, 1].
        """
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must be in [0, 1], got {eta}.")
        following = next_step(self.timesteps, int(timestep))
        now = torch.as_tensor(int(timestep))
        original = self.predict_original(model_output, now, sample, source)
        if self.clip_sample:
            original = original.clamp(-1, 1)
        if following is None:
            return original, original
        kept, added = self._shares(int(timestep), following, eta)
        m, n = float(self.m[int(timestep)]), float(self.m[following])
        previous = (1 - n) * original + n * source + kept * (sample - (1 - m) * original - m * source)
        if added:
            previous = previous + added * draw_noise(sample, generator)
        return previous, original

    def _shares(self, t: int, n: int, eta: float) -> tuple[float, float]:
        """Factor of the sample's deviation from its path, and standard deviation of the noise that is added."""
        (m, delta), (m_n, delta_n) = ((float(self.m[i]), float(self.delta[i])) for i in (t, n))
        if delta == 0:
            return 0.0, delta_n**0.5
        variance = max(0.0, (delta - delta_n * ((1 - m) / (1 - m_n)) ** 2) * delta_n / delta)
        return (max(0.0, delta_n - eta**2 * variance) / delta) ** 0.5, eta * variance**0.5

    def _tables(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Tables m and delta at timesteps, ready to be multiplied with samples ``(B, ...)``."""
        index = timesteps.to(self.m.device).long().reshape(-1, *[1] * (like.ndim - 1))
        return self.m[index].to(like), self.delta[index].to(like)

    def extra_repr(self) -> str:
        """Name what this bridge is made of."""
        return f"T={self.num_train_timesteps}, s={self.max_variance}, {self.prediction_type}, {self.spacing}"


def draw_noise(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Unit normal noise of a tensor's shape, dtype and device, drawn on the generator's device."""
    place: Any = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, device=place, dtype=like.dtype).to(like.device)
