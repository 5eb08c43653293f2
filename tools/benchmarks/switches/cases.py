"""A training step with and without each switch: mixed precision, memory layout, recomputation, compilation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.case import Case, Pair
from monai_cortex.networks.nets import ConditionalUNet
from monai_cortex.networks.nets.fsdiffreg_net import fsdiffreg_net

__all__ = ["CASES"]

_Loss = Callable[[nn.Module], Tensor]


def _synthesis(changes: dict[str, Any], device: torch.device) -> tuple[nn.Module, _Loss]:
    """The bundle's network and batch: two crops of 32 voxels."""
    torch.manual_seed(0)
    network = ConditionalUNet(unet_options=changes)
    x, times = torch.randn(2, network.in_channels, 32, 32, 32, device=device), torch.tensor([3, 500], device=device)
    return network, lambda trained: (trained(x, times) - x[:, :1]).abs().mean()


def _registration(changes: dict[str, Any], device: torch.device) -> tuple[nn.Module, _Loss]:
    """The bundle's network and batch: a pair of 96 x 96 x 16 voxels."""
    torch.manual_seed(0)
    network = fsdiffreg_net("recommended", changes)
    images, time = torch.rand(3, 1, 1, 96, 96, 16, device=device), torch.tensor([500], device=device)

    def loss(trained: nn.Module) -> Tensor:
        found = trained(*images, time)
        return (found["score"] - images[0]).square().mean() + found["ddf"].square().mean()

    return network, loss


_NETWORKS = {"cor2vox_synthesis": _synthesis, "fsdiffreg_cardiac": _registration}


def _pair(slug: str, changes: dict[str, Any], compiled: bool, tolerance: float | None, device: torch.device) -> Pair:
    def step(changes: dict[str, Any], compiled: bool) -> Callable[[], Tensor]:
        network, loss = _NETWORKS[slug](changes, device)
        network.to(device)
        trained: Any = torch.compile(network) if compiled else network

        def run() -> Tensor:
            network.zero_grad()
            value = loss(trained)
            value.backward()
            return value.detach()

        return run

    return Pair(step(changes, compiled), step({}, False), tolerance)


_SWITCHES: dict[str, tuple[dict[str, Any], bool, float]] = {
    "half_precision": ({"half_precision": True}, False, 1e-2),
    "channels_last": ({"channels_last": True}, False, 1e-5),
    "checkpointing": ({"checkpointing": True}, False, 1e-6),
    "compile": ({}, True, 1e-5),
}
CASES = {
    f"{slug}_{name}": Case(
        what=f"{slug}: training step",
        ours=name,
        reference="without",
        build=partial(_pair, slug, *options),
        measure_memory=name != "compile",
    )
    for slug in _NETWORKS
    for name, options in _SWITCHES.items()
    if (slug, name) != ("fsdiffreg_cardiac", "channels_last")  # its network has no such switch
}
