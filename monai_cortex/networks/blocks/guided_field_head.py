"""Displacement field of one decoder level, guided by the diffusion decoder's features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from monai_cortex.networks.layers.linear_attention import linear_attention

__all__ = ["GuidedFieldHead", "enlarge"]

_GROUPS = 4
_AXES = 3
FUSIONS = ("reference", "projected")


def enlarge(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Interpolate values given at cells linearly to the cells of a finer grid, beyond the outermost ones constantly.

    Args:
        field: ``(B, C, I, J, K)``.
        shape: of the finer grid.
    """
    return field if field.shape[2:] == shape else interpolate(field, shape, mode="trilinear", align_corners=False)


class GuidedFieldHead(nn.Module):
    r"""Linear cross attention of the registration's features to the diffusion's, then convolutions to three channels.

    Args:
        channels: C of both features, a multiple of 4.
        heads: of the attention.
        fusion: "reference", where one normalization serves both and nothing is projected, or "projected", with learned
            queries, keys and values.
        scaled: interpolate linearly and multiply by the voxels of the finer grid in one of this level, with both
            convolutions at this level and the last one zero at first; else as published: nearest neighbor, no factor,
            and the second convolution at full size.

    Shape:
        features of both decoders ``(B, C, i, j, k)`` and the shape of the finer grid; result: ``(B, 3, I, J, K)``,
        voxels of that grid.

    Raises:
        ValueError: for another fusion.

    Reference:
        Qin and Li, MICCAI 2023, Eq. 3. The article's softmax wraps the whole product and it has one convolution; this
        is what the published network computes. Scaled fields are this project's.
    """

    def __init__(self, channels: int, heads: int = 4, fusion: str = "reference", scaled: bool = False) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is one of {', '.join(FUSIONS)}, got {fusion!r}.")
        self.heads, self.scaled = heads, scaled
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.project = nn.Conv3d(channels, channels, 1)
        self.queries, self.pairs = None, None
        if fusion == "projected":
            self.queries = nn.Conv3d(channels, channels, 1, bias=False)
            self.pairs = nn.Conv3d(channels, 2 * channels, 1, bias=False)
        self.narrow = nn.Conv3d(channels, _AXES, 3, padding=1)
        self.blend = nn.Conv3d(_AXES, _AXES, 3, padding=1)
        if scaled:
            zero_(self.blend)

    def forward(self, features: Tensor, guide: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The field on the finer grid."""
        query, key = self.norm(features), self.norm(guide)
        value = key
        if self.queries is not None and self.pairs is not None:
            query, (key, value) = self.queries(query), self.pairs(key).chunk(2, 1)
        attended = self.project(linear_attention(query, key, value, self.heads))
        field = self.narrow(attended + features)
        if not self.scaled:
            full: Tensor = self.blend(interpolate(field, shape))
            return full
        ratio = field.new_tensor([large / small for large, small in zip(shape, field.shape[2:], strict=True)])
        return enlarge(self.blend(field) * ratio[:, None, None, None], shape)


def zero_(layer: nn.Conv3d) -> None:
    """Make a convolution give zeros, until it learns otherwise."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
