"""From the files of a pair to what a registration network sees."""

from __future__ import annotations

from collections.abc import Sequence

from monai.transforms import Compose, SelectItemsd

from monai_cortex.transforms.load_cardiac_pair import LoadCardiacPaird
from monai_cortex.transforms.registration_grid import RegistrationGridd
from monai_cortex.transforms.scale_valid_intensity import ScaleValidIntensityd

__all__ = ["cardiac_preprocessing"]

_PAIR = ("fixed", "moving")
_KEPT = (
    *("subject", "direction", "sources", "valid", "true_displacement", "true_inverse"),
    *(f"{name}_{kind}" for name in _PAIR for kind in ("image", "label", "full", "full_label")),
)


def cardiac_preprocessing(
    spacing: Sequence[float] | None = (1.5, 1.5, 3.15),
    roi: Sequence[int] | None = (128, 128),
    depth_multiple: int = 8,
    intensity: str = "robust",
) -> Compose:
    """Read, resample to the registration grid, scale.

    For other anatomy than short-axis stacks of the heart set ``spacing`` and ``roi`` to None, and the subjects'
    ``labels`` too.

    Args:
        spacing: of the grid in mm; None takes the images' own.
        roi: voxels along i and j, to which images are cut or padded, and optionally the most along k; None keeps all.
        depth_multiple: voxels along each axis are padded to a multiple of it. The depth becomes always the same where
            it is the third of ``roi``.
        intensity: "robust" maps the percentiles 0.5 and 99.5 of each image to -1 and 1, "minmax" its extremes.

    Returns:
        Transform of the items of ``monai_cortex.data.cardiac_subjects`` to items with ``subject``, ``direction``,
        ``sources``; on the registration grid ``fixed_image``, ``moving_image`` ``(1, I, J, K)`` in [-1, 1], ``valid``
        ``(1, I, J, K)`` 0 or 1 and, where known, ``fixed_label``, ``moving_label`` ``(1, I, J, K)``,
        ``true_displacement`` and ``true_inverse`` ``(3, I, J, K)`` in voxels; and on the subject's own grid, as read,
        ``fixed_full``, ``moving_full``, ``fixed_full_label``, ``moving_full_label``.

    Raises:
        ValueError: a size is not above 0, or an unknown ``intensity``.
    """
    return Compose(
        [
            LoadCardiacPaird(),
            RegistrationGridd(spacing=spacing, roi=roi, multiple=depth_multiple),
            ScaleValidIntensityd(mode=intensity),
            SelectItemsd(_KEPT, allow_missing_keys=True),
        ]
    )
