"""Between even harmonics and the vertices of the sphere."""

from __future__ import annotations

from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import fit_degree, fit_matrix, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph

__all__ = ["vertex_fit", "vertex_harmonics"]


def vertex_harmonics(nside: int, degree: int, hemisphere: bool = True) -> Tensor:
    """Values of the even harmonics at the vertices, ``(V, n)``, float64.

    Args:
        nside: HEALPix resolution.
        degree: largest even degree L, n = (L + 1)(L + 2)/2.
        hemisphere: V = 6 nside^2 vertices of the hemisphere, else all 12 nside^2.
    """
    return real_harmonics(_directions(nside, hemisphere), degree, even=True)


def vertex_fit(nside: int, degree: int, hemisphere: bool = True) -> Tensor:
    """Least-squares fit of even harmonics to values at the vertices, ``(n, V)``, float64.

    Args:
        nside, degree, hemisphere: see :func:`vertex_harmonics`.

    Raises:
        ConfigError: if the degree is odd or negative, or has more coefficients than the hemisphere has vertices.
    """
    vertices = 6 * nside**2
    limit = fit_degree(vertices, share=1.0)
    if degree % 2 or not 0 <= degree <= limit:
        raise ConfigError(
            "the harmonics cannot be fitted to the network's vertices",
            found=f"lmax {degree} at nside {nside}",
            expected=f"an even lmax from 0 to {limit}: the hemisphere has {vertices} vertices",
            remedy="choose another lmax, or raise nside",
        )
    return fit_matrix(_directions(nside, hemisphere), degree, regularization=0)


def _directions(nside: int, hemisphere: bool) -> Tensor:
    return (hemispheric_graph if hemisphere else spherical_graph)(nside).directions
