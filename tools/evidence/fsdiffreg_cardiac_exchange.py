"""Displacement files in the hands of other programs, and fields with their inverses.

python tools/evidence/fsdiffreg_cardiac_exchange.py

Writes docs/evidence/fsdiffreg_cardiac_exchange.{md,json}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from evidence_page import write_evidence
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from monai_cortex.data import write_displacement, write_transform, write_volume
from monai_cortex.geometry.displacement import exponential, invert, voxel_grid, warp
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.metrics import folding, inverse_consistency_error

__all__ = ["GRIDS", "READERS", "main"]

NAME = "fsdiffreg_cardiac_exchange"
COMMAND = f"python tools/evidence/{NAME}.py"
SHAPE = (40, 36, 16)
SPACING = (1.5, 1.4, 3.15)
_RAS, _LPS = np.diag([*SPACING, 1.0]), np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
_EDGE = 0.001  # voxels: programs round differently which points lie inside
_STRENGTHS = (1.0, 4.0, 8.0)  # largest displacement along an axis, voxels


class Files(NamedTuple):
    """An image and a field in files.

    Attributes:
        image: NIfTI.
        field: NIfTI, intent 1007.
        transform: ITK's, ``.h5``.
    """

    image: Path
    field: Path
    transform: Path


@click.command(help="Warp by ITK, SimpleITK and nitransforms, compare with our warp; invert fields.")
@click.option("--seed", default=0, show_default=True)
def main(seed: int) -> None:
    """Write, warp, compare."""
    rows = [row for title, affine in GRIDS.items() for row in compared(title, affine, seed)]
    inverses = [inverted(strength, seed) for strength in _STRENGTHS]
    record = {"command": COMMAND, "seed": seed, "files": rows, "inverses": inverses}
    write_evidence(NAME, record, page(rows, inverses), ("torch", "itk", "SimpleITK", "nitransforms", "numpy"))


def compared(title: str, affine: NDArray[np.float64], seed: int) -> list[dict[str, Any]]:
    """Largest difference of each reader's image from ours where all sampled voxels lie inside."""
    generator = torch.Generator().manual_seed(seed)
    image, ddf = _smooth(1, generator)[0], 3 * _smooth(3, generator)
    expected = warp(image[None, None].double(), ddf[None].double())[0, 0].numpy()
    places = (voxel_grid(SHAPE, ddf) + ddf).numpy()
    limits = np.array(SHAPE)[:, None, None, None] - 1 - _EDGE
    inside = ((places > _EDGE) & (places < limits)).all(0)
    with TemporaryDirectory() as folder:
        files = Files(*(Path(folder) / name for name in ("image.nii.gz", "warp.nii.gz", "warp.h5")))
        write_volume(files.image, image.numpy(), affine)
        write_displacement(files.field, ddf, affine)
        write_transform(files.transform, ddf, affine)
        found = {reader: read(files) for reader, read in READERS.items()}
    return [
        {
            "grid": title,
            "reader": reader,
            "difference": float(np.abs(values - expected)[inside].max()),
            "voxels": int(inside.sum()),
            "unwarped": float(np.abs(image.numpy() - expected)[inside].max()),
        }
        for reader, values in found.items()
    ]


def inverted(strength: float, seed: int) -> dict[str, float]:
    """A diffeomorphism, its inverse, and how far both together lead, away from the border."""
    shape = (64, 64, 24)
    velocity = strength * _smooth(3, torch.Generator().manual_seed(seed), shape)
    ddf = exponential(velocity[None])
    inverse, margin = invert(ddf)[0], int(strength) + 3
    mask = torch.zeros(shape)
    mask[margin:-margin, margin:-margin, min(margin, 8) : -min(margin, 8)] = 1
    error = inverse_consistency_error(ddf[0], inverse, mask)
    return {
        "highest_displacement": float(ddf.abs().max()),
        "folds_percent": float(folding(ddf[0]).percent),
        "mean": error.mean,
        "highest": error.highest,
    }


def by_sitk_transform(files: Files) -> NDArray[np.float64]:
    """SimpleITK, the transform."""
    import SimpleITK as sitk  # noqa: N813, PLC0415 (optional)

    return _resampled(files, sitk.ReadTransform(str(files.transform)))


def by_sitk_field(files: Files) -> NDArray[np.float64]:
    """SimpleITK, the image of vectors."""
    import SimpleITK as sitk  # noqa: N813, PLC0415 (optional)

    return _resampled(files, sitk.DisplacementFieldTransform(sitk.ReadImage(str(files.field), sitk.sitkVectorFloat64)))


def by_itk(files: Files) -> NDArray[np.float64]:
    """ITK, the transform."""
    import itk  # noqa: PLC0415 (optional)

    (transform,) = itk.transformread(str(files.transform))
    image = itk.imread(str(files.image), itk.F)
    found = itk.resample_image_filter(image, transform=transform, use_reference_image=True, reference_image=image)
    return np.asarray(itk.array_from_image(found)).transpose(2, 1, 0).astype(np.float64)


def by_nitransforms(files: Files) -> NDArray[np.float64]:
    """nitransforms, the image of vectors."""
    from nitransforms.nonlinear import DenseFieldTransform  # noqa: PLC0415 (optional)
    from nitransforms.resampling import apply  # noqa: PLC0415 (optional)

    field = DenseFieldTransform.from_filename(str(files.field), fmt="itk")
    return np.asarray(apply(field, str(files.image), order=1, mode="nearest").dataobj, np.float64)


def page(rows: Sequence[Mapping[str, Any]], inverses: Sequence[Mapping[str, float]]) -> list[str]:
    """Lines of the page."""
    highest = max(row["difference"] for row in rows)
    return [
        "# Displacement files in other programs",
        "",
        f"A smooth image with values in [-1, 1] and a smooth field of up to 3 voxels on {' x '.join(map(str, SHAPE))}",
        f"voxels of {' x '.join(f'{edge:g}' for edge in SPACING)} mm, written by us, warped by others with linear",
        "interpolation. Largest difference from our warp where what is sampled lies inside; in the last column the",
        "difference that the warp itself makes.",
        "",
        f"| grid | {' | '.join(READERS)} | unwarped |",
        "|---" * (len(READERS) + 2) + "|",
        *(_file_row(grid, rows) for grid in GRIDS),
        "",
        f"The largest of all is {highest:.1e}.",
        "",
        "Fields that follow a smooth velocity, and their inverses: where the inverse and then the field lead, away",
        "from the border, voxels.",
        "",
        "| largest displacement | J<=0 % | mean | largest |",
        "|---|---|---|---|",
        *("| {:.1f} | {:.3f} | {:.1e} | {:.1e} |".format(*row.values()) for row in inverses),
        "",
        "Inverses of the fields found between hearts are on the [page of accuracy](fsdiffreg_cardiac_accuracy.md).",
    ]


READERS: Mapping[str, Callable[[Files], NDArray[np.float64]]] = {
    "SimpleITK, .h5": by_sitk_transform,
    "SimpleITK, NIfTI": by_sitk_field,
    "ITK, .h5": by_itk,
    "nitransforms, NIfTI": by_nitransforms,
}


def _oblique(base: NDArray[np.float64]) -> NDArray[np.float64]:
    turned = np.eye(4)
    turned[:3, :3] = random_rotation(torch.Generator().manual_seed(3)).numpy()
    turned[:3, 3] = (11.0, -23.0, 5.0)
    result: NDArray[np.float64] = turned @ base
    return result


GRIDS = {
    "RAS": _RAS,
    "LPS": _LPS,
    "oblique": _oblique(_RAS),
    "oblique, LPS": _oblique(_LPS),
    "axes exchanged": _RAS[[2, 0, 1, 3]],
}


def _file_row(grid: str, rows: Sequence[Mapping[str, Any]]) -> str:
    own = [row for row in rows if row["grid"] == grid]
    cells = " | ".join(f"{row['difference']:.1e}" for row in own)
    return f"| {grid} | {cells} | {own[0]['unwarped']:.2f} |"


def _smooth(channels: int, generator: torch.Generator, shape: Sequence[int] = SHAPE) -> Tensor:
    """Random values in [-1, 1] that change over some voxels, ``(channels, *shape)``."""
    coarse = torch.randn(1, channels, *(-(-size // 4) for size in shape), generator=generator)
    values = interpolate(coarse, tuple(shape), mode="trilinear", align_corners=True)[0]
    return values / values.abs().max()


def _resampled(files: Files, transform: Any) -> NDArray[np.float64]:
    import SimpleITK as sitk  # noqa: N813, PLC0415 (optional)

    image = sitk.ReadImage(str(files.image), sitk.sitkFloat64)
    found = sitk.Resample(image, image, transform, sitk.sitkLinear)
    return np.asarray(sitk.GetArrayFromImage(found)).transpose(2, 1, 0).astype(np.float64)


if __name__ == "__main__":
    main()
