"""Displacement of one pair of images by optimization, from nothing or from a network's field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, interpolate, max_pool3d, pad
from tqdm import tqdm

from monai_cortex.geometry.displacement import compose, exponential, warp
from monai_cortex.losses.displacement_smoothness import displacement_smoothness
from monai_cortex.losses.score_weighted_ncc import ScoreWeightedNCCLoss

__all__ = ["FROM_NETWORK", "FROM_ZERO", "RefinementLevel", "RefinementOptions", "refine"]

_MODES = ("svf", "disp")
_SQUARINGS = 4
_FINEST = (4, 4, 1)  # voxels of a cell of the optimized field at the finest level
# Of the loss per voxel of displacement of the whole field: smaller slopes make smaller steps. Adam alone makes steps of
# one size of any slope, so that rounding would move equal images apart.
_SLOPE = 0.06


class RefinementLevel(NamedTuple):
    """One level of the optimization.

    Attributes:
        pooling: voxels along each axis that are averaged.
        window: edge of the correlation's window, in averaged voxels, odd.
        iterations: steps of the optimizer.
    """

    pooling: tuple[int, int, int]
    window: int
    iterations: int


# The slice axis is never pooled: heart scans have seven to ten true slices. A level at full resolution triples the time
# and adds folds, not overlap.
FROM_ZERO = (RefinementLevel((4, 4, 1), 5, 60), RefinementLevel((2, 2, 1), 7, 60))
FROM_NETWORK = (RefinementLevel((2, 2, 1), 7, 40),)


class RefinementOptions(NamedTuple):
    """How to optimize.

    Attributes:
        levels: coarse to fine; None is :data:`FROM_ZERO` or :data:`FROM_NETWORK`.
        smooth: weight of the whole field's roughness, see
            :func:`~monai_cortex.losses.displacement_smoothness.displacement_smoothness`, beside a correlation whose
            weight is 1.
        learning_rate: of Adam, in voxels of the level.
    """

    levels: Sequence[RefinementLevel] | None = None
    smooth: float = 5.0
    learning_rate: float = 0.1


def refine(  # noqa: PLR0913, PLR0917
    ddf0: Tensor | None,
    fixed: Tensor,
    moving: Tensor,
    mode: str = "svf",
    options: RefinementOptions | None = None,
    mask: Tensor | None = None,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    """Make two images more alike, by Adam on local correlation and smoothness, coarse to fine.

    Args:
        ddf0: field to start from in voxels, ``(B, 3, I, J, K)``; None starts from zero, which alone is a classical
            registration.
        fixed, moving: in [-1, 1], ``(B, 1, I, J, K)``.
        mode: "svf" follows a stationary velocity after ``ddf0``, which folds nothing that did not fold before; "disp"
            adds a displacement.
        options: levels, smoothness and step; None takes the standard.
        mask: where images are compared, 0 or 1, ``(B, 1, I, J, K)``.
        spacing: edges of a voxel in mm, for the roughness; None counts in voxels.

    Returns:
        Field in voxels, ``(B, 3, I, J, K)``; beyond the least box that holds the mask it is constant.

    Raises:
        ValueError: for another mode, or shapes that do not fit.
    """
    chosen = options or RefinementOptions()
    if mode not in _MODES:
        raise ValueError(f"mode is one of {', '.join(_MODES)}, got {mode!r}.")
    if fixed.shape != moving.shape:
        raise ValueError(f"the images' shapes differ, {tuple(fixed.shape)} and {tuple(moving.shape)}; resample one.")
    start = fixed.new_zeros(len(fixed), 3, *fixed.shape[2:]) if ddf0 is None else ddf0.detach()
    plan = (FROM_ZERO if ddf0 is None else FROM_NETWORK) if chosen.levels is None else chosen.levels
    everything = _Pair(fixed, moving, start, torch.ones_like(fixed) if mask is None else mask.to(fixed))
    if len(fixed) > 1:
        again = RefinementOptions(plan, chosen.smooth, chosen.learning_rate)
        pairs = [everything.alone(number) for number in range(len(fixed))]
        return torch.cat([refine(p.start, p.fixed, p.moving, mode, again, p.mask, spacing) for p in pairs])
    box = _box(everything.mask)
    pair = everything.inside(box)
    edges = spacing or (1.0, 1.0, 1.0)
    field = None
    with torch.enable_grad(), tqdm(total=sum(level.iterations for level in plan), desc="refining", disable=None) as bar:
        for level in plan:
            problem = _Problem(pair.pooled(level.pooling), mode, level, edges)
            field = problem.solve(field, chosen, bar)
    if field is None:
        return start
    found = _Problem(pair, mode, RefinementLevel((1, 1, 1), 1, 0), edges).total(field.values, field.edge)
    return _extended(found, box, start.shape[2:])


def _box(mask: Tensor) -> list[slice]:
    """Least box of voxels that holds a mask ``(B, 1, I, J, K)``; all voxels if it is empty.

    What lies beyond says nothing of the motion: to compute there takes time, and images that end at a padding seem to
    have an edge there, which pulls at the field.
    """
    found = (mask > 0).nonzero()[:, 2:]
    if not len(found):
        return [slice(0, size) for size in mask.shape[2:]]
    low, high = found.amin(0).tolist(), found.amax(0).tolist()
    return [slice(first, last + 1) for first, last in zip(low, high, strict=True)]


def _extended(field: Tensor, box: Sequence[slice], sizes: Sequence[int]) -> Tensor:
    """A field within a box on the whole grid, constant beyond."""
    ends = [(part.start, size - part.stop) for part, size in zip(box, sizes, strict=True)]
    return pad(field, [width for end in reversed(ends) for width in end], mode="replicate")


class _Pair(NamedTuple):
    fixed: Tensor
    moving: Tensor
    start: Tensor
    mask: Tensor

    def alone(self, number: int) -> _Pair:
        """One pair of a batch."""
        return _Pair(*(tensor[[number]] for tensor in self))

    def inside(self, box: Sequence[slice]) -> _Pair:
        """The part within a box of voxels."""
        rows, columns, slices = box
        return _Pair(*(tensor[:, :, rows, columns, slices] for tensor in self))

    def pooled(self, pooling: Sequence[int]) -> _Pair:
        """Averages over cells, the displacement in voxels of the coarser grid; the last cells may be padded."""
        sizes = self.fixed.shape[2:]
        beyond = [-size % pool for size, pool in zip(sizes, pooling, strict=True)]
        widths = [width for extra in reversed(beyond) for width in (0, extra)]
        images = [pad(tensor, widths, mode="replicate") for tensor in self[:3]]
        fixed, moving, start = (avg_pool3d(tensor, tuple(pooling)) for tensor in images)
        factor = self.start.new_tensor(list(pooling))[:, None, None, None]
        # A cell is image where all its voxels are.
        return _Pair(fixed, moving, start / factor, -max_pool3d(-pad(self.mask, widths), tuple(pooling)))


class _CoarseField(NamedTuple):
    """A field in voxels of the whole image, at cells of ``edge`` voxels each; the last cells may lie beyond it."""

    values: Tensor
    edge: tuple[int, ...]


class _Problem:
    """What is optimized at one level: a field in voxels of the whole image, on a grid of its own."""

    def __init__(self, pair: _Pair, mode: str, level: RefinementLevel, spacing: Sequence[float]) -> None:
        self.pair, self.mode, self.level = pair, mode, level
        self.spacing = [edge * pool for edge, pool in zip(spacing, level.pooling, strict=True)]
        self.correlation = ScoreWeightedNCCLoss(level.window)
        self.grid: tuple[int, ...] = tuple(pair.fixed.shape[2:])

    def solve(self, field: _CoarseField | None, options: RefinementOptions, bar: tqdm) -> _CoarseField:
        """The field after the level's steps."""
        images, pooling = self.pair, self.level.pooling
        cells = [max(1, least // pool) for least, pool in zip(_FINEST, pooling, strict=True)]
        edge = tuple(cell * pool for cell, pool in zip(cells, pooling, strict=True))
        own = tuple(-(-size // cell) for size, cell in zip(self.grid, cells, strict=True))
        begin = images.fixed.new_zeros(len(images.fixed), 3, *own)
        if field is not None:
            begin = _spread(field.values, [old / new for old, new in zip(field.edge, edge, strict=True)], own)
        found = begin.detach().requires_grad_()
        optimizer = torch.optim.Adam([found], options.learning_rate * max(pooling), eps=_SLOPE / found.numel())
        for _ in range(self.level.iterations):
            total = self.total(found, edge)
            moved = warp(images.moving, total)
            similarity = self.correlation((moved + 1) / 2, (images.fixed + 1) / 2, None, images.mask)
            loss = similarity + options.smooth * displacement_smoothness(total, self.spacing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.update()
        return _CoarseField(found.detach(), edge)

    def total(self, field: Tensor, edge: Sequence[int]) -> Tensor:
        """Displacement of the whole way in voxels of the level's image, on its grid."""
        ratio = [cell / pool for cell, pool in zip(edge, self.level.pooling, strict=True)]
        cells, pooling = (field.new_tensor(each)[:, None, None, None] for each in (ratio, self.level.pooling))
        if self.mode == "disp":
            return self.pair.start + _spread(field / pooling, ratio, self.grid)
        moved = exponential(field / (pooling * cells), _SQUARINGS) * cells
        return compose(self.pair.start, _spread(moved, ratio, self.grid))


def _spread(values: Tensor, ratio: Sequence[float], shape: Sequence[int]) -> Tensor:
    """Interpolate values at cells linearly to cells of another size, constantly beyond the outermost ones.

    Both grids begin at one place, whatever their ends: the ratio of sizes would drift where cells do not divide them.

    Args:
        values: ``(B, C, i, j, k)``.
        ratio: edges of these cells in edges of the new ones.
        shape: of the new grid.
    """
    beyond = [width for times in reversed(ratio) for width in (0, math.ceil(1 / times))]
    padded = pad(values, beyond, mode="replicate")
    finer = interpolate(
        padded, scale_factor=list(ratio), mode="trilinear", align_corners=False, recompute_scale_factor=False
    )
    rows, columns, slices = (slice(size) for size in shape)
    return finer[:, :, rows, columns, slices]
