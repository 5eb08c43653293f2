"""The layer and the network: hemisphere and sphere, factorized and plain, whole volumes and patches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.case import Case, Pair
from benchmarks.shd_deconvolution.fibers import dipy_pair, mrtrix_pair
from benchmarks.shd_deconvolution.plain_convolution import PlainConvolution
from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index
from monai_cortex.geometry.hemisphere import SphericalGraph, hemispheric_graph, spherical_graph
from monai_cortex.networks.layers import HemisphericalConv
from monai_cortex.networks.nets import HemisphericalUNet

__all__ = ["CASES"]

_DEFAULT: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 2,
    "nside": 4,
    "channels": (12, 24, 32),
    "kernel_sizes": (1, 3, 1),
}
_PAPER: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "nside": 8, "channels": (32, 64, 128, 256)}


def _layer(graph: SphericalGraph, channels: tuple[int, int] = (32, 64), device: str | torch.device = "cpu") -> Any:
    """Layer of the published protocol: 32 to 64 channels, K = 5, 3^3 voxels; equal weights for equal channels."""
    torch.manual_seed(0)
    return HemisphericalConv(*channels, graph).eval().to(device)


def _antipodal(nside: int, channels: int, edge: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same signal on the sphere and on the hemisphere ``(1, C, V, I, J, K)``, and the kept vertices."""
    directions = healpix_directions(nside)
    kept, antipode = hemisphere_index(directions), antipode_index(directions)
    torch.manual_seed(1)
    sphere = torch.randn(1, channels, len(directions), edge, edge, edge)
    sphere[:, :, antipode[kept]] = sphere[:, :, kept]
    return sphere, sphere[:, :, kept], kept


def _vertex_first(x: Tensor) -> Tensor:
    """The layout in memory that layers hand each other; the plain convolution takes the usual one."""
    return x.permute(2, 0, 3, 4, 5, 1).contiguous().permute(1, 5, 0, 2, 3, 4)


def _evaluate(module: nn.Module, x: Tensor, vertices: Tensor | None = None) -> Callable[[], Tensor]:
    @torch.no_grad()
    def run() -> Tensor:
        y: Tensor = module(x)
        return y if vertices is None else y[:, :, vertices]

    return run


def _plain_layer(nside: int, device: torch.device) -> Pair:
    graph = hemispheric_graph(nside)
    layer = _layer(graph, device=device)
    x = torch.randn(1, 32, len(graph.directions), 8, 8, 8, device=device)
    return Pair(_evaluate(layer, _vertex_first(x)), _evaluate(PlainConvolution(layer, graph).to(device), x))


def _sphere_layer(nside: int, device: torch.device) -> Pair:
    sphere, hemisphere, kept = _antipodal(nside, 32, 8)
    ours, reference = (_layer(build(nside), device=device) for build in (hemispheric_graph, spherical_graph))
    on_hemisphere, on_sphere = (_vertex_first(x).to(device) for x in (hemisphere, sphere))
    return Pair(_evaluate(ours, on_hemisphere), _evaluate(reference, on_sphere, kept))


def _trained_layer(device: torch.device) -> Pair:
    graph = hemispheric_graph(2)
    layer = _layer(graph, (16, 16), device)
    x = torch.randn(1, 16, len(graph.directions), 8, 8, 8, device=device)

    def train(module: nn.Module, x: Tensor) -> Callable[[], Tensor]:
        x.requires_grad_()
        return lambda: torch.autograd.grad(module(x).square().sum(), [x, *layer.parameters()])[0]

    return Pair(train(layer, _vertex_first(x)), train(PlainConvolution(layer, graph).to(device), x.clone()))


def _unet(device: torch.device, hemisphere: bool = True, **options: Any) -> HemisphericalUNet:
    torch.manual_seed(0)
    net = HemisphericalUNet(hemisphere=hemisphere, **options)
    nn.init.normal_(net.head.spherical_weight)  # near zero at the start, where everything agrees
    return net.eval().to(device)


def _sphere_unet(options: dict[str, Any], edge: int, device: torch.device) -> Pair:
    sphere, hemisphere, kept = _antipodal(options["nside"], options["in_channels"], edge)
    ours, reference = (_unet(device, half, **options) for half in (True, False))
    reference.load_state_dict(ours.state_dict())
    return Pair(_evaluate(ours, hemisphere.to(device)), _evaluate(reference, sphere.to(device), kept))


def _plain_sphere_unet(device: torch.device) -> Pair:
    """Ours against everything written plainly, on the whole sphere: the published baseline."""
    sphere, hemisphere, kept = _antipodal(_DEFAULT["nside"], _DEFAULT["in_channels"], 8)
    ours, reference = (_unet(device, half, **_DEFAULT) for half in (True, False))
    reference.load_state_dict(ours.state_dict())
    graphs = {12 * n**2: spherical_graph(n) for n in (1, 2, 4)}
    for module in list(reference.modules()):
        if isinstance(conv := getattr(module, "conv", None), HemisphericalConv):
            module.conv = PlainConvolution(conv, graphs[len(conv.operator)]).to(device)
    return Pair(_evaluate(ours, hemisphere.to(device)), _evaluate(reference, sphere.to(device), kept))


def _whole_volume(device: torch.device) -> Pair:
    """All 20 x 20 x 8 voxels at once, or for each voxel the middle of a patch of 3^3; patches of 320 are timed."""
    net, batch, patches = _unet(device, **_DEFAULT), 64, 320
    volume = torch.randn(1, _DEFAULT["in_channels"], 96, 20, 20, 8, device=device)
    padded = F.pad(volume[0], (1,) * 6, mode="replicate")
    cut = padded.unfold(2, 3, 1).unfold(3, 3, 1).unfold(4, 3, 1).flatten(2, 4)[:, :, :patches].movedim(2, 0)

    @torch.no_grad()
    def one_by_one() -> Tensor:
        return torch.cat([net(part)[..., 1, 1, 1] for part in cut.split(batch)])

    # A patch lacks the context beyond it, so that results differ by design.
    return Pair(_evaluate(net, volume), one_by_one, tolerance=None, units=(20 * 20 * 8, patches))


_FACTORS, _PLAIN = "shells and Clenshaw", "stacked polynomials, conv3d"
_HALF, _FULL = "hemisphere", "whole sphere"
_LAYER = "layer 32 to 64, 8^3 voxels, nside"

CASES = {
    **{
        f"layer_plain_nside{n}": Case(f"{_LAYER} {n}", _FACTORS, _PLAIN, partial(_plain_layer, n), goal, goal)
        for n, goal in ((2, 1.0), (4, 0.6), (8, 1.0))
    },
    **{f"layer_sphere_nside{n}": Case(f"{_LAYER} {n}", _HALF, _FULL, partial(_sphere_layer, n)) for n in (2, 4, 8)},
    "training_plain": Case("layer 16 to 16 with gradients, 8^3, nside 2", _FACTORS, _PLAIN, _trained_layer, 1.0),
    "unet_sphere": Case("default U-Net, 16^3", _HALF, _FULL, partial(_sphere_unet, _DEFAULT, 16), 0.5, 0.5),
    "unet_paper": Case("published U-Net, 4^3", _HALF, _FULL, partial(_sphere_unet, _PAPER, 4), 0.5, 0.5, repeats=5),
    "unet_plain_sphere": Case(
        "default U-Net, 8^3", "hemisphere, factorized", "whole sphere, plain", _plain_sphere_unet, 0.5, 0.5
    ),
    "whole_volume": Case(
        "default U-Net, one voxel of 20 x 20 x 8",
        "volume at once",
        "middle of a patch of 3^3",
        _whole_volume,
        time=1 / 20,
        measure_memory=False,
        repeats=5,
    ),
    "csd_dipy": Case(
        "orientations of one voxel, 64 directions, lmax 8",
        "SHD-TV, from the scaled signal on",
        "dipy's constrained deconvolution",
        dipy_pair,
        time=1.0,
        measure_memory=False,
        repeats=5,
    ),
    "csd_mrtrix": Case(
        "orientations of one voxel, 64 directions, lmax 8",
        "SHD-TV, from the scaled signal on",
        "dwi2fod csd, files included",
        mrtrix_pair,
        time=1.0,
        measure_memory=False,
        repeats=5,
    ),
}
