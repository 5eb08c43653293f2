"""Ways of training a registration network without labels, alike but for what is to be compared, and what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from monai.networks.schedulers import DDPMScheduler
from monai.transforms import Compose
from registration_peers import NETWORK, PEERS
from torch import Tensor, nn

from monai_cortex.data import cardiac_subjects
from monai_cortex.geometry.displacement import warp
from monai_cortex.inferers import ImagePairBatch
from monai_cortex.losses import DiffusionRegistrationLoss
from monai_cortex.metrics import StructureOverlapMetric, end_point_error, folding_by_region
from monai_cortex.metrics.warped_agreement import image_correlation
from monai_cortex.networks.nets import fsdiffreg_net
from monai_cortex.simulate.synthetic_heart import write_synthetic_heart
from monai_cortex.transforms import cardiac_preprocessing, registration_pair_augmentation

__all__ = ["PATCH", "PEER_RATE", "RATE", "SPACING", "WINDOW", "Arm", "measured", "pairs_of_hearts", "trained"]

SPACING = (3.0, 3.0, 6.3)
ROI, PATCH, WINDOW = (64, 64, 16), (40, 40), 5
RATE, PEER_RATE, CLIP = 5e-3, 2e-3, 10.0
_DRAWS = 4  # of time and noise for each held-out pair, where weights of the loss are looked at
_DICE = ("lv", "myo", "rv", "mean5")
_SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 2000,
    "schedule": "linear_beta",
    "beta_start": 1e-6,
    "beta_end": 1e-2,
}


class Arm(NamedTuple):
    """A way of training.

    Attributes:
        title: for the page.
        source: of the correlation's weights, see ``DiffusionRegistrationLoss``.
        guided: feature-wise guidance.
        gamma: exponent of the weights.
        similarity: weight of the correlation.
        clean: score detached, and weights divided by their mean.
        peer: name of another network; empty is FSDiffReg's.
    """

    title: str
    source: str = "score"
    guided: bool = True
    gamma: float = 1.0
    similarity: float = 20.0
    clean: bool = False
    peer: str = ""

    def network(self) -> nn.Module:
        """The network, untrained."""
        if self.peer:
            return PEERS[self.peer]()
        return fsdiffreg_net("reference", {**NETWORK, "guided": self.guided})

    def loss(self) -> DiffusionRegistrationLoss:
        """The loss, all of whose weights but the correlation's are those of the paper."""
        correlation = {
            "kernel_size": WINDOW,
            "gamma": self.gamma,
            "detach": self.clean,
            "normalize_mean": self.clean,
        }
        return DiffusionRegistrationLoss(similarity=self.similarity, source=self.source, correlation=correlation)

    def mean_weight(self, score: Tensor, valid: Tensor) -> float:
        """Mean factor of the correlation over valid voxels."""
        if self.clean or self.source == "none":
            return 1.0
        return float((torch.sigmoid(score) ** self.gamma * valid).sum() / valid.sum())


def pairs_of_hearts(folder: Path, number: int, first: int) -> list[dict[str, Any]]:
    """Simulated hearts on the registration grid; they are drawn unless they are in the folder.

    Args:
        folder: of the dataset.
        number: of hearts.
        first: seed of the first one.
    """
    for seed in range(first, first + number):
        place = folder / f"heart-{seed:04d}"
        if not place.is_dir():
            write_synthetic_heart(place, seed)
    wanted = {f"heart-{seed:04d}" for seed in range(first, first + number)}
    preprocessing = cardiac_preprocessing(SPACING, ROI)
    return [preprocessing(item) for item in cardiac_subjects(folder) if item["subject"] in wanted]


def trained(arm: Arm, seed: int, items: Sequence[Mapping[str, Any]], steps: int) -> nn.Module:
    """Train an arm; with one seed equal networks begin alike, and all see the same pairs, times and noise."""
    torch.manual_seed(seed)
    network, loss = arm.network(), arm.loss()
    rate = PEER_RATE if arm.peer else RATE
    optimizer = torch.optim.Adam(network.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2), cycle_momentum=False)
    augmentation = _cut(seed)
    batch = ImagePairBatch(DDPMScheduler(**_SCHEDULE))
    order = torch.Generator().manual_seed(seed)
    for step in range(steps):
        # Sources of weights draw numbers of their own, which must not change what follows.
        torch.manual_seed(steps * seed + step)
        item = augmentation(items[int(torch.randint(len(items), (), generator=order))])
        moving, target, inputs, _ = batch(_one(item))
        optimizer.zero_grad()
        loss(network(moving, *inputs), target).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
    return network


@torch.no_grad()
def measured(arm: Arm, network: nn.Module | None, items: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Numbers of each held-out pair; without a network, of the images as they are."""
    rows = []
    for number, item in enumerate(map(_cut(0), items)):
        pair = _one(item)
        moving, fixed = pair["moving_image"], pair["fixed_image"]
        clock = torch.zeros(1, dtype=torch.long)
        ddf = torch.zeros_like(pair["true_displacement"])
        if network is not None:
            ddf = network.eval()(moving, fixed, fixed, clock)["ddf"]
        row = _accuracy(ddf, pair, item["fixed_image"].affine)
        rows.append(row | (_weights(arm, network, pair, number) if network is not None and not arm.peer else {}))
    return rows


def _accuracy(ddf: Tensor, pair: Mapping[str, Tensor], affine: Any) -> dict[str, float]:
    """Overlap, end-point error and folding of a displacement ``(1, 3, I, J, K)``."""
    labels, heart = warp(pair["moving_label"], ddf, "nearest"), pair["fixed_label"][0] > 0
    dice = {name: float(torch.as_tensor(StructureOverlapMetric(name)(labels, pair["fixed_label"]))) for name in _DICE}
    regions = folding_by_region(ddf[0], pair["valid"][0], pair["fixed_label"][0])
    folds = {
        f"{name}_{region}": float(getattr(found, of))
        for region, found in regions.items()
        for name, of in (("folding", "percent"), ("sd_j", "deviation"))
    }
    return dice | folds | {"epe_mm": end_point_error(ddf[0], pair["true_displacement"][0], affine, heart).mean}


def _weights(arm: Arm, network: nn.Module, pair: Mapping[str, Tensor], number: int) -> dict[str, float]:
    """What the score is at times and with noise as in training, the same for all arms."""
    batch, found = ImagePairBatch(DDPMScheduler(**_SCHEDULE)), []
    difference = (pair["fixed_image"] - pair["moving_image"]).abs()
    torch.manual_seed(number)
    for _ in range(_DRAWS):
        moving, target, inputs, _ = batch(pair)
        score, valid = network(moving, *inputs)["score"], pair["valid"]
        error = ((score - target["noise"]).square() * valid).sum() / valid.sum()
        weight = arm.similarity * arm.mean_weight(score, valid)
        found.append([weight, float(image_correlation(score.abs(), difference, valid)), float(error)])
    names = ("weight", "score_difference", "noise_error")
    return dict(zip(names, torch.tensor(found).mean(0).tolist(), strict=True))


def _cut(seed: int) -> Compose:
    """Parts around the heart at random places."""
    cut = registration_pair_augmentation(PATCH, flip=0.0, swap=0.0, intensity=0.0)
    return cut.set_random_state(seed)


def _one(item: Mapping[str, Any]) -> dict[str, Tensor]:
    """A batch of one pair."""
    return {
        key: torch.as_tensor(value).as_subclass(Tensor)[None] for key, value in item.items() if torch.is_tensor(value)
    }
