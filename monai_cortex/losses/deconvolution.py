"""Loss of fiber orientation distributions, with or without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_cortex.data import batch_count
from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import even_count, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph

__all__ = ["DeconvolutionLoss", "DeconvolutionTerms"]

_REFERENCE_POINTS = 3072  # sphere samples of the published weights
_SCALE = 1e-5  # sigma of the sparsity, in (1/sr)^2
# Functions of x = f^2 / (2 sigma), all 2x for small x: they differ in how little large amplitudes matter.
_SPARSITY_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "cauchy": lambda x: 2 * torch.log1p(x),
    "welsch": lambda x: -2 * torch.expm1(-x),
    "geman": lambda x: 2 * x / (1 + x),
}
_WEIGHTS = {
    "reconstruction": 1.0,
    "non_negativity": 0.1,
    "sparsity": 5e-5,
    "total_variation": 0.5,
    "supervised": 0.0,
    "isotropy": 0.0,
}


class DeconvolutionTerms(NamedTuple):
    """Unweighted terms of the loss, scalars; the last two are None where their weight is 0."""

    reconstruction: Tensor
    non_negativity: Tensor
    sparsity: Tensor
    total_variation: Tensor
    supervised: Tensor | None = None
    isotropy: Tensor | None = None


class DeconvolutionLoss(nn.Module):
    r"""Reconstruction of the measured signal, with priors on the orientation distribution f.

    .. math::
        \lambda_r \|S - \hat S\|^2 + \lambda_- \overline{\min(f, 0)^2} + \lambda_s\, \overline{\rho(f^2 / 2\sigma)}
        + \frac{\lambda_{tv}}{3072} \overline{\|u_x - u_{x'}\|^2}
        + \lambda_t \overline{\|f - f_t\|^2} + \lambda_i \overline{f_{00}^2 / \|f\|^2}, \qquad u = f / \|f\|_2

    Bars are means over sphere samples and voxels in the mask; x' are the six neighbors of an interior voxel x, of
    which those outside the mask count as equal to x. The norms are sums over coefficients, by Parseval's identity
    integrals over the sphere, so that these terms depend on no sampling (the weight of the total variation is stated
    for 3,072 points). The sparsity :math:`\rho(x)` is :math:`2 \log(1 + x)` (Cauchy), :math:`2(1 - e^{-x})` (Welsch)
    or :math:`2x / (1 + x)` (Geman and McClure), alike near zero. The isotropy is 1 - GFA^2, with the generalized
    fractional anisotropy :math:`\mathrm{GFA} = \sqrt{1 - f_{00}^2 / \|f\|^2}`: its square, because the root has no
    derivative at the uniform distribution, where training starts.

    Args:
        degree: largest even degree L of f.
        nside: HEALPix resolution of the samples for non-negativity and sparsity.
        sparsity_form: "cauchy", "welsch" or "geman".
        weights: dimensionless weights of the terms by name; left out: reconstruction 1, non_negativity 0.1,
            sparsity 5e-5, total_variation 0.5, supervised 0, isotropy 0.

    Shape:
        prediction ``(B, n + isotropic, I, J, K)``: coefficients of f, then f_00 of each isotropic tissue;
        target: mapping with ``dwi`` ``(B, N, I, J, K)``, ``design`` ``(B, N, n + isotropic)`` that maps a
        prediction to the signal, ``mask`` ``(B, 1, I, J, K)`` and, where supervised has a weight, ``truth``
        ``(B, n, I, J, K)``; result: scalar.

    Raises:
        ConfigError: for an unknown sparsity or term, or supervision without ``truth``.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819, section 3; Tuch, Magn. Reson. Med. 52(6):1358-1372, 2004
        (GFA).
    """

    sampling: Tensor

    def __init__(self, degree: int = 8, nside: int = 8, sparsity_form: str = "cauchy", **weights: float) -> None:
        super().__init__()
        _require_known("sparsity form", [sparsity_form], _SPARSITY_FORMS)
        _require_known("weight", weights, _WEIGHTS)
        self.count = even_count(degree)
        self.latest: dict[str, Tensor] = {}  # unweighted terms of the last call, for the record
        self.sparsity_form = sparsity_form
        self.weights = _WEIGHTS | weights
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
        coefficients = fibers.movedim(1, 0)[:, inside]
        amplitude = self.sampling.to(fibers) @ coefficients
        voxels = batch_count(inside.sum())  # a crop may lie outside the mask
        samples = voxels * len(self.sampling)
        supervised, isotropy = self.weights["supervised"] > 0, self.weights["isotropy"] > 0
        return DeconvolutionTerms(
            reconstruction=residual[inside].sum() / voxels,
            non_negativity=amplitude.clamp_max(0).square().sum() / samples,
            sparsity=_SPARSITY_FORMS[self.sparsity_form](amplitude.square() / (2 * _SCALE)).sum() / samples,
            total_variation=_total_variation(fibers, inside) / _REFERENCE_POINTS,
            supervised=_squared_error(coefficients, inside, target) / voxels if supervised else None,
            isotropy=_isotropy(coefficients).sum() / voxels if isotropy else None,
        )

    def forward(self, prediction: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        terms = {k: value for k, value in self.terms(prediction, target)._asdict().items() if value is not None}
        self.latest = {name: value.detach() for name, value in terms.items()}
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()


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
    return total / batch_count(weight.sum())


def _squared_error(coefficients: Tensor, inside: Tensor, target: Mapping[str, Tensor]) -> Tensor:
    """Squared distance of all distributions ``(n, P)`` to the true ones of the voxels in the mask."""
    if "truth" not in target:
        raise ConfigError(
            "the supervised term of the loss needs the true orientations",
            found=f"targets {', '.join(sorted(target))}",
            expected="truth among them",
            remedy="train on simulated scans, or set supervised to 0",
        )
    return (coefficients - target["truth"].movedim(1, 0)[:, inside]).square().sum()


def _isotropy(coefficients: Tensor) -> Tensor:
    """1 - GFA^2 of each distribution ``(n, P)``, ``(P,)``."""
    power = coefficients.square()
    return power[0] / power.sum(0).clamp_min(1e-12)


def _require_known(what: str, names: Iterable[str], known: Mapping[str, object]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigError(f"the loss has no such {what}", found=", ".join(unknown), expected=", ".join(known))
