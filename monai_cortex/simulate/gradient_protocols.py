"""Gradient tables, from quick clinical scans to those of research."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import GradientTable
from monai_cortex.errors import ConfigError

__all__ = ["PROTOCOLS", "gradient_protocol", "random_protocol", "repulsed_directions"]

# Volumes at b = 0, then b-value in s/mm^2 and number of directions of each shell.
PROTOCOLS: Mapping[str, tuple[int, tuple[tuple[float, int], ...]]] = {
    "clinical_16": (4, ((1000, 16),)),
    "clinical_30": (4, ((1000, 30),)),
    "clinical_60": (4, ((1000, 60),)),
    "hardi_30": (4, ((3000, 30),)),
    "hardi_64": (4, ((3000, 64),)),
    "multishell_3x32": (6, ((1000, 32), (2000, 32), (3000, 32))),
    "multishell_3x64": (4, ((1000, 64), (2000, 64), (3000, 64))),
    "hcp": (18, ((1000, 90), (2000, 90), (3000, 90))),
}


def gradient_protocol(
    protocol: str | tuple[int, Sequence[tuple[float, int]]], generator: torch.Generator
) -> GradientTable:
    """Table of a protocol; directions are spread evenly in each shell, and turned by chance.

    Args:
        protocol: a name in ``PROTOCOLS``, or the number of volumes at b = 0 and (b in s/mm^2, directions) of shells.
        generator: source of chance.

    Returns:
        b-values in s/mm^2 and world directions, b = 0 first.

    Raises:
        ConfigError: no protocol has this name.
    """
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise ConfigError(
                "the gradient protocol is not known",
                found=protocol,
                expected=", ".join(PROTOCOLS),
                remedy="name one of these",
            )
        protocol = PROTOCOLS[protocol]
    unweighted, shells = protocol
    bvalues = [np.zeros(unweighted), *(np.full(count, float(b)) for b, count in shells)]
    vectors = [np.zeros((unweighted, 3)), *(repulsed_directions(n, generator).numpy() for _, n in shells)]
    return GradientTable(np.concatenate(bvalues), np.concatenate(vectors))


def random_protocol(
    bvalues: Sequence[float], directions: tuple[int, int], generator: torch.Generator
) -> tuple[int, list[tuple[float, int]]]:
    """Protocol with the given shells, to train on scans of many sites.

    Args:
        bvalues: of the shells in s/mm^2, without b = 0.
        directions: least and largest number in a shell; each shell has its own.
        generator: source of chance.

    Returns:
        Number of volumes at b = 0, from 1 to 6, and (b, directions) of each shell, for :func:`gradient_protocol`.
    """
    unweighted = int(torch.randint(1, 7, (), generator=generator))
    counts = torch.randint(directions[0], directions[1] + 1, (len(bvalues),), generator=generator).tolist()
    return unweighted, list(zip(bvalues, counts, strict=True))


def repulsed_directions(count: int, generator: torch.Generator, steps: int = 200) -> Tensor:
    """Directions spread over the sphere like antipodal pairs of equal charges.

    Args:
        count: number of directions N.
        generator: source of chance, for the start.
        steps: of gradient descent.

    Returns:
        Unit vectors ``(N, 3)``, float64.

    Reference:
        Jones, Horsfield, Simmons, Magn. Reson. Med. 42(3):515-525, 1999.
    """
    points = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=1)
    others = ~torch.eye(count, dtype=torch.bool)
    for step in range(steps):
        gap = points[:, None] - points[None]
        mirrored = points[:, None] + points[None]
        force = _repulsion(gap, others) + _repulsion(mirrored, others)
        force = force - (force * points).sum(1, keepdim=True) * points
        # The longest move shrinks from a fraction of the spacing to nothing.
        reach = 0.5 / count**0.5 * (1 - step / steps)
        points = torch.nn.functional.normalize(points + reach * force / force.norm(dim=1).max().clamp_min(1e-12), dim=1)
    return points


def _repulsion(gap: Tensor, others: Tensor) -> Tensor:
    """Sum of Coulomb forces along the gaps ``(N, N, 3)``, ``(N, 3)``."""
    distance = torch.where(others, gap.norm(dim=2), 1.0).clamp_min(1e-6)
    return (gap / distance[..., None] ** 3 * others[..., None]).sum(1)
