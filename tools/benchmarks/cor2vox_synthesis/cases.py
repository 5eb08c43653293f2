"""Signed distances of a cortex against libigl, on the whole grid and at the nodes of the band alone."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.case import Case, MissingToolError, Pair
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance

__all__ = ["CASES"]

_SIZE, _BAND = 128, 5.0
_FIELD = 181.76  # edge of the grid in mm


def _tool(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingToolError(f"{name} is not installed") from error


def _cortex(splits: int) -> Mesh:
    """Left pial surface of fsaverage5, each triangle split into four so many times."""
    file = _tool("nilearn.datasets").fetch_surf_fsaverage("fsaverage5")["pial_left"]
    surface = _tool("nilearn.surface").load_surf_mesh(file)
    mesh = Mesh(torch.as_tensor(surface.coordinates).double(), torch.as_tensor(surface.faces).long())
    for _ in range(splits):
        mesh = _split(mesh)
    return mesh


def _split(mesh: Mesh) -> Mesh:
    sides = torch.stack([mesh.faces, mesh.faces.roll(-1, 1)], -1)
    edges, number = sides.reshape(-1, 2).sort(1).values.unique(dim=0, return_inverse=True)
    middle = number.reshape(-1, 3) + len(mesh.vertices)
    corners = torch.stack([mesh.faces, middle, middle.roll(1, 1)], -1).reshape(-1, 3)
    return Mesh(torch.cat([mesh.vertices, mesh.vertices[edges].mean(1)]), torch.cat([corners, middle]))


def _distance(splits: int, band_only: bool, device: torch.device) -> Pair:  # noqa: ARG001
    igl, mesh = _tool("igl"), _cortex(splits)
    affine = torch.eye(4, dtype=torch.float64) * _FIELD / _SIZE
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    affine[:3, 3], affine[3, 3] = (low + high) / 2 - affine[0, 0] * (_SIZE - 1) / 2, 1
    index = np.indices((_SIZE,) * 3).reshape(3, -1).T
    points = index @ affine[:3, :3].numpy().T + affine[:3, 3].numpy()
    compute = partial(signed_distance, mesh, (_SIZE,) * 3, affine, _BAND)
    near = np.flatnonzero(compute().abs().numpy() < _BAND) if band_only else slice(None)
    vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()

    def reference() -> Tensor:
        kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        return torch.from_numpy(igl.signed_distance(points[near], vertices, faces, sign_type=kind)[0])

    return Pair(lambda: compute().flatten()[near], lambda: reference().clamp(-_BAND, _BAND))


CASES = {
    f"{name}_{where}": Case(
        f"{faces} triangles, {_SIZE}^3, band {_BAND:.0f} mm",
        "blocks of eight nodes, patches of triangles",
        f"libigl pseudonormal, {'nodes of the band' if where == 'band' else 'all nodes'}",
        partial(_distance, splits, where == "band"),
        1 / 5 if where == "band" else 1 / 40,
        measure_memory=False,
        repeats=5,
    )
    for name, splits, faces in (("fsaverage5", 0, "20,480"), ("dense", 2, "327,680"))
    for where in ("band", "grid")
}
