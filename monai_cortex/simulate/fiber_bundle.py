"""Bundles of fibers: tubes about a centerline, wide or narrow, straight or bent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["FiberBundle", "arc", "fanning", "kissing", "straight"]

_CHUNK = 1 << 15  # points at once: bounds memory to about 100 MB


@dataclass(frozen=True)
class FiberBundle:
    r"""A tube with fibers at constant fractions of its radius.

    Where the radius changes, fibers lean away from the centerline: at an offset o from it, they run along
    :math:`t + (r'/r)\, o`, t being the tangent and r' the change of the radius along the line.

    Attributes:
        centerline: points of a polyline in mm, ``(P, 3)``, P at least 2.
        radius: of the tube at each point in mm, ``(P,)``.
    """

    centerline: Tensor
    radius: Tensor

    def directions(self, points: Tensor) -> Tensor:
        """Fiber directions at points in mm ``(Q, 3)``: unit vectors, zero outside the tube, ``(Q, 3)``."""
        return torch.cat([self._directions(chunk) for chunk in points.split(_CHUNK)])

    def positions(self, points: Tensor) -> Tensor:
        """Place along the centerline at points in mm ``(Q, 3)``: 0 at its start, 1 at its end, ``(Q,)``."""
        return torch.cat([self._nearest(chunk)[0] for chunk in points.split(_CHUNK)]) / (len(self.centerline) - 1)

    def _nearest(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Index of the nearest place on the polyline, fractional, and the offset from it in mm."""
        start, step = self.centerline[:-1], self.centerline.diff(dim=0)
        along = torch.einsum("qsc,sc->qs", points[:, None] - start, step) / step.square().sum(1)
        offset = points[:, None] - start - along.clamp(0, 1)[..., None] * step
        segment = offset.norm(dim=2).argmin(1)
        place = along.gather(1, segment[:, None])[:, 0]
        # Beyond the ends the place runs on, so that callers see who is outside.
        low = torch.where(segment == 0, -torch.inf, 0.0)
        high = torch.where(segment == len(step) - 1, torch.inf, 1.0)
        return segment + place.clamp(low, high), offset.gather(1, segment[:, None, None].expand(-1, 1, 3))[:, 0]

    def _directions(self, points: Tensor) -> Tensor:
        place, offset = self._nearest(points)
        last = len(self.centerline) - 1
        tangent = _interpolate(torch.gradient(self.centerline, dim=0, edge_order=min(last, 2))[0], place)
        length = tangent.norm(dim=1, keepdim=True)
        radius = _interpolate(self.radius[:, None], place)
        slope = _interpolate(torch.gradient(self.radius)[0][:, None], place) / length
        fibers = torch.nn.functional.normalize(tangent / length + slope / radius * offset, dim=1)
        inside = (offset.norm(dim=1) <= radius[:, 0]) & (place >= 0) & (place <= last)
        return fibers * inside[:, None]


def straight(start: Tensor, end: Tensor, radius: float) -> FiberBundle:
    """Straight bundle between two points ``(3,)``, all in mm."""
    return fanning(start, end, radius, radius)


def fanning(start: Tensor, end: Tensor, start_radius: float, end_radius: float) -> FiberBundle:
    """Bundle between two points ``(3,)`` about a straight line, whose fibers spread like rays, all in mm."""
    return FiberBundle(
        torch.stack([start, end]).double(), torch.tensor([start_radius, end_radius], dtype=torch.float64)
    )


def arc(middle: Tensor, tangent: Tensor, normal: Tensor, bend: float, length: float, radius: float) -> FiberBundle:
    """Bundle along a circular arc.

    Args:
        middle: point of the arc half way in mm, ``(3,)``.
        tangent: unit vector along the fibers there, ``(3,)``.
        normal: unit vector towards the center of the circle, at right angles to ``tangent``, ``(3,)``.
        bend: radius of the circle in mm.
        length: of the arc in mm.
        radius: of the tube in mm.
    """
    angle = torch.linspace(-length / 2, length / 2, 33, dtype=torch.float64)[:, None] / bend
    line = middle + bend * (angle.sin() * tangent + (1 - angle.cos()) * normal)
    return FiberBundle(line, torch.full((len(line),), radius, dtype=torch.float64))


def kissing(
    middle: Tensor, tangent: Tensor, normal: Tensor, bend: float, length: float, radius: float
) -> tuple[FiberBundle, FiberBundle]:
    """Two arcs that touch in ``middle`` and bend away from each other; arguments as in :func:`arc`."""
    return (
        arc(middle + radius * normal, tangent, normal, bend, length, radius),
        arc(middle - radius * normal, tangent, -normal, bend, length, radius),
    )


def _interpolate(values: Tensor, place: Tensor) -> Tensor:
    """Linear between the points of the polyline, constant beyond its ends."""
    place = place.clamp(0, len(values) - 1)
    low = place.floor().long().clamp_max(len(values) - 2)
    share = (place - low)[:, None]
    return (1 - share) * values[low] + share * values[low + 1]
