"""A displacement field applied to an image, to labels or to points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monai_cortex.errors import GeometryError, InputFileError

if TYPE_CHECKING:
    from monai_cortex.data import Displacement, Volume

__all__ = ["apply"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAMES = (".nii", ".nii.gz")
_LARGEST = 32767  # that int16 holds
_HALF = 0.5  # voxels, from the center of an outermost one to its face


@click.command()
@click.argument("warp", type=_FILE)
@click.argument("source", metavar="INPUT", type=_FILE)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--labels", is_flag=True, help="INPUT holds whole numbers: take the nearest voxel, mix none.")
@click.option("--points", is_flag=True, help="INPUT is a CSV file with columns x, y, z in mm, RAS.")
@click.option("--resample", is_flag=True, help="Take an image on another grid than the field's.")
def apply(warp: Path, source: Path, output: Path, labels: bool, points: bool, resample: bool) -> None:
    """Apply the displacement field WARP, such as warp.nii.gz, to INPUT.

    A moving image becomes one on the fixed image's grid: at x it is INPUT at x + u(x). Beyond its border an image goes
    on constantly; with --resample it is 0 there.

    Points go the other way: a point x of the FIXED image is taken to x + u(x) in the moving one. To carry points of the
    MOVING image to the fixed one, name inverse_warp.nii.gz as WARP.
    """
    from monai_cortex.data import read_displacement

    if points and (labels or resample):
        raise click.UsageError("--points has no voxels: leave --labels and --resample out")
    if not points and not output.name.endswith(_NAMES):
        raise click.BadParameter(f"{output.name}: images are written as .nii or .nii.gz", param_hint="OUTPUT")
    if output.resolve() in (warp.resolve(), source.resolve()):
        raise click.BadParameter(f"{output.name} is an input: choose another name", param_hint="OUTPUT")
    field = read_displacement(warp)
    record = {"sources": [source.name, warp.name]}
    if points:
        click.echo(_carry_points(field, source, output, {**record, "units": "mm", "axes": "RAS"}))
    else:
        click.echo(_warp_image(field, source, output, record, "nearest" if labels else "linear", resample))


def _carry_points(field: Displacement, source: Path, output: Path, record: Mapping[str, object]) -> str:
    import torch

    from monai_cortex.data import read_points, write_points
    from monai_cortex.geometry.displacement import displaced_points

    table, affine = read_points(source), torch.from_numpy(field.affine)
    voxels = (table.points - affine[:3, 3]) @ torch.linalg.inv(affine[:3, :3]).T
    moved = displaced_points(voxels, field.ddf.double()) @ affine[:3, :3].T + affine[:3, 3]
    write_points(output, table._replace(points=moved), {**record, "convention": "x to x + u(x), fixed to moving image"})
    size = torch.tensor(field.ddf.shape[1:])
    outside = int(((voxels < -_HALF) | (voxels > size - _HALF)).any(1).sum())
    note = f"; {outside} of them outside the field, which goes on constantly" if outside else ""
    return f"{len(voxels)} points in {output}{note}"


def _warp_image(  # noqa: PLR0913
    field: Displacement, source: Path, output: Path, record: Mapping[str, object], interpolation: str, resample: bool
) -> str:
    import numpy as np
    import torch

    from monai_cortex.data import read_volume, write_volume
    from monai_cortex.geometry.displacement import warp
    from monai_cortex.geometry.displacement_space import point_into

    nearest = interpolation == "nearest"
    volume = read_volume(source, constant=True)
    dtype = _label_type(volume, source) if nearest else np.float32
    ddf, padding = field.ddf, "border"
    if _other_grid(volume, field, source, allowed=resample):
        ddf, padding = point_into(ddf, field.affine, volume.affine), "zeros"
    channels = torch.from_numpy(volume.values).reshape(*volume.values.shape[:3], -1).movedim(-1, 0)
    warped = warp(channels[None], ddf[None], "nearest" if nearest else "bilinear", padding)[0].movedim(0, -1)
    shape = (*ddf.shape[1:], *volume.values.shape[3:])
    told = {"interpolation": interpolation, "outside": padding, "grid": "of the field"}
    write_volume(output, warped.reshape(shape).numpy(), field.affine, {**record, **told}, dtype=dtype)
    return f"{source.name} on the field's grid in {output}, {interpolation}"


def _label_type(volume: Volume, source: Path) -> str:
    """Of the voxels on disk."""
    if (volume.values % 1 != 0).any():
        raise InputFileError(
            "labels are no whole numbers",
            file=source,
            found=f"{volume.values[volume.values % 1 != 0][0]:g}",
            expected="whole numbers",
            remedy="leave --labels out for an image",
        )
    return "int16" if abs(volume.values).max() <= _LARGEST else "int32"


def _other_grid(volume: Volume, field: Displacement, source: Path, *, allowed: bool) -> bool:
    from monai_cortex.data import Volume, require_same_grid

    grid = Volume(field.ddf.movedim(0, -1).numpy(), field.affine)
    try:
        require_same_grid(volume, grid, source, names=("image", "field"))
    except GeometryError as error:
        if allowed:
            return True
        found, expected = (f"{name} {_grid(part)}" for name, part in (("image", volume), ("field", grid)))
        remedy = "add --resample to read the image where the field points in space, if both show one heart in one space"
        raise GeometryError(error.args[0], file=source, found=found, expected=expected, remedy=remedy) from error
    return False


def _grid(volume: Volume) -> str:
    return f"{volume.values.shape[:3]} voxels, affine {volume.affine[:3].round(3).tolist()}"
