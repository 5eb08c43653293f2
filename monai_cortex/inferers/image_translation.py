"""Adversarial training of a network that draws images in one pass: Pix2Pix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from monai.engines import AdversarialTrainer
from monai.inferers import Inferer
from monai.utils import AdversarialKeys, CommonKeys
from torch import Tensor, nn
from torch.optim import Optimizer

from monai_cortex.data import process_rank
from monai_cortex.errors import ConfigError
from monai_cortex.inferers.cortex_batch import join_channels

__all__ = ["ImageTranslationTrainer", "PatchScores"]


class PatchScores(Inferer):
    """Scores that a discriminator gives to images beside the fields they belong to."""

    def __call__(
        self, inputs: Tensor, network: Callable[..., Any], source: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Scores of patches ``(B, 1, i, j, k)``.

        Args:
            inputs: real or generated images ``(B, 1, I, J, K)``.
            network: MONAI's :class:`PatchDiscriminator`, which returns the features of all layers, the scores last.
            source: ``(B, 1, I, J, K)``.
            condition: further channels ``(B, C, I, J, K)``.
        """
        scores: Tensor = network(join_channels(inputs, source, condition))[-1]
        return scores


class ImageTranslationTrainer(AdversarialTrainer):
    """MONAI's :class:`AdversarialTrainer`, for handlers that know supervised trainers.

    It has their ``network``, ``optimizer`` and ``loss_function``, those of the generator; it says what the loss of an
    iteration was, which MONAI's leaves out without mixed precision, so that nobody would see it diverge; and it does
    not count whole networks to the engine's own state, of which checkpoints keep numbers only.

    Raises:
        ConfigError: of several processes, whose discriminators would drift apart unseen.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        if (number := process_rank()[1]) > 1:
            raise ConfigError(
                "adversarial training is not shared between processes",
                found=f"{number} processes",
                expected="one",
                remedy="leave torchrun and multi_gpu_train.json away",
            )
        super().__init__(*args, **options)

    @property
    def network(self) -> nn.Module:
        """The generator."""
        return cast(nn.Module, self.state.g_network)  # type: ignore[attr-defined]

    @property
    def optimizer(self) -> Optimizer:
        """That of the generator."""
        return cast(Optimizer, self.state.g_optimizer)  # type: ignore[attr-defined]

    @property
    def loss_function(self) -> Callable[..., Tensor]:
        """What compares generated with real images."""
        return cast(Callable[..., Tensor], self.state.recon_loss_function)  # type: ignore[attr-defined]

    def _complete_state_dict_user_keys(self) -> None:
        """Leave the networks to the writer of checkpoints."""

    def _iteration(self, engine: AdversarialTrainer, batchdata: dict[str, Tensor]) -> dict[str, Any]:
        output: dict[str, Any] = super()._iteration(engine, batchdata)
        parts = (AdversarialKeys.RECONSTRUCTION_LOSS, AdversarialKeys.GENERATOR_LOSS)
        return output | {CommonKeys.LOSS: sum(output[part] for part in parts).detach()}
