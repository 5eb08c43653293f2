"""White and pial surface of an image, found from surfaces that lie near."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from torch import Tensor

from monai_cortex.geometry.atrophy import partner_thickness
from monai_cortex.geometry.cell_coverage import cell_coverage
from monai_cortex.geometry.distortion import mesh_edges
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.tissue_levels import TissueLevels, tissue_levels
from monai_cortex.geometry.vertex_normals import vertex_normals
from monai_cortex.geometry.volume_sampling import ray_crossings, sample_volume

__all__ = ["ReconstructedSurfaces", "jitter_surfaces", "reconstruct_surfaces"]

_CORTEX = 0.5  # mm: where the surfaces are closer at the start there is no cortex, and nothing to be found
_GAP = 0.1  # mm that stay between partners
_FAR, _NEAR = 3.0, 1.5  # mm that are searched on both sides, in the first half of the search and after
_MARGIN = 2.0  # mm of image that a vertex needs on both sides
_STRIDE = 1.0  # mm that a vertex moves at most at once
_SETTLED = 0.5  # mm from its boundary at which a vertex counts as found
_BLEND = 0.3  # of the neighbors' mean in a smoothing pass
_SMOOTH = 3.0  # mm: finer meshes take more passes, so that smoothing reaches as far
_ROUGH = 5.0  # mm over which a jitter changes
_FILL = 40  # passes in which vertices without boundary learn from their neighbors


class ReconstructedSurfaces(NamedTuple):
    """What was found.

    Attributes:
        white, pial: vertices ``(V, 3)`` in mm, with the faces of the start.
        white_found, pial_found: share of the seen vertices that ended within 0.5 mm of a boundary, in [0, 1].
        seen: vertices of the cortex that the image shows with 2 mm around at the start, bool ``(V,)``: the ones to
            measure.
        levels: of the tissues, which the boundaries lie between.
    """

    white: Mesh
    pial: Mesh
    white_found: float
    pial_found: float
    seen: Tensor
    levels: TissueLevels


def reconstruct_surfaces(  # noqa: PLR0913
    image: Tensor,
    affine: ArrayLike | Tensor,
    white: Mesh,
    pial: Mesh,
    levels: TissueLevels | None = None,
    iterations: int = 10,
    corrections: int = 4,
) -> ReconstructedSurfaces:
    """Move both surfaces along their normals to where the image is halfway between two tissues.

    Moves, not places, are smoothed over neighbors: that keeps the mesh even and shrinks nothing. Partial volume puts
    the half contrast of a curved or thin cortex beside its boundary. The corrections therefore draw the image that the
    surfaces of the moment would have, find the half contrast in it too, and move the vertices by the difference; what
    the drawing does not hold, such as another hemisphere or blur, is not corrected for. Vertices with less than 0.5 mm
    between the surfaces at the start, as on the medial wall, follow their neighbors. Partners stay 0.1 mm apart.

    The image may show a part of the surfaces: the rest follows the vertices that it shows, and counts nowhere.
    Nothing is found in an image without contrast: the surfaces are then those of the start, and the shares 0.

    Args:
        image: one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        white, pial: where to start, closed, vertices ``(V, 3)`` in mm, the same faces; both hemispheres as one mesh
            where the image shows both.
        levels: of the tissues; None reads them in the image beside the surfaces.
        iterations: moves to the half contrast.
        corrections: moves after these; 0 where partial volume should be left uncorrected.

    Returns:
        The surfaces, and the share of vertices that found a boundary.

    Raises:
        GeometryError: the surfaces are not partners, or the affine does not place the image.

    Reference:
        The place of V2C-Flow in Bongratz et al., arXiv 2601.19498, which needs weights that are not published; template
        deformation by profiles along normals goes back to Dale, Fischl, Sereno, NeuroImage 9(2):179-194, 1999.
    """
    search = _Search(image.detach().cpu().as_subclass(Tensor).double(), affine, white, pial)
    seen, estimate = search.seen(), levels is None
    levels = tissue_levels(image, affine, white, pial) if levels is None else levels
    offsets = torch.full((2, len(white.vertices)), torch.nan, dtype=torch.float64)
    for number in range(iterations + corrections if levels.direction() else 0):
        if estimate and number == iterations // 2:
            levels = tissue_levels(image, affine, *search.surfaces())
        reach = _FAR if number < iterations // 2 else _NEAR
        offsets = search.offsets(levels, reach, corrected=number >= iterations)
        search.move(offsets)
    found = (offsets[:, seen].abs() <= _SETTLED).double().mean(1).nan_to_num(0.0)
    return ReconstructedSurfaces(*search.surfaces(), float(found[0]), float(found[1]), seen, levels)


class _Search:
    """Both surfaces at one moment, and the image they are moved in."""

    def __init__(self, image: Tensor, affine: ArrayLike | Tensor, white: Mesh, pial: Mesh) -> None:
        thickness = partner_thickness(white, pial).cpu().double()
        self.image, self.affine, self.faces = image, affine, white.faces.cpu()
        self.places = [mesh.vertices.detach().cpu().double() for mesh in (white, pial)]
        self.cortex = thickness >= _CORTEX
        self.apart = self.places[1] - self.places[0]
        self.smoothing = _Smoothing(Mesh(self.places[0], self.faces))

    def surfaces(self) -> tuple[Mesh, Mesh]:
        return Mesh(self.places[0], self.faces), Mesh(self.places[1], self.faces)

    def seen(self) -> Tensor:
        """Vertices of the cortex with the image around, bool ``(V,)``."""
        around = [m.vertices + side * vertex_normals(m) for m in self.surfaces() for side in (-_MARGIN, _MARGIN)]
        return self.cortex & sample_volume(self.image, self.affine, torch.stack(around)).isfinite().all(0)

    def offsets(self, levels: TissueLevels, reach: float, corrected: bool) -> Tensor:
        """How far outward each vertex' boundary lies, mm, ``(2, V)``; NaN where there is none."""
        sign, rows = levels.direction(), []
        drawn = self._drawn(levels) if corrected else None
        for mesh, level in zip(self.surfaces(), levels.halfway(), strict=True):
            rays = mesh.vertices, vertex_normals(mesh)
            offset = _nearest_crossing(sign * self.image, self.affine, *rays, sign * level, reach)
            if drawn is not None:
                offset -= _nearest_crossing(sign * drawn, self.affine, *rays, sign * level, reach)
            rows.append(offset.where(self.cortex, torch.nan))
        return torch.stack(rows)

    def move(self, offsets: Tensor) -> None:
        for number, (mesh, offset) in enumerate(zip(self.surfaces(), offsets, strict=True)):
            shift = self.smoothing(self.smoothing.fill(offset.clamp(-_STRIDE, _STRIDE)))
            self.places[number] = mesh.vertices + shift[:, None] * vertex_normals(mesh)
        self.places[1] = _nested(self.places[0], self.places[1], self.apart, _GAP)

    def _drawn(self, levels: TissueLevels) -> Tensor:
        """The image that the surfaces would have."""
        inner, outer = (cell_coverage(mesh, self.image.shape, self.affine).double() for mesh in self.surfaces())
        outer = torch.maximum(inner, outer)
        return levels.csf + (levels.gray - levels.csf) * outer + (levels.white - levels.gray) * inner


class _Smoothing:
    """Averages over neighbors on a mesh, for values at its vertices ``(V,)``."""

    def __init__(self, mesh: Mesh) -> None:
        i, j = (part.numpy() for part in mesh_edges(mesh.faces).unbind(1))
        count = len(mesh.vertices)
        ones = np.ones(2 * len(i))
        self.links = csr_matrix((ones, (np.r_[i, j], np.r_[j, i])), shape=(count, count))
        self.edge = float((mesh.vertices[i] - mesh.vertices[j]).norm(dim=1).mean())

    def __call__(self, values: Tensor, length: float = _SMOOTH) -> Tensor:
        """Smooth values over about a length in mm; a vertex without neighbors keeps its own."""
        everywhere = torch.ones_like(values)
        for _ in range(self.passes(length)):
            values = (1 - _BLEND) * values + _BLEND * self._mean(values, everywhere)
        return values

    def passes(self, length: float) -> int:
        """Passes that reach as far as a length: variances add up."""
        return max(1, round((length / self.edge) ** 2))

    def fill(self, values: Tensor) -> Tensor:
        """Give vertices that are NaN the mean of their neighbors, ring by ring; 0 beyond the last ring."""
        known, values = values.isfinite(), values.nan_to_num(0.0)
        first = known
        for _ in range(_FILL):
            means = self._mean(values, known.double())
            values = torch.where(first, values, means)
            known = known | (torch.from_numpy(self.links @ known.double().numpy()) > 0)
        return values

    def _mean(self, values: Tensor, weights: Tensor) -> Tensor:
        total, sums = (torch.from_numpy(self.links @ part.numpy()) for part in (weights, weights * values))
        return torch.where(total > 0, sums / total.clamp_min(1), values)


def _nearest_crossing(  # noqa: PLR0913
    image: Tensor, affine: ArrayLike | Tensor, points: Tensor, normals: Tensor, level: float, reach: float
) -> Tensor:
    """Where the image, which darkens outward, passes a level nearest to each point, mm outward, ``(V,)``."""
    outward = ray_crossings(image, affine, points, normals, level, 0.0, reach)
    inward = ray_crossings(-image, affine, points, normals, -level, 0.0, -reach)
    first = outward.nan_to_num(torch.inf) <= inward.abs().nan_to_num(torch.inf)
    return torch.where(first, outward, inward)


def jitter_surfaces(
    white: Mesh, pial: Mesh, jitter_mm: float = 1.0, generator: torch.Generator | None = None
) -> tuple[Mesh, Mesh]:
    """Move both surfaces along their normals by random amounts, so that a search cannot start at its end.

    The amounts are uniform between -jitter and jitter at each vertex, change over about 5 mm, and are independent for
    the two surfaces; where these meet, as on the medial wall, they move together. Partners stay 0.5 mm apart.

    Args:
        white, pial: vertices ``(V, 3)`` in mm, the same faces.
        jitter_mm: largest amount, mm.
        generator: of the random numbers; None takes torch's own.

    Returns:
        White and pial surface, float64.

    Raises:
        GeometryError: the surfaces are not partners.
    """
    partner_thickness(white, pial)  # refuses what are no partners
    apart = (pial.vertices - white.vertices).detach().cpu().double()
    places = []
    for vertices in (white.vertices, pial.vertices):
        mesh = Mesh(vertices.detach().cpu().double(), white.faces.cpu())
        smooth = _Smoothing(mesh)
        noise = smooth(torch.randn(len(vertices), generator=generator, dtype=torch.float64), _ROUGH)
        # From any distribution to the uniform one: by rank.
        amount = (2 * (noise.argsort().argsort() + 0.5) / len(noise) - 1) * jitter_mm
        places.append(mesh.vertices + amount[:, None] * vertex_normals(mesh))
    return Mesh(places[0], white.faces.cpu()), Mesh(_nested(places[0], places[1], apart, _CORTEX), pial.faces.cpu())


def _nested(white: Tensor, pial: Tensor, apart: Tensor, gap: float) -> Tensor:
    """Pial vertices that stay a gap away from their partners; without cortex between, as far as at the start."""
    thickness = apart.norm(dim=1, keepdim=True)
    outward = apart / thickness.clamp_min(_CORTEX)
    missing = (gap - ((pial - white) * outward).sum(1, keepdim=True)).clamp_min(0)
    return torch.where(thickness >= _CORTEX, pial + missing * outward, white + apart)
