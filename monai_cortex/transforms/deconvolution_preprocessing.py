"""From the files of a scan to what deconvolution networks train on."""

from __future__ import annotations

from collections.abc import Sequence

from monai.transforms import Compose, RandCropByLabelClassesd, SelectItemsd

from monai_cortex.transforms.deconvolution_design import DeconvolutionDesignd
from monai_cortex.transforms.fiber_target import FiberTargetd
from monai_cortex.transforms.input_directions import InputDirectionsd
from monai_cortex.transforms.linear_deconvolution import LinearDeconvolutiond
from monai_cortex.transforms.load_diffusion import LoadDiffusiond
from monai_cortex.transforms.normalize_diffusion import NormalizeDiffusiond
from monai_cortex.transforms.shell_harmonics import ShellHarmonicsd
from monai_cortex.transforms.tissue_responses import TissueResponsesd

__all__ = ["deconvolution_crops", "deconvolution_preprocessing"]


def deconvolution_preprocessing(
    tissues: Sequence[str] = ("wm", "csf"),
    shells: Sequence[float] | None = None,
    degree: int = 8,
    nonfinite: str = "error",
    directions: int | None = None,
    linear: bool = True,
    response: str = "auto",
) -> Compose:
    """Read, estimate responses, normalize, make the network's input, build the forward model.

    Args:
        tissues: names of the tissues, white matter first.
        shells: b-values that the network was trained for in s/mm^2, 0 first; None takes any.
        degree: largest even degree of the orientations.
        nonfinite: "error", or "mask" to leave NaN and infinite voxels out.
        directions: of each shell that the network sees, the loss sees all; None shows it all.
        linear: give the network a linear deconvolution besides the harmonics of each shell.
        response: method that estimates the responses, see :class:`~monai_cortex.transforms.TissueResponses`.

    Returns:
        Transform of the items of ``monai_cortex.data.diffusion_subjects``: adds ``dwi`` ``(N, I, J, K)``, ``mask``,
        ``features``, ``design``, ``responses``, ``scale``, the gradient table and, where an item names a ``target``,
        ``truth``, as the single transforms say.
    """
    return Compose(
        [
            LoadDiffusiond(nonfinite=nonfinite),
            TissueResponsesd(tissues=tissues, degree=degree, method=response),
            NormalizeDiffusiond(),
            InputDirectionsd(number=directions),
            ShellHarmonicsd(shells=shells),
            *([LinearDeconvolutiond()] if linear else []),
            DeconvolutionDesignd(degree=degree),
            FiberTargetd(degree=degree, allow_missing_keys=True),
        ]
    )


def deconvolution_crops(patch: int = 8, number: int = 1) -> Compose:
    """Random crops for training, centered on voxels of the mask or, near the border, as close to them as fits.

    Args:
        patch: voxels along the edges of a crop; a smaller scan gives what it has.
        number: crops of each scan.

    Returns:
        Transform of a preprocessed scan into a list of crops with ``features`` ``(C, I, J, K)``, ``dwi``, ``mask``,
        ``design`` and, where it is there, ``truth``.
    """
    maps = ["features", "dwi", "mask", "truth"]
    return Compose(
        [
            SelectItemsd([*maps, "design"], allow_missing_keys=True),
            RandCropByLabelClassesd(
                maps,
                label_key="mask",
                spatial_size=[patch] * 3,
                ratios=[0, 1],
                num_classes=2,
                num_samples=number,
                allow_smaller=True,
                warn=False,
                allow_missing_keys=True,
            ),
        ]
    )
