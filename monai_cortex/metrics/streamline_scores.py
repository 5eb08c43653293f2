"""How many streamlines connect what they should, and how much of the true bundles they fill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = ["StreamlineScores", "streamline_scores"]

_CHUNK = 1000  # streamlines at once: bounds memory to about 100 MB


class StreamlineScores(NamedTuple):
    """Scores of a set of streamlines, the first three as fractions of all streamlines, their sum being 1.

    Attributes:
        valid: connect the two ends of a bundle and stay in its mask, dilated by one voxel.
        invalid: connect two regions, but not validly.
        unconnected: do not connect two regions.
        overlap: share of a bundle's voxels that its valid streamlines cross, mean over bundles, 0 to 1.
        overreach: voxels outside a bundle that its valid streamlines cross, as a fraction of the number of the
            bundle's voxels, mean over bundles, 0 or more.
        bundle_valid: valid streamlines of each bundle, a count ``(B,)``.
        bundle_overlap, bundle_overreach: of each bundle, float64 ``(B,)``.
    """

    valid: float
    invalid: float
    unconnected: float
    overlap: float
    overreach: float
    bundle_valid: Tensor
    bundle_overlap: Tensor
    bundle_overreach: Tensor


def streamline_scores(
    streamlines: Sequence[ArrayLike | Tensor],
    bundles: ArrayLike | Tensor,
    endpoints: ArrayLike | Tensor,
    affine: ArrayLike | Tensor,
) -> StreamlineScores:
    """Compare streamlines with true bundles, in the manner of the Tractometer.

    A streamline connects two regions if its first point lies in one and its last point in the other; back to the
    region it came from does not count. It crosses the voxels that its polyline enters, between its points too, and
    leaves a bundle that it runs out of, or the grid. The dilation takes the 26 neighbors. A streamline may be valid in
    several bundles that overlap; it counts once in ``valid``. Without any streamline, all scores are 0.

    Args:
        streamlines: points of each in RAS+ mm, ``(P, 3)``, P at least 1.
        bundles: voxels of each bundle, ``(B, I, J, K)``, true where above 0.
        endpoints: where each bundle starts and where it ends, ``(B, 2, I, J, K)``, true where above 0.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.

    Returns:
        Fractions, and counts of each bundle.

    Raises:
        ValueError: for other shapes, or a streamline without points.

    Reference:
        Cote et al., Medical Image Analysis 17(7):844-857, 2013 (Tractometer: connections, overlap, overreach); Renauld
        et al., Medical Image Analysis 90:102993, 2023 (validity by masks).
    """
    masks, ends = _true(bundles), _true(endpoints)
    if masks.ndim != 4 or ends.shape != (len(masks), 2, *masks.shape[1:]):  # noqa: PLR2004
        raise ValueError(
            "need bundles (B, I, J, K) and endpoints (B, 2, I, J, K) on one grid, "
            f"got {tuple(masks.shape)} and {tuple(ends.shape)}."
        )
    grid = masks.shape[1:]
    dilated = torch.nn.functional.max_pool3d(masks[:, None].float(), 3, 1, 1)[:, 0] > 0
    to_voxels = torch.linalg.inv(torch.as_tensor(affine).cpu().double())
    crossed = torch.zeros_like(masks).flatten(1)
    bundle_valid, valid, invalid = torch.zeros(len(masks), dtype=torch.int64), 0, 0
    for points, lengths in _chunks(streamlines, to_voxels):
        joins, connected = _connections(points, lengths, ends)
        voxels, owner = _crossed(points, lengths)
        outside = ~_at(dilated, voxels)
        left = torch.zeros(len(lengths), len(masks), dtype=torch.int64).index_add_(0, owner, outside.long())
        good = joins & (left == 0)
        point, bundle = good[owner].nonzero(as_tuple=True)
        crossed[bundle, _flat(voxels[point], grid)] = True
        bundle_valid += good.sum(0)
        valid += int(good.any(1).sum())
        invalid += int((connected & ~good.any(1)).sum())
    return _scores(len(streamlines), valid, invalid, bundle_valid, crossed, masks.flatten(1))


def _true(values: ArrayLike | Tensor) -> Tensor:
    return torch.as_tensor(values).as_subclass(Tensor).cpu() > 0


def _chunks(streamlines: Sequence[ArrayLike | Tensor], to_voxels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Points of some streamlines after the other in voxel indices ``(Q, 3)``, and how many each has ``(S,)``."""
    for start in range(0, len(streamlines), _CHUNK):
        lines = [torch.as_tensor(line).cpu().double() for line in streamlines[start : start + _CHUNK]]
        lengths = torch.tensor([len(line) for line in lines])
        if not lengths.all() or any(line.shape[1:] != (3,) for line in lines):
            raise ValueError("a streamline needs points (P, 3), P at least 1, got one of another shape.")
        yield torch.cat(lines) @ to_voxels[:3, :3].T + to_voxels[:3, 3], lengths


def _connections(points: Tensor, lengths: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Whether streamlines join the ends of each bundle ``(S, B)``, and whether they join any two regions ``(S,)``."""
    stops = lengths.cumsum(0)
    first, last = (
        _at(ends.flatten(0, 1), _voxel(points[index])).unflatten(1, (-1, 2)) for index in (stops - lengths, stops - 1)
    )
    joins = (first & last.flip(2)).any(2)
    pairs = first.sum((1, 2)) * last.sum((1, 2)) - (first & last).sum((1, 2))
    return joins, pairs > 0


def _crossed(points: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Voxels that polylines enter ``(Q, 3)``, repeatedly, and the number of the polyline ``(Q,)``."""
    last = lengths.cumsum(0) - 1
    segment = points.roll(-1, 0) - points
    segment[last] = 0  # a polyline of one point is a segment without length
    # Shorter than a voxel along each axis: a piece crosses at most one plane between voxels along each.
    pieces = segment.abs().amax(1).floor().long() + 1
    index = torch.repeat_interleave(pieces)
    number = torch.arange(len(index)) - (pieces.cumsum(0) - pieces)[index]
    step = (segment / pieces[:, None])[index]
    start = points[index] + number[:, None] * step
    before, after = _voxel(start), _voxel(start + step)
    plane = torch.maximum(before, after) - 0.5
    crossing = torch.where(before == after, 1.0, (plane - start) / step).sort(1).values
    cuts = torch.nn.functional.pad(torch.nn.functional.pad(crossing, (0, 1), value=1.0), (1, 0))
    piece, part = (cuts.diff(dim=1) > 0).nonzero(as_tuple=True)
    middle = (cuts[piece, part] + cuts[piece, part + 1]) / 2
    owner = torch.repeat_interleave(lengths)[index]
    return _voxel(start[piece] + middle[:, None] * step[piece]), owner[piece]


def _voxel(points: Tensor) -> Tensor:
    return (points + 0.5).floor().long()


def _at(masks: Tensor, voxels: Tensor) -> Tensor:
    """Values of masks ``(M, I, J, K)`` at voxels ``(Q, 3)``, false beyond the grid, ``(Q, M)``."""
    grid = masks.shape[1:]
    inside = ((voxels >= 0) & (voxels < torch.tensor(grid))).all(1)
    return masks.flatten(1).T[_flat(voxels * inside[:, None], grid)] & inside[:, None]


def _flat(voxels: Tensor, grid: Sequence[int]) -> Tensor:
    return (voxels[:, 0] * grid[1] + voxels[:, 1]) * grid[2] + voxels[:, 2]


def _scores(
    total: int, valid: int, invalid: int, bundle_valid: Tensor, crossed: Tensor, masks: Tensor
) -> StreamlineScores:
    size = masks.sum(1).clamp_min(1).double()
    overlap, overreach = (crossed & masks).sum(1) / size, (crossed & ~masks).sum(1) / size
    unconnected, total = total - valid - invalid, max(total, 1)
    return StreamlineScores(
        valid=valid / total,
        invalid=invalid / total,
        unconnected=unconnected / total,
        overlap=float(overlap.mean()),
        overreach=float(overreach.mean()),
        bundle_valid=bundle_valid,
        bundle_overlap=overlap,
        bundle_overreach=overreach,
    )
