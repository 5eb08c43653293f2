"""The hemispherical convolution as the papers write it: stack of polynomials, then one dense convolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_cortex.geometry.graph import chebyshev_stack
from monai_cortex.geometry.hemisphere import SphericalGraph
from monai_cortex.networks.layers import HemisphericalConv

__all__ = ["PlainConvolution"]


class PlainConvolution(nn.Module):
    """Precomputed polynomials of the Laplacian, then ``conv3d`` over all K * C_in channels and 27 taps.

    Vertices come first, so that one matrix product makes the input of the convolution without a copy. The convolution
    then gets it with the channels last, which is faster even with the conversion.

    Args:
        layer: gives its parameters; both layers share them.
        graph: vertices of the layer.
    """

    projector: Tensor

    def __init__(self, layer: HemisphericalConv, graph: SphericalGraph) -> None:
        super().__init__()
        self.layer = layer
        self.terms = layer.spherical_weight.shape[-1]
        identity = torch.eye(len(graph.laplacian), dtype=torch.float64)
        stack = chebyshev_stack(graph.operator, identity, self.terms)
        projector = stack.transpose(0, 1).flatten(0, 1).to(layer.bias.dtype)  # (V * K, V)
        self.register_buffer("projector", projector, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, vertices, *grid = x.shape
        stack = self.projector @ x.movedim(2, 0).reshape(vertices, -1)
        stack = stack.view(vertices, self.terms, batch, channels, *grid).transpose(1, 2)
        stack = stack.reshape(vertices * batch, self.terms * channels, *grid)
        stack = stack.contiguous(memory_format=torch.channels_last_3d)
        kernel = self.kernel()
        if kernel.shape[-1] > 1:
            stack = F.pad(stack, (1,) * 6, mode="replicate")
        return F.conv3d(stack, kernel, self.layer.bias).unflatten(0, (vertices, batch)).movedim(0, 2)

    def kernel(self) -> Tensor:
        """Both factors multiplied and expanded, ``(C_out, K * C_in, 3, 3, 3)``, or 1 for 3."""
        spherical = self.layer.spherical_weight.transpose(1, 2)[..., None, None, None]  # (C_out, K, C_in, 1, 1, 1)
        if self.layer.spatial_weight is None:
            return spherical.flatten(1, 2)
        squared_radius = torch.cartesian_prod(*[torch.tensor([1, 0, 1])] * 3).sum(1).to(spherical.device)
        spatial = self.layer.spatial_weight[..., squared_radius].unflatten(-1, (3, 3, 3))
        return (spherical * spatial[:, None]).flatten(1, 2)
