"""People that no network has seen, as what the networks of Cor2Vox see of them; and the networks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import nn

from monai_cortex.inferers import CortexSynthesizer
from monai_cortex.simulate import (
    SCANNERS,
    CorticalSurfaces,
    CorticalVariation,
    Scanner,
    brain_grid,
    simulate_t1,
    template_cortex,
    vary_cortex,
)
from monai_cortex.transforms import ScaleToBraind, cortex_channels

__all__ = ["BUNDLE", "HELD_OUT", "HEMISPHERE", "BundleNetwork", "fields_of", "held_out_person", "scaled", "surfaces_of"]

BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "cor2vox_synthesis"
HELD_OUT = 2000  # first seed; those of training start at 1000
HEMISPHERE = ("lh",)
_CHANNELS = ("pial", "white", "edges", "ribbon")


def held_out_person(
    seed: int,
    spacing: float = 1.4,
    scanner: Scanner = SCANNERS["A"],
    sides: Sequence[str] = ("lh", "rh"),
    variation: CorticalVariation | None = None,
    aux: Sequence[str] = _CHANNELS,
) -> dict[str, Any]:
    """Draw and image a person; the same seed gives the same person on every grid and scanner.

    Returns:
        An item as of ``cortex_preprocessing``, with ``fractions`` of the tissues ``(3, I, J, K)``.
    """
    generator = torch.Generator().manual_seed(seed)
    person = vary_cortex(_template(), generator, variation or CorticalVariation())
    return fields_of(person, seed, spacing, scanner, sides, aux)


def fields_of(
    person: CorticalSurfaces,
    seed: int,
    spacing: float,
    scanner: Scanner = SCANNERS["A"],
    sides: Sequence[str] = ("lh", "rh"),
    aux: Sequence[str] = _CHANNELS,
) -> dict[str, Any]:
    """Image surfaces on a grid around them; parameters and result as of :func:`held_out_person`."""
    generator = torch.Generator().manual_seed(seed)
    white, pial = ([kind[side] for side in sides] for kind in person)
    shape, affine = brain_grid(pial, spacing, generator)
    scan = simulate_t1(white, pial, shape, affine, scanner, generator)
    item = {
        "subject": f"synthetic-{seed:04d}",
        "sides": tuple(sides),
        "white": white,
        "pial": pial,
        "image": MetaTensor(scan.image[None], affine=affine),
        "fractions": scan.fractions,
    }
    return scaled(item, aux)


def scaled(item: Mapping[Any, Any], aux: Sequence[str] = _CHANNELS) -> dict[str, Any]:
    """An item with all fields on the grid of its image, and the image scaled by them."""
    whole: Any = cortex_channels(aux)(dict(item))
    return {str(key): value for key, value in ScaleToBraind()(whole).items()}


def surfaces_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """White and pial surface by hemisphere."""
    return dict(zip(item["sides"], zip(item["white"], item["pial"], strict=True), strict=True))


class BundleNetwork:
    """A network of the bundle with its sampler, by weights and the configs over ``inference.json``.

    Args:
        weights: file.
        overlays: names of configs such as "ddpm".
        overrides: of single ids.
    """

    def __init__(self, weights: Path, overlays: Sequence[str] = (), **overrides: Any) -> None:
        parser = ConfigParser()
        parser.read_config([str(BUNDLE / "configs" / f"{name}.json") for name in ("inference", *overlays)])
        parser.update({"weights": str(weights), "bundle_root": str(BUNDLE), **overrides})
        self.network: nn.Module = parser.get_parsed_content("network")
        self.synthesizer: CortexSynthesizer = parser.get_parsed_content("inferer")

    def draw(self, item: Mapping[str, Any]) -> Any:
        """Images of an item, see :meth:`CortexSynthesizer.draw`."""
        self.network.eval()
        return self.synthesizer.draw(item, self.network)


@cache
def _template() -> CorticalSurfaces:
    return template_cortex()
