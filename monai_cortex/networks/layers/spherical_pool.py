"""Down and up one HEALPix level."""

from __future__ import annotations

from torch import Tensor, nn

from monai_cortex.geometry.hemisphere import HemisphericGraph, SphericalGraph, hemispheric_graph, spherical_graph
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["SphericalPool", "SphericalUnpool"]


class SphericalPool(nn.Module):
    """Mean of the four children of each vertex of the next coarser graph.

    Args:
        graph: the finer graph, of V vertices.

    Shape:
        ``(B, C, V, I, J, K)`` to ``(B, C, V/4, I, J, K)``.

    Raises:
        ValueError: if the graph has no coarser level.
    """

    child: Tensor

    def __init__(self, graph: SphericalGraph) -> None:
        super().__init__()
        if graph.nside == 1:
            raise ValueError("nside is 1 and cannot be halved; use a larger nside or fewer levels.")
        coarser = hemispheric_graph if isinstance(graph, HemisphericGraph) else spherical_graph
        self.register_buffer("child", coarser(graph.nside // 2).children, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return from_memory(to_memory(x)[self.child].mean(1))


class SphericalUnpool(nn.Module):
    """Copy of each vertex to its four children in the finer graph.

    Args:
        graph: the finer graph, of V vertices.

    Shape:
        ``(B, C, V/4, I, J, K)`` to ``(B, C, V, I, J, K)``.

    Raises:
        ValueError: if the graph has no coarser level.
    """

    parent: Tensor

    def __init__(self, graph: SphericalGraph) -> None:
        super().__init__()
        if graph.parent is None:
            raise ValueError("nside is 1 and has no coarser level; use a larger nside or fewer levels.")
        self.register_buffer("parent", graph.parent, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return from_memory(to_memory(x)[self.parent])
