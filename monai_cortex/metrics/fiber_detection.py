"""How many of the true fibers of each voxel are found, how precisely, and how many of the found ones are false."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import look_up_option
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = ["FiberDetection", "FiberDetectionMetric", "fiber_detection"]

_CHANNEL_FIRST = 4  # dimensions of (C, I, J, K)
_TIE = 1e-6  # amplitudes are float32 in files: a tie must not hang on their last digit


class FiberDetection(NamedTuple):
    """Agreement of peaks with true fibers; all but the sweep and its area at the threshold of the best F1.

    Attributes:
        pr_auc: area under precision over recall, 0 to 1.
        f1: largest F1 of the sweep, 2 TP / (2 TP + FP + FN), 0 to 1.
        angular_error: angle from a true fiber to the nearest peak in degree, 0 to 90.
        success: fraction of the voxels that miss no fiber and have no false one.
        fnr: false negative rate, FN / (TP + FN).
        fpr: false positive rate, FP / (TP + FP).
        threshold: relative amplitude of the best F1.
        thresholds, precision, recall: the sweep, float64 ``(19,)`` each.
    """

    pr_auc: float
    f1: float
    angular_error: float
    success: float
    fnr: float
    fpr: float
    threshold: float
    thresholds: Tensor
    precision: Tensor
    recall: Tensor


class _Match(NamedTuple):
    """Counts ``(P,)`` of each voxel and the mean angle from its fibers to their nearest peaks in degree ``(P,)``."""

    found: Tensor
    missed: Tensor
    false: Tensor
    angle: Tensor


def fiber_detection(
    peaks: ArrayLike | Tensor,
    truth: ArrayLike | Tensor,
    mask: ArrayLike | Tensor | None = None,
    *,
    number: int = 10,
    minimum_fraction: float = 0.15,
    merge_angle: float = 15.0,
    match_angle: float = 25.0,
) -> FiberDetection:
    """Compare peaks with true fibers over all voxels that have a true fiber, for thresholds 0.05, 0.10, ..., 0.95.

    A peak counts if its amplitude, relative to its voxel's highest, reaches the threshold (equal is enough, within
    1e-6). A fiber and a peak match if each is the other's nearest, antipodes being equal, and the angle is less than
    ``match_angle``; of equally near ones the stronger is taken, then the one listed first. TP, FP and FN are sums over
    voxels. Where no voxel has a peak, precision and ``fpr`` are 0. Of thresholds with equal F1 the lowest is the best.
    The area is that of the trapezoids between the points of the sweep, (recall 0, precision 1) and (1, 0), ordered by
    recall, then from high to low precision. The angular error is a mean over a voxel's fibers, whether they match or
    not, 90 degrees each where there is no peak, then a mean over voxels.

    Args:
        peaks: direction times amplitude, as rows of voxels ``(P, N, 3)``, channel-first ``(3 * N, I, J, K)`` or
            ``(I, J, K, N, 3)``, NaN or zero where there are fewer, in any order.
        truth: direction times volume fraction, in any of these forms; rows are voxels in C order.
        mask: voxels to count, ``(P,)``, ``(I, J, K)`` or ``(1, I, J, K)``; all by default.
        number: peaks to use of each voxel, the highest.
        minimum_fraction: only fibers of a larger volume fraction count (equal is not enough, within 1e-6).
        merge_angle: fibers closer than this angle in degree count as one. Merged before ``minimum_fraction`` applies,
            the closest pair first, until none is left: the sum of both vectors with aligned signs is its axis, the sum
            of both fractions its fraction.
        match_angle: fibers and peaks closer than this angle in degree can match.

    Returns:
        Rates as fractions, angles in degree.

    Raises:
        ValueError: for other shapes, for grids that differ, and if no voxel has a true fiber.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv 2411.11819, section 4 (PR-AUC, F1, angular error).
    """
    vectors, grid = _rows(peaks, "peaks")
    fibers, fiber_grid = _rows(truth, "truth")
    _check_grid(fiber_grid, grid, "truth")
    vectors, fibers = _strongest(vectors, number), _strongest(_merged(fibers.to(vectors), merge_angle))
    present = fibers.norm(dim=-1) > minimum_fraction + _TIE
    counted = present.any(1)
    if mask is not None:
        counted &= _mask_rows(mask, grid).to(counted.device)
    if not counted.any():
        raise ValueError(f"no voxel has a fiber of a fraction over {minimum_fraction}; check the truth and the mask.")
    vectors, fibers, present = vectors[counted], fibers[counted], present[counted]
    amplitude = vectors.norm(dim=-1)
    relative = amplitude / amplitude.amax(1, keepdim=True).clamp_min(torch.finfo(amplitude.dtype).tiny)
    angle = _axis_angle(fibers[:, :, None], vectors[:, None])
    thresholds = torch.arange(1, 20, dtype=torch.float64) / 20
    sweep = [_match(angle, present, relative >= float(t) - _TIE, match_angle) for t in thresholds]
    return _summary(thresholds, sweep)


class FiberDetectionMetric(CumulativeIterationMetric):
    """Mean over subjects of one number of :func:`fiber_detection`.

    Args:
        name: which one, a field of :class:`FiberDetection` such as ``f1`` or ``angular_error``.
        options: keyword arguments of :func:`fiber_detection`.

    Shape:
        peaks ``(B, 3 * N, I, J, K)`` and truth ``(B, 3 * M, I, J, K)``, or lists of them without B.
    """

    def __init__(self, name: str, **options: float) -> None:
        super().__init__()
        self.name = look_up_option(name, FiberDetection._fields[:7])
        self.options: dict[str, Any] = options

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:
        if y is None:
            raise ValueError("need peaks and the true fibers, got peaks alone.")
        pairs = zip(y_pred, y, strict=True)
        return torch.tensor([[getattr(fiber_detection(*pair, **self.options), self.name)] for pair in pairs])

    def aggregate(self) -> Tensor:
        """Mean over all subjects so far, a scalar."""
        return self.get_buffer().mean()


def _rows(values: ArrayLike | Tensor, name: str) -> tuple[Tensor, tuple[int, ...]]:
    """Vectors ``(P, N, 3)`` in float64, zero where not finite, and the grid that the P voxels come from."""
    vectors = torch.as_tensor(values).as_subclass(Tensor)
    if vectors.ndim == _CHANNEL_FIRST and len(vectors) and len(vectors) % 3 == 0:
        vectors = vectors.movedim(0, -1).unflatten(-1, (-1, 3))
    if vectors.ndim not in (3, 5) or vectors.shape[-1:] != (3,) or not vectors.shape[-2]:
        raise ValueError(
            f"{name} have shape (P, number, 3), (3 * number, I, J, K) or (I, J, K, number, 3), "
            f"got {tuple(vectors.shape)}."
        )
    finite = vectors.isfinite().all(-1, keepdim=True)
    return torch.where(finite, vectors, 0).double().flatten(0, -3), tuple(vectors.shape[:-2])


def _mask_rows(mask: ArrayLike | Tensor, grid: tuple[int, ...]) -> Tensor:
    inside = torch.as_tensor(mask).as_subclass(Tensor) > 0
    if inside.ndim == _CHANNEL_FIRST and len(inside) == 1:
        inside = inside[0]
    _check_grid(tuple(inside.shape), grid, "mask")
    return inside.flatten()


def _check_grid(found: tuple[int, ...], expected: tuple[int, ...], name: str) -> None:
    """Grids are equal; rows of voxels fit any grid of as many."""
    if found != expected and not (1 in (len(found), len(expected)) and math.prod(found) == math.prod(expected)):
        raise ValueError(f"peaks are on a grid of {expected} voxels, {name} on {found}; give both on the same grid.")


def _strongest(vectors: Tensor, number: int | None = None) -> Tensor:
    """The longest vectors of each voxel, the longest first, ``(P, number, 3)``."""
    order = vectors.norm(dim=-1).sort(dim=1, descending=True, stable=True).indices[:, :number]
    return vectors.gather(1, order[..., None].expand(-1, -1, 3))


def _axis_angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle in degree, 0 to 90, between the lines along vectors ``(..., 3)`` of any length."""
    first, second = torch.broadcast_tensors(first, second)
    # atan2 of the cross product keeps its digits near 0, where acos loses half of them.
    cross = torch.linalg.cross(first, second).norm(dim=-1)
    return torch.rad2deg(torch.atan2(cross, (first * second).sum(-1).abs()))


def _merged(fibers: Tensor, merge_angle: float) -> Tensor:
    """Join the closest two fibers of each voxel until no two are closer than the angle, ``(P, N, 3)``."""
    fibers, count = fibers.clone(), fibers.shape[1]
    first, second = torch.triu_indices(count, count, 1, device=fibers.device)
    rows = torch.arange(len(fibers) if count > 1 else 0, device=fibers.device)
    while len(rows):
        a, b = fibers[rows][:, first], fibers[rows][:, second]
        present = (a.norm(dim=-1) > 0) & (b.norm(dim=-1) > 0)
        least, pair = torch.where(present, _axis_angle(a, b), math.inf).min(1)
        rows, pair = rows[least < merge_angle], pair[least < merge_angle]
        a, b = fibers[rows, first[pair]], fibers[rows, second[pair]]
        axis = a + torch.where((a * b).sum(-1, keepdim=True) < 0, -b, b)
        fraction = a.norm(dim=-1, keepdim=True) + b.norm(dim=-1, keepdim=True)
        fibers[rows, first[pair]] = torch.nn.functional.normalize(axis, dim=-1) * fraction
        fibers[rows, second[pair]] = 0
    return fibers


def _match(angle: Tensor, present: Tensor, kept: Tensor, match_angle: float) -> _Match:
    """Pair fibers ``present (P, F)`` with peaks ``kept (P, N)`` by their angles ``(P, F, N)`` in degree."""
    angle = torch.where(present[:, :, None] & kept[:, None], angle, math.inf)
    least, peak = angle.min(2)
    mutual = angle.argmin(1).gather(1, peak) == torch.arange(present.shape[1], device=peak.device)
    fibers, found = present.sum(1), (mutual & (least < match_angle)).sum(1)
    error = torch.where(present, least.clamp_max(90), 0).sum(1) / fibers
    return _Match(found, fibers - found, kept.sum(1) - found, error)


def _summary(thresholds: Tensor, sweep: list[_Match]) -> FiberDetection:
    counts = torch.stack([torch.stack([m.found.sum(), m.missed.sum(), m.false.sum()]) for m in sweep]).double().cpu()
    found, missed, false = counts.unbind(1)
    precision, recall = found / (found + false).clamp_min(1), found / (found + missed)
    f1 = 2 * found / (2 * found + false + missed)
    best = int(f1.argmax())
    match = sweep[best]
    return FiberDetection(
        pr_auc=_area(precision, recall),
        f1=float(f1[best]),
        angular_error=float(match.angle.mean()),
        success=float((match.missed + match.false == 0).double().mean()),
        fnr=float(missed[best] / (found + missed)[best]),
        fpr=float(false[best] / (found + false)[best].clamp_min(1)),
        threshold=float(thresholds[best]),
        thresholds=thresholds,
        precision=precision,
        recall=recall,
    )


def _area(precision: Tensor, recall: Tensor) -> float:
    precision = torch.cat([precision, precision.new_tensor([1, 0])])
    recall = torch.cat([recall, recall.new_tensor([0, 1])])
    order = precision.sort(descending=True).indices
    order = order[recall[order].sort(stable=True).indices]
    return float(torch.trapezoid(precision[order], recall[order]))
