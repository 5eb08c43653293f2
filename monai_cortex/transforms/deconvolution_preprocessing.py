"""From the files of a scan to what deconvolution networks train on."""

from __future__ import annotations

from collections.abc import Sequence

from monai.transforms import Compose

from monai_cortex.transforms.deconvolution_design import DeconvolutionDesignd
from monai_cortex.transforms.load_diffusion import LoadDiffusiond
from monai_cortex.transforms.normalize_diffusion import NormalizeDiffusiond
from monai_cortex.transforms.shell_harmonics import ShellHarmonicsd
from monai_cortex.transforms.tissue_responses import TissueResponsesd

__all__ = ["deconvolution_preprocessing"]


def deconvolution_preprocessing(
    tissues: Sequence[str] = ("wm", "csf"),
    shells: Sequence[float] | None = None,
    degree: int = 8,
    nonfinite: str = "error",
) -> Compose:
    """Read, estimate responses, normalize, fit the shells' harmonics, build the forward model.

    Args:
        tissues: names of the tissues, white matter first.
        shells: b-values that the network was trained for in s/mm^2, 0 first; None takes any.
        degree: largest even degree of the orientations.
        nonfinite: "error", or "mask" to leave NaN and infinite voxels out.

    Returns:
        Transform of the items of ``monai_cortex.data.diffusion_subjects``: adds ``dwi`` ``(N, I, J, K)``, ``mask``,
        ``features``, ``design``, ``responses``, ``scale`` and the gradient table, as the single transforms say.
    """
    return Compose(
        [
            LoadDiffusiond(nonfinite=nonfinite),
            TissueResponsesd(tissues=tissues),
            NormalizeDiffusiond(),
            ShellHarmonicsd(shells=shells),
            DeconvolutionDesignd(degree=degree),
        ]
    )
