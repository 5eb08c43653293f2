"""A registered hemisphere on its target: what both have in common, and what the way there cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from monai_cortex.data import CorticalHemisphere
from monai_cortex.geometry.barycentric import Location, interpolate, locate, nearest_corner
from monai_cortex.geometry.distortion import areal_distortion, edge_distortion
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, standardize
from monai_cortex.geometry.sphere_registration import SphereRegistration
from monai_cortex.geometry.vertex_distortion import areal_at_vertices, edge_at_vertices
from monai_cortex.inferers.feature_sign import opposite_agreement
from monai_cortex.metrics import LabelOverlap, label_overlap, sphere_agreement

__all__ = ["CarriedHemisphere"]

_DIGITS = 5
_DOUBTFUL = 0.3  # agreement after rotation below which the other sign is tried: people's sulci have about 0.75
_CLEARER = 0.1  # by which the other sign must agree better


class CarriedHemisphere:
    """A hemisphere of a subject on the sphere of another one, after the rotation alone and after the registration.

    Args:
        native: of the subject, V vertices.
        target: of the fixed subject, T vertices.
        registration: of the two.

    Raises:
        ValueError: if the registration has not one place for each native vertex.
    """

    def __init__(
        self, native: CorticalHemisphere, target: CorticalHemisphere, registration: SphereRegistration
    ) -> None:
        vertices, faces = native.sphere
        if registration.places.shape != vertices.shape:
            raise ValueError(
                f"subject {native.subject}, {native.hemisphere}: need places of {len(vertices)} vertices, got shape "
                f"{tuple(registration.places.shape)}."
            )
        self.native, self.target, self.registration = native, target, registration
        self.places = registration.places.detach().cpu().double()
        self.rigid = Mesh(vertices @ registration.rotation.detach().cpu().to(vertices).T, faces)
        self.registered = Mesh(self.places, faces)

    @cached_property
    def areal(self) -> Tensor:
        """Areal distortion at the native vertices, ``(V,)``."""
        return areal_at_vertices(self.native.sphere.vertices, self.places, self.native.sphere.faces)

    @cached_property
    def edge(self) -> Tensor:
        """Edge distortion at the native vertices, ``(V,)``."""
        return edge_at_vertices(self.native.sphere.vertices, self.places, self.native.sphere.faces)

    @cached_property
    def scaled(self) -> Tensor:
        """Features in standard deviations, ``(C, V)``."""
        return standardize(self.native.values, vertex_areas(self.native.sphere))

    @cached_property
    def target_scaled(self) -> Tensor:
        """Features of the target in standard deviations, ``(C, T)``."""
        return standardize(self.target.values, vertex_areas(self.target.sphere))

    def carry(self, values: Tensor, *, rigid: bool = False) -> Tensor:
        """Values at the native vertices ``(C, V)``, read at those of the target, ``(C, T)``."""
        return interpolate(values, self.rigid if rigid else self.registered, self._location(rigid))

    def overlap(self, *, rigid: bool = False) -> LabelOverlap | None:
        """Overlap of both subjects' regions at the target's vertices; None where one of them has no labels."""
        if self.native.labels is None or self.target.labels is None:
            return None
        corner = nearest_corner(self.rigid if rigid else self.registered, self._location(rigid))
        return label_overlap(
            self.native.labels[corner],
            self.target.labels,
            self.native.label_names,
            self.target.label_names,
            vertex_areas(self.target.sphere),
        )

    def metrics(self, level: int) -> dict[str, float]:
        """Numbers by name, units in the names; agreement is that of the first feature on an icosphere."""
        before, faces = self.native.sphere
        numbers = self._agreement(level)
        distortions = {
            "areal": areal_distortion(before, self.places, faces),
            "edge": edge_distortion(before, self.places, faces),
        }
        for name, values in distortions.items():
            numbers[f"{name}_mean"] = values.mean().item()
            numbers |= {
                f"{name}_{part}": values.quantile(share).item() for part, share in (("median", 0.5), ("p95", 0.95))
            }
        numbers["scale"] = float(self.registration.scale)
        numbers["rotation_degree"] = _angle(self.registration.rotation)
        if self.registration.uncertainty is not None:
            numbers["uncertainty_mean_degree"] = self.registration.uncertainty.double().mean().item()
        numbers |= {"seconds": float(self.registration.seconds)} | self._dice()
        rounded = {name: round(value, _DIGITS) for name, value in numbers.items()}
        return rounded | {"new_folds": int(self.registration.folded)}

    def sign_note(self, feature: str, metrics: Mapping[str, float]) -> str:
        """A sentence where the first feature's sign seems to be opposite to the target's, otherwise nothing."""
        ncc = metrics["ncc_rigid"]
        if not ncc < _DOUBTFUL:  # of a constant map, it is not a number
            return ""
        opposite = opposite_agreement(
            SphereMap(self.target.sphere, self.target.values), SphereMap(self.native.sphere, self.native.values)
        )
        if ncc >= 0 and opposite < ncc + _CLEARER:
            return ""
        return (
            f"{self.native.hemisphere} {feature}: correlation with the target is {ncc:.2f} after the rotation and "
            f"{opposite:.2f} with its sign turned; {feature} seems to have the opposite sign (FreeSurfer's sulc is "
            "positive in sulci, other software's negative): multiply it by -1"
        )

    def _location(self, rigid: bool) -> Location:
        return self._locations[not rigid]

    @cached_property
    def _locations(self) -> tuple[Location, Location]:
        points = self.target.sphere.vertices
        return locate(points, self.rigid), locate(points, self.registered)

    def _agreement(self, level: int) -> dict[str, float]:
        grid = icosphere(level)
        areas = vertex_areas(grid)
        target = SphereMap(self.target.sphere, self.target.values[:1]).at(grid.vertices)
        rigid, registered = (
            sphere_agreement(SphereMap(mesh, self.native.values[:1]).at(grid.vertices), target, areas)
            for mesh in (self.rigid, self.registered)
        )
        return {"ncc_rigid": rigid.ncc.item(), "ncc": registered.ncc.item(), "mse": registered.mse.item()}

    def _dice(self) -> dict[str, float]:
        rigid, registered = self.overlap(rigid=True), self.overlap()
        if rigid is None or registered is None or not registered.dice.isfinite().any():
            return {}
        return {
            "dice_rigid": rigid.dice.nanmean().item(),
            "dice": registered.dice.nanmean().item(),
            "dice_area_weighted": registered.weighted.nanmean().item(),
        }


def _angle(rotation: Tensor) -> float:
    """Angle of a rotation in degree, accurate near 0 and 180 alike."""
    matrix = rotation.detach().cpu().double()
    skew = matrix - matrix.T
    sine = torch.stack([skew[2, 1], skew[0, 2], skew[1, 0]]).norm() / 2
    cosine = (matrix.trace() - 1) / 2
    return torch.rad2deg(torch.atan2(sine, cosine)).item()
