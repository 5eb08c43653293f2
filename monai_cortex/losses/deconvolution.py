"""Unsupervised loss of fiber orientation distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph

__all__ = ["DeconvolutionLoss", "DeconvolutionTerms"]

_REFERENCE_POINTS = 3072  # sphere samples of the published weights
_SCALE = 1e-5  # sigma of the sparsity, in (1/sr)^2


class DeconvolutionTerms(NamedTuple):
    """Unweighted terms of the loss, scalars."""

    reconstruction: Tensor
    non_negativity: Tensor
    sparsity: Tensor
    total_variation: Tensor


class DeconvolutionLoss(nn.Module):
    r"""Reconstruction of the measured signal, with three priors on the orientation distribution f.

    .. math::
        \|S - \hat S\|^2 + \lambda_- \overline{\min(f, 0)^2} + \lambda_s\, \overline{2 \log(1 + f^2 / 2\sigma)}
        + \frac{\lambda_{tv}}{3072} \overline{\|u_x - u_{x'}\|^2}, \qquad u = f / \|f\|_2

    Bars are means over sphere samples and voxels in the mask; x' are the six neighbors of an interior voxel x, of
    which those outside the mask count as equal to x. The
    norms in the total variation are sums over sphere samples; by Parseval's identity they are those of the
    coefficients, so that the term depends on no sampling (the weight is stated for 3,072 points).

    Args:
        degree: largest even degree L of f.
        non_negativity, sparsity, total_variation: weights, dimensionless.
        nside: HEALPix resolution of the samples for non-negativity and sparsity.

    Shape:
        prediction ``(B, n + isotropic, I, J, K)``: coefficients of f, then f_00 of each isotropic tissue;
        target: mapping with ``dwi`` ``(B, N, I, J, K)``, ``design`` ``(B, N, n + isotropic)`` that maps a
        prediction to the signal, and ``mask`` ``(B, 1, I, J, K)``; result: scalar.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819, section 3.
    """

    sampling: Tensor

    def __init__(
        self,
        degree: int = 8,
        non_negativity: float = 0.1,
        sparsity: float = 5e-5,
        total_variation: float = 0.5,
        nside: int = 8,
    ) -> None:
        super().__init__()
        self.count = even_count(degree)
        self.latest: dict[str, Tensor] = {}  # unweighted terms of the last call, for the record
        self.weights = DeconvolutionTerms(*(torch.tensor(w) for w in (1.0, non_negativity, sparsity, total_variation)))
        sampling = real_harmonics(hemispheric_graph(nside).directions, degree, even=True)
        self.register_buffer("sampling", sampling, persistent=False)

    def terms(self, prediction: Tensor, target: Mapping[str, Tensor]) -> DeconvolutionTerms:
        """Terms before weighting, shapes as in the class."""
        dwi, design, mask = target["dwi"], target["design"], target["mask"]
        inside = mask[:, 0] > 0
        fibers = prediction[:, : self.count]
        # Rows of zeros stand for volumes that another subject of the batch has and this one has not.
        measured = (design != 0).any(-1).sum(1)
        signal = torch.einsum("bgn,bnijk->bgijk", design, prediction)
        residual = (signal - dwi).square().sum(1) / measured.view(-1, 1, 1, 1)
        amplitude = torch.einsum("vn,np->vp", self.sampling.to(fibers), fibers.movedim(1, 0)[:, inside])
        voxels = inside.sum().clamp_min(1)  # a crop may lie outside the mask
        samples = voxels * len(self.sampling)
        return DeconvolutionTerms(
            reconstruction=residual[inside].sum() / voxels,
            non_negativity=amplitude.clamp_max(0).square().sum() / samples,
            sparsity=2 * torch.log1p(amplitude.square() / (2 * _SCALE)).sum() / samples,
            total_variation=_total_variation(fibers, inside) / _REFERENCE_POINTS,
        )

    def forward(self, prediction: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        terms = self.terms(prediction, target)
        self.latest = {name: value.detach() for name, value in terms._asdict().items()}
        return torch.stack([w.to(t) * t for w, t in zip(self.weights, terms, strict=True)]).sum()


def _total_variation(fibers: Tensor, inside: Tensor) -> Tensor:
    """Mean squared difference of unit-norm distributions to the six neighbors, over interior voxels in the mask."""
    if min(fibers.shape[2:]) < 3:  # noqa: PLR2004
        return fibers.sum() * 0  # no voxel has all its neighbors
    unit = nn.functional.normalize(fibers, dim=1, eps=1e-6)
    core = unit[:, :, 1:-1, 1:-1, 1:-1]
    weight = inside[:, 1:-1, 1:-1, 1:-1].to(unit)
    total = unit.new_zeros(())
    for axis in (1, 2, 3):
        for shift in (-1, 1):
            neighbor = unit.roll(shift, axis + 1)[:, :, 1:-1, 1:-1, 1:-1]
            both = weight * inside.roll(shift, axis)[:, 1:-1, 1:-1, 1:-1]
            total = total + ((core - neighbor).square().sum(1) * both).sum() / 6
    return total / weight.sum().clamp_min(1)
