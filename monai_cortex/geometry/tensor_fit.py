r"""The diffusion tensor D of many voxels at once: :math:`S(b, g) = S_0 \exp(-b\,g^T D g)`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["DIRECTIONS", "GAUSSIAN", "TensorFit", "fit_tensor", "tensor_volumes"]

DIRECTIONS = 6  # of a tensor, at least
GAUSSIAN = 1500.0  # s/mm^2, up to where a tensor describes the signal

_PARAMETERS = 7  # six of the tensor, one of the signal at b = 0
_LEAST = 1e-3  # of a voxel's largest signal, below which a logarithm says nothing
_CHUNK = 16384  # voxels at once: bounds memory to about 200 MB


class TensorFit(NamedTuple):
    """Properties of P tensors.

    Attributes:
        anisotropy: fractional anisotropy, 0 to 1, ``(P,)``; 0 where there is no signal.
        diffusivity: mean diffusivity in the inverse unit of b, mm^2/s, ``(P,)``.
        axis: main axis, unit vectors ``(P, 3)``, in the axes of the gradient directions.
    """

    anisotropy: Tensor
    diffusivity: Tensor
    axis: Tensor


def tensor_volumes(bvalues: Tensor, shell: Tensor) -> Tensor:
    """Volumes that a tensor describes ``(N,)`` bool: to 1500 s/mm^2 or the lowest shell, all if these are few.

    Args:
        bvalues: ``(N,)`` in s/mm^2.
        shell: number of each volume's shell ``(N,)``, 0 for b = 0.
    """
    lowest = bvalues[shell == 1].max()
    low = bvalues <= lowest.clamp_min(GAUSSIAN)
    return low if int((low & (shell > 0)).sum()) >= DIRECTIONS else torch.ones_like(low)


def fit_tensor(signal: Tensor, bvalues: Tensor, directions: Tensor) -> TensorFit:
    """Fit tensors to logarithms of the signal by least squares, weighted by the squared signal of an unweighted fit.

    Args:
        signal: measurements ``(P, N)``; what is below a thousandth of a voxel's largest counts as that.
        bvalues: ``(N,)`` in s/mm^2.
        directions: unit vectors ``(N, 3)``, any where b = 0.

    Returns:
        Properties in float64.

    Raises:
        ValueError: if the gradients do not determine a tensor.

    Reference:
        Basser et al., J. Magn. Reson. B 103(3):247-254, 1994; Veraart et al., NeuroImage 81:335-346, 2013 (weights).
    """
    # In units of the largest b, the columns are of one size, and the normal equations well conditioned.
    unit = bvalues.double().max()
    design = _design(bvalues.double() / unit, directions.double())
    if torch.linalg.matrix_rank(design) < _PARAMETERS:
        raise ValueError(f"{len(design)} gradients do not determine a tensor; it takes b = 0 and 6 directions.")
    parts = [_properties(_fit(part.double(), design) / unit) for part in torch.split(signal, _CHUNK)]
    return TensorFit(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _design(b: Tensor, directions: Tensor) -> Tensor:
    """Matrix from D_xx, D_yy, D_zz, D_xy, D_xz, D_yz and log S_0 to logarithms of the signal, ``(N, 7)``."""
    x, y, z = directions.unbind(1)
    products = torch.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], 1)
    return torch.cat([-b[:, None] * products, torch.ones_like(b)[:, None]], 1)


def _fit(signal: Tensor, design: Tensor) -> Tensor:
    """Tensors ``(P, 3, 3)``."""
    least = (_LEAST * signal.amax(1, keepdim=True)).clamp_min(torch.finfo(torch.float64).tiny)
    logarithm = signal.maximum(least).log()
    # Equal measurements then are exact zeros, whose tensor is zero: rounding must not give it a direction.
    logarithm = logarithm - logarithm.amax(1, keepdim=True)
    first = logarithm @ torch.linalg.pinv(design).T @ design.T
    weight = (2 * (first - first.amax(1, keepdim=True))).exp()
    normal = torch.einsum("ni,pn,nj->pij", design, weight, design)
    right = torch.einsum("ni,pn,pn->pi", design, weight, logarithm)
    elements: Tensor = torch.linalg.solve(normal, right)
    return elements[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].reshape(-1, 3, 3)


def _properties(tensors: Tensor) -> TensorFit:
    values, vectors = torch.linalg.eigh(tensors)
    mean = values.mean(1)
    spread = (values - mean[:, None]).square().sum(1)
    size = values.square().sum(1).clamp_min(torch.finfo(torch.float64).tiny)
    return TensorFit((1.5 * spread / size).sqrt().clamp_max(1), mean, vectors[..., -1])
