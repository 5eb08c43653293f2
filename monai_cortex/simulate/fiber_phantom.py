"""Fiber bundles on a grid of voxels, with their exact orientation distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import even_count, even_degree, harmonic_degrees, real_harmonics
from monai_cortex.simulate.fiber_bundle import FiberBundle
from monai_cortex.simulate.fiber_scene import FiberScene

__all__ = ["FiberPhantom", "fiber_phantom"]

_CHUNK = 1 << 16  # samples at once


@dataclass(frozen=True)
class FiberPhantom:
    """Truth on the grid.

    Attributes:
        tissues: volume fractions of white matter, gray matter and fluid, which sum to 1, ``(3, I, J, K)``.
        fods: coefficients of the orientation distribution of each bundle, exact to the degree asked for, of mass (f_00
            times sqrt(4 pi)) equal to the bundle's volume fraction, ``(B, n, I, J, K)``.
        fibers: for each bundle its mean direction times its volume fraction, world axes, ``(3 * B, I, J, K)``.
        bundles: volume fraction of each bundle, ``(B, I, J, K)``.
        endpoints: the voxels where each bundle starts and where it ends, ``(B, 2, I, J, K)`` bool.
        affine: voxel indices to mm, ``(4, 4)``.
    """

    tissues: Tensor
    fods: Tensor
    fibers: Tensor
    bundles: Tensor
    endpoints: Tensor
    affine: Tensor

    @property
    def fod(self) -> Tensor:
        """Coefficients of the orientation distribution, ``(n, I, J, K)``."""
        return self.fods.sum(0)

    def distinct_fod(self, minimum_fraction: float = 0.15, smoothing: float = 0.01) -> Tensor:
        """Orientation distribution that a scan of few directions can be expected to show, ``(n, I, J, K)``.

        A bundle whose fraction of a voxel is at most ``minimum_fraction`` is left out, unless it is the largest there;
        the others are scaled so that the fraction of white matter stays. Heat flow on the sphere for the time
        ``smoothing`` takes away the ringing of a truncated series.
        """
        kept = (self.bundles > minimum_fraction) | (self.bundles == self.bundles.amax(0))
        fod = (self.fods * kept[:, None]).sum(0)
        degrees = harmonic_degrees(even_degree(len(fod)), even=True)
        heat = torch.exp(-smoothing * degrees * (degrees + 1)).view(-1, 1, 1, 1)
        return heat * fod * (self.fods[:, 0].sum(0) / fod[0].clamp_min(torch.finfo(fod.dtype).tiny))


def fiber_phantom(
    scene: FiberScene,
    shape: Sequence[int] = (20, 20, 8),
    spacing: float = 2.0,
    samples: int = 3,
    degree: int = 16,
    rotation: Tensor | None = None,
) -> FiberPhantom:
    """Sample a scene in every voxel.

    Where bundles overlap they share the volume. Voxels at a border hold partial volumes, as fractions of the samples.

    Args:
        scene: bundles and background, in mm about the center of the grid.
        shape: voxels along the three axes.
        spacing: edge of a voxel in mm.
        samples: along each edge of a voxel; their cube is taken in each voxel.
        degree: largest even degree of the orientation distributions.
        rotation: of the grid against the world, ``(3, 3)``; None leaves the axes along the world's.

    Returns:
        The truth, float32 but for the affine.
    """
    affine = _affine(shape, spacing, rotation)
    points = _sample_points(shape, samples) @ affine[:3, :3].T + affine[:3, 3]
    directions = torch.stack([bundle.directions(points) for bundle in scene.bundles])
    inside = directions.any(2)
    share = inside / inside.sum(0).clamp_min(1)
    fluid = ~inside.any(0) & ~scene.is_gray(points)
    per_voxel = samples**3
    tissues = torch.stack([inside.any(0), ~inside.any(0) & ~fluid, fluid]).double()
    bundles = _voxel_mean(share, per_voxel)
    mean = _mean_axes(directions, share, per_voxel)
    fods = torch.stack([_distribution(*pair, degree, per_voxel) for pair in zip(directions, share, strict=True)])
    ends = torch.stack([_ends(*pair, points) for pair in zip(scene.bundles, inside, strict=True)])
    grid = tuple(shape)
    return FiberPhantom(
        tissues=_voxel_mean(tissues, per_voxel).view(3, *grid).float(),
        fods=fods.mT.unflatten(2, grid).float(),
        fibers=(mean * bundles[..., None]).movedim(2, 1).reshape(-1, *grid).float(),
        bundles=bundles.view(-1, *grid).float(),
        endpoints=(_voxel_mean(ends.double().flatten(0, 1), per_voxel) > 0).view(-1, 2, *grid),
        affine=affine,
    )


def _affine(shape: Sequence[int], spacing: float, rotation: Tensor | None) -> Tensor:
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = spacing * (torch.eye(3, dtype=torch.float64) if rotation is None else rotation.double())
    affine[:3, 3] = affine[:3, :3] @ -((torch.tensor(shape, dtype=torch.float64) - 1) / 2)
    return affine


def _sample_points(shape: Sequence[int], samples: int) -> Tensor:
    """Places in voxel indices, those of one voxel one after the other, ``(I * J * K * samples^3, 3)``."""
    inner = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples - 0.5
    offsets = torch.cartesian_prod(inner, inner, inner)
    voxels = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in shape))
    return (voxels[:, None] + offsets).flatten(0, 1)


def _voxel_mean(values: Tensor, per_voxel: int) -> Tensor:
    return values.unflatten(1, (-1, per_voxel)).mean(2)


def _mean_axes(directions: Tensor, share: Tensor, per_voxel: int) -> Tensor:
    """First eigenvectors of the mean dyadics: directions without a sign, ``(B, voxels, 3)``."""
    weighted = directions * share[..., None]
    dyads = torch.einsum("bvsi,bvsj->bvij", *(d.unflatten(1, (-1, per_voxel)) for d in (weighted, directions)))
    return torch.linalg.eigh(dyads).eigenvectors[..., -1]


def _distribution(directions: Tensor, weight: Tensor, degree: int, per_voxel: int) -> Tensor:
    """Mean over each voxel of weighted deltas, ``(voxels, n)``."""
    result = directions.new_zeros(len(directions) // per_voxel, even_count(degree))
    for rows in weight.nonzero()[:, 0].split(_CHUNK):
        deltas = weight[rows, None] * real_harmonics(directions[rows], degree, even=True)
        result.index_add_(0, rows // per_voxel, deltas, alpha=1 / per_voxel)
    return result


def _ends(bundle: FiberBundle, inside: Tensor, points: Tensor) -> Tensor:
    """Samples in the first and in the last twelfth of what the grid shows of a bundle, ``(2, samples)`` bool."""
    ends = torch.stack([inside, inside])
    if inside.any():
        seen = bundle.positions(points[inside])
        low, high = seen.min(), seen.max()
        reach = (high - low) / 12
        ends[:, inside] = torch.stack([seen <= low + reach, seen >= high - reach])
    return ends
