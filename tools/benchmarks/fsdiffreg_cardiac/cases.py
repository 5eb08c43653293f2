"""The recommended preset against the published network, and registrations of a simulated heart against elastix."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from benchmarks.case import Case, MissingToolError, Pair
from monai_cortex.inferers import ImageRegistrar
from monai_cortex.losses import DiffusionRegistrationLoss
from monai_cortex.networks.nets import fsdiffreg_net

__all__ = ["CASES"]

_SHAPE = (128, 128, 32)
_SPACING = (1.5, 1.5, 3.15)
_SEED = 5000


def _forward(device: torch.device) -> Pair:
    """As at inference."""
    moving, fixed = (_image(seed).to(device) for seed in range(2))
    times = torch.zeros(1, dtype=torch.long, device=device)

    def run(preset: str) -> Any:
        network = fsdiffreg_net(preset).to(device).eval()

        @torch.no_grad()
        def side() -> Tensor:
            field: Tensor = network(moving, fixed, fixed, times)["ddf"]
            return field

        return side

    return Pair(run("recommended"), run("reference"), tolerance=None)


def _step(device: torch.device) -> Pair:
    """Joint loss without truth, gradients, a step of Adam."""
    moving, fixed, noise = (_image(seed).to(device) for seed in range(3))
    times, noised = torch.full((1,), 100, device=device), torch.ones(1, device=device)
    target = {"moving": moving, "fixed": fixed, "noise": noise, "noised": noised, "valid": torch.ones_like(fixed)}

    def run(preset: str) -> Any:
        network = fsdiffreg_net(preset).to(device)
        loss, optimizer = DiffusionRegistrationLoss(spacing=_SPACING), torch.optim.Adam(network.parameters(), 1e-4)

        def side() -> None:
            optimizer.zero_grad()
            loss(network(moving, fixed, fixed + 0.1 * noise, times), target).backward()
            optimizer.step()

        return side

    return Pair(run("recommended"), run("reference"), tolerance=None)


def _registration(refine: bool, device: torch.device) -> Pair:
    """From scaled images to a field; ours gives the inverse field too. Weights do not change the time."""
    for name in ("itk", "itk.itkElastixRegistrationMethodPython"):
        _tool(name)
    item, peers = _heart(), _tool("cardiac_peers")
    network, registrar = fsdiffreg_net().to(device).eval(), ImageRegistrar(refine=refine)
    return Pair(
        lambda: registrar.register(item, network).ddf, lambda: peers.peer_field("elastix", item)[0], tolerance=None
    )


def _heart() -> dict[str, Any]:
    pairs: Any = _tool("cardiac_pairs")
    with TemporaryDirectory() as folder:
        (subject,) = pairs.simulated_pairs(Path(folder), [_SEED])
        item: dict[str, Any] = pairs.loaded(subject)
        return item


def _tool(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingToolError(f"{name} is not installed") from error


def _image(seed: int) -> Tensor:
    return torch.rand(1, 1, *_SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


_GRID = " x ".join(map(str, _SHAPE))
_PRESETS = ("recommended preset", "reference preset")
_ELASTIX = "elastix, B-splines of 12 mm"

CASES = {
    "forward": Case(f"one pass, {_GRID}", *_PRESETS, _forward, 0.6, 0.7, repeats=7),
    "step": Case(f"training step, {_GRID}", *_PRESETS, _step, 0.6, 0.7, repeats=5),
    **{
        f"registration_{name}": Case(
            f"registration of a simulated heart, {_GRID}",
            words,
            _ELASTIX,
            partial(_registration, name == "refined"),
            target,
            measure_memory=False,
            repeats=3,
        )
        for name, words, target in (("network", "network", 0.1), ("refined", "network and refinement", 0.35))
    },
}
