"""The sphere: folded transforms against dense products, walking against a tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.case import Case, Pair
from benchmarks.spherical_diffusion_registration.tree_location import locate_by_tree
from monai_cortex.geometry.barycentric import locate
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.networks.layers import SphericalHarmonicTransform

__all__ = ["CASES"]

_LEVEL, _DEGREE = 6, 40
_JITTER = 0.15  # of the edges' length: as irregular as a subject's own sphere


def _analysis(batch: int, device: torch.device) -> Pair:
    """Both without refinement, which ours has for nothing and the dense product at three times its cost."""
    mesh = icosphere(_LEVEL)
    transform = SphericalHarmonicTransform(mesh, _DEGREE, refinements=0).to(device)
    dense = (real_harmonics(mesh.vertices, _DEGREE) * vertex_areas(mesh)[:, None]).float().to(device)
    values = _normal(1, batch, len(mesh.vertices)).to(device)
    return Pair(partial(_without_gradients, transform, values), lambda: values @ dense)


def _synthesis(batch: int, device: torch.device) -> Pair:
    mesh = icosphere(_LEVEL)
    transform = SphericalHarmonicTransform(mesh, _DEGREE).to(device)
    dense = real_harmonics(mesh.vertices, _DEGREE).float().T.contiguous().to(device)
    coefficients = _normal(1, batch, len(dense)).to(device)
    return Pair(partial(_without_gradients, transform.inverse, coefficients), lambda: coefficients @ dense)


def _location(irregular: bool, device: torch.device) -> Pair:  # noqa: ARG001
    """All vertices, rotated, on their own mesh, its preparation included; compared by the weights' products."""
    mesh = icosphere(_LEVEL)
    if irregular:
        noise = _JITTER * 2.0**-_LEVEL * _normal(len(mesh.vertices), 3).double()
        mesh = Mesh(torch.nn.functional.normalize(mesh.vertices + noise, dim=1), mesh.faces)
    points = mesh.vertices @ random_rotation(torch.Generator().manual_seed(0)).T
    arrays = [array.numpy() for array in (points, *mesh)]

    def product(face: Tensor, weights: Tensor) -> Tensor:
        # Points on a side belong to two triangles: where they are is compared, not the number of the triangle.
        return (mesh.vertices[mesh.faces[face]] * weights[..., None]).sum(1)

    return Pair(
        lambda: product(*locate(points, mesh)),
        lambda: product(*map(torch.from_numpy, locate_by_tree(*arrays))),
    )


@torch.no_grad()
def _without_gradients(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    return function(values)


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


_MESH = f"{10 * 4**_LEVEL + 2:,} vertices"
_FOLDED, _DENSE = "one octant", "dense product"
_QUARTER = 1 / 4

CASES = {
    **{
        f"{name}_{n}": Case(
            f"{name}, {_MESH}, L = {_DEGREE}, {n} maps",
            _FOLDED,
            _DENSE,
            partial(build, n),
            _QUARTER,
            measure_memory=False,
        )
        for name, build in (("analysis", _analysis), ("synthesis", _synthesis))
        for n in (1, 8, 64)
    },
    **{
        f"location_{name}": Case(
            f"{_MESH} on their own {name} mesh, rotated",
            "walk from triangle to triangle",
            "tree of centers, growing lists",
            partial(_location, name == "irregular"),
            1 / 5,
            measure_memory=False,
        )
        for name in ("regular", "irregular")
    },
}
