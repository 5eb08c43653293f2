"""Pial surfaces that lose known amounts of cortex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.atrophy import atrophy, region_taper
from monai_cortex.geometry.mesh import Mesh

__all__ = ["AtrophySeries"]


class AtrophySeries:
    """Doses of atrophy in regions of a subject's cortex.

    Args:
        doses_mm: each 0 or above.
        labels: names of regions, the whole cortex if there is none.
        taper_mm: width of the border around the regions, over which the dose falls to 0.

    Raises:
        ConfigError: for a dose below 0.
    """

    def __init__(self, doses_mm: Sequence[float] = (), labels: Sequence[str] = (), taper_mm: float = 10.0) -> None:
        if not all(0 <= dose < float("inf") for dose in doses_mm):
            raise ConfigError(
                "doses of atrophy cannot be used",
                found=f"atrophy_mm {list(doses_mm)}",
                expected="doses of 0 mm or more",
                remedy="set atrophy_mm",
            )
        self.doses_mm, self.labels, self.taper_mm = tuple(doses_mm), tuple(labels), taper_mm

    def regions(self, item: Mapping[str, Any]) -> list[Tensor]:
        """Weights of the dose ``(V,)`` in [0, 1], by hemisphere; empty where there are no doses.

        Args:
            item: of :func:`monai_cortex.transforms.cortex_preprocessing`.

        Raises:
            ConfigError: a region is not among the labels.
        """
        if not self.doses_mm:
            return []
        if not self.labels:
            return [torch.ones(len(white.vertices), dtype=torch.float64) for white in item["white"]]
        names = list(item["label_names"])
        if missing := [name for name in self.labels if name not in names]:
            raise ConfigError(
                "a region of atrophy is not among the subject's labels",
                subject=str(item["subject"]),
                found=", ".join(missing),
                expected=", ".join(names[:12]) or "label/?h.aparc.annot beside the surfaces",
                remedy="set atrophy_labels to names of the annotation, or leave it empty for the whole cortex",
            )
        wanted = torch.tensor([names.index(name) for name in self.labels])
        return [
            region_taper(white, torch.isin(item["labels"][side], wanted), self.taper_mm)
            for side, white in zip(item["sides"], item["white"], strict=True)
        ]

    def surfaces(self, item: Mapping[str, Any], regions: Sequence[Tensor]) -> dict[float, list[Mesh]]:
        """Pial surfaces by dose in mm, in the order of the hemispheres.

        Args:
            item: with ``white`` and ``pial``.
            regions: see :meth:`regions`.
        """
        triples = list(zip(item["white"], item["pial"], regions, strict=True)) if self.doses_mm else []
        return {dose: [atrophy(white, pial, dose, region) for white, pial, region in triples] for dose in self.doses_mm}
