"""How much a generated image resembles the true one, voxel by voxel and in its structure."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.regression import compute_ssim_and_cs
from monai.utils import look_up_option
from torch import Tensor
from torch.nn.functional import pad

from monai_cortex.errors import ConfigError

__all__ = ["ImageSimilarity", "ImageSimilarityMetric", "image_similarity", "tissue_error"]

_WINDOW, _SIGMA = 11, 1.5  # voxels


class ImageSimilarity(NamedTuple):
    """Agreement of two images in [0, 1].

    Attributes:
        mae: mean absolute error, a scalar.
        mse: mean square error, a scalar.
        psnr: peak signal to noise ratio of a peak of 1, dB, a scalar; infinite for equal images.
        ssim_full: structural similarity, mean over the whole grid with zeros around it. Empty background counts as
            perfect agreement and lifts it; it is what the reference work reports. A scalar.
        ssim_brain: mean of the same map in the mask, a scalar; NaN without a mask.
    """

    mae: Tensor
    mse: Tensor
    psnr: Tensor
    ssim_full: Tensor
    ssim_brain: Tensor


def image_similarity(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> ImageSimilarity:
    r"""Compare two images.

    Structural similarity takes a Gaussian window of 11 voxels with sigma 1.5 along each axis, :math:`C_1 = 0.01^2` and
    :math:`C_2 = 0.03^2`. The grid is padded with zeros by 5 voxels; MONAI's own metric leaves the border out and gives
    another number.

    Args:
        prediction, target: values in [0, 1], ``(I, J, K)`` or ``(1, I, J, K)``.
        mask: the brain, true or above 0, of the same shape; None where it is not known.

    Returns:
        The measures; those without SSIM over the whole grid.

    Raises:
        ConfigError: the shapes differ, a value is not finite, or the mask is empty.

    Reference:
        Wang et al., IEEE Trans. Image Process. 13(4):600-612, 2004 (SSIM); Bongratz et al., arXiv 2601.19498.
    """
    first, second = (_volume(image) for image in (prediction, target))
    inside = None if mask is None else _volume(mask) > 0
    shapes = [tuple(part.shape) for part in (first, second, first if inside is None else inside)]
    if len(set(shapes)) > 1 or not (first.isfinite().all() and second.isfinite().all()):
        raise ConfigError(
            "images that are compared must lie on one grid and be finite",
            found=f"shapes {', '.join(map(str, shapes))}",
            expected="one shape (I, J, K), no NaN",
        )
    if inside is not None and not inside.any():
        raise ConfigError("the mask of the brain is empty", expected="at least one voxel", remedy="check the mask")
    difference = (first - second).double()
    mse = difference.square().mean()
    similarity = _similarity_map(first, second)
    return ImageSimilarity(
        mae=difference.abs().mean(),
        mse=mse,
        psnr=-10 * torch.log10(mse),
        ssim_full=similarity.mean(),
        ssim_brain=similarity.new_tensor(torch.nan) if inside is None else similarity[inside].mean(),
    )


def tissue_error(prediction: Tensor, target: Tensor, tissues: Tensor) -> Tensor:
    """Mean absolute error in each of C tissues, in the unit of the images, ``(C,)``; NaN for an empty one.

    Args:
        prediction, target: ``(I, J, K)`` or ``(1, I, J, K)``.
        tissues: masks or partial volumes, 0 or more, ``(C, I, J, K)``.

    Raises:
        ConfigError: the shapes differ.
    """
    difference = (_volume(prediction) - _volume(target)).abs().double()
    if tissues.shape[1:] != difference.shape:
        raise ConfigError(
            "tissues and images must lie on one grid",
            found=f"{tuple(tissues.shape)} and {tuple(difference.shape)}",
            expected="(C, I, J, K) and (I, J, K)",
        )
    weights = tissues.to(difference).flatten(1)
    return (weights * difference.flatten()).sum(1) / weights.sum(1)


class ImageSimilarityMetric(CumulativeIterationMetric):
    """Mean over images of one measure of :func:`image_similarity`.

    Args:
        name: which one, a field of :class:`ImageSimilarity` such as ``ssim_brain``.

    Shape:
        predictions and targets ``(B, 1, I, J, K)`` in [0, 1], or lists of them without B; ``mask`` as a keyword alike.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = look_up_option(name, ImageSimilarity._fields)

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, mask: Any = None, **_: Any) -> Tensor:
        if y is None:
            raise ConfigError("an image is compared with a target", found="a prediction alone", expected="both")
        rows = zip(y_pred, y, [None] * len(y_pred) if mask is None else mask, strict=True)
        return torch.stack([getattr(image_similarity(*row), self.name) for row in rows])[:, None]

    def _compute_list(self, y_pred: Any, y: Any = None, mask: Any = None, **_: Any) -> Any:
        return self._compute_tensor(y_pred, y, mask)

    def aggregate(self) -> Tensor:
        """Mean over all images so far, a scalar."""
        return self.get_buffer().mean()


def _volume(image: Tensor) -> Tensor:
    """Image without its channel, ``(I, J, K)``."""
    plain = image.detach().as_subclass(Tensor)
    return plain[0] if plain.ndim == 4 and len(plain) == 1 else plain  # noqa: PLR2004


def _similarity_map(first: Tensor, second: Tensor) -> Tensor:
    """SSIM at every voxel, ``(I, J, K)``."""
    one, two = (pad(image[None, None].float(), (_WINDOW // 2,) * 6) for image in (first, second))
    similarity: Tensor = compute_ssim_and_cs(one, two, 3, [_WINDOW] * 3, [_SIGMA] * 3)[0]
    return similarity[0, 0].double()
