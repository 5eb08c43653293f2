"""From the fields of a subject's cortex to images of the whole brain, with and without atrophy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from monai.engines.utils import IterationEvents
from monai.transforms import Compose
from torch import Tensor, nn

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers.atrophy_series import AtrophySeries
from monai_cortex.inferers.sliding_network import SlidingNetwork

__all__ = ["CortexSynthesizer", "SyntheticBrain"]


class Sampler(Protocol):
    """What draws images: :class:`BridgeInferer`, or one of the peers."""

    def sample(self, source: Tensor, diffusion_model: Any, condition: Tensor | None = None, **options: Any) -> Tensor:
        """Draw images ``(B, 1, I, J, K)``."""


class SyntheticBrain(NamedTuple):
    """Images drawn for one subject, on one grid.

    Attributes:
        image: first draw ``(I, J, K)``, in [0, 1].
        deviation: standard deviation over draws ``(I, J, K)``, as a share of the intensity range; None for one draw.
        atrophied: by dose in mm, the image drawn with the noise of ``image``, and the pial surfaces, in the order of
            the hemispheres.
        regions: weight of each vertex ``(V,)`` in [0, 1] that the dose was multiplied with, by hemisphere.
        seconds: wall time.
    """

    image: Tensor
    deviation: Tensor | None
    atrophied: dict[float, tuple[Tensor, list[Mesh]]]
    regions: list[Tensor]
    seconds: float


class CortexSynthesizer:
    """Draw the images of a subject: one iteration of a MONAI evaluator.

    Args:
        sampler: of the bridge, or of a peer.
        channels: computes ``source`` and ``condition`` of an item anew, for atrophied surfaces.
        sampling: options of the sampler, by default 10 ``num_inference_steps`` and ``eta`` 1.
        draws: images drawn with other noise, 1 or more; their deviation depends on steps and eta.
        windows: ``roi_size`` in voxels and ``overlap`` of :class:`SlidingNetwork`.
        atrophy: doses and regions; none by default.
        seed: of the noise; draw n has seed + n, whatever was drawn before.

    Raises:
        ConfigError: for less than one draw.
    """

    def __init__(
        self,
        sampler: Sampler,
        channels: Compose,
        sampling: Mapping[str, Any] | None = None,
        draws: int = 1,
        windows: Mapping[str, Any] | None = None,
        atrophy: AtrophySeries | None = None,
        seed: int = 0,
    ) -> None:
        if draws < 1:
            raise ConfigError("nothing is drawn", found=f"draws {draws}", expected="1 or more", remedy="set draws")
        self.sampler, self.channels, self.draws, self.seed = sampler, channels, draws, seed
        self.options = {"num_inference_steps": 10, "eta": 1.0, **(sampling or {})}
        self.windows, self.atrophy = dict(windows or {}), atrophy or AtrophySeries()

    def __call__(self, engine: Any, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Draw for all subjects of a batch with the engine's network."""
        engine.network.eval()
        settings = self.options | {"draws": self.draws}
        results = [{"brain": self.draw(item, engine.network), "synthesis": settings} for item in batch]
        engine.state.output = results
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return results

    def draw(self, item: Mapping[str, Any], network: nn.Module) -> SyntheticBrain:
        """Draw the images of one subject.

        Args:
            item: of :func:`monai_cortex.transforms.cortex_preprocessing`.
            network: see :class:`SlidingNetwork`.

        Raises:
            ConfigError: a region of atrophy is not among the labels.
        """
        start = time.perf_counter()
        images = [self._sample(item, network, self.seed + number) for number in range(self.draws)]
        deviation = torch.stack(images).std(0) if self.draws > 1 else None
        regions, atrophied = self.atrophy.regions(item), {}
        for dose, pial in self.atrophy.surfaces(item, regions).items():
            other = self.channels({**item, "pial": pial})
            atrophied[dose] = self._sample(other, network, self.seed), pial
        return SyntheticBrain(images[0], deviation, atrophied, regions, time.perf_counter() - start)

    def _sample(self, item: Mapping[str, Any], network: nn.Module, seed: int) -> Tensor:
        device = next(network.parameters()).device
        condition = item["condition"][None].to(device) if "condition" in item else None
        sliding, generator = SlidingNetwork(network, **self.windows), torch.Generator().manual_seed(seed)
        source = item["source"][None].to(device)
        image = self.sampler.sample(source, sliding, condition, generator=generator, **self.options)
        return (image[0, 0].cpu().clamp(-1, 1) + 1) / 2
