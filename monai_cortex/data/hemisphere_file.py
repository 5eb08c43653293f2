"""Files of one hemisphere of a subject, in FreeSurfer's layout or GIFTI: found, read, and held to their side."""

from __future__ import annotations

import os
from pathlib import Path

from monai_cortex.errors import GeometryError, InputFileError

from .freesurfer import read_surface_geometry
from .gifti import read_gifti_surface
from .surface_checks import require_hemisphere
from .surface_file import SurfaceFile
from .surface_names import gifti_files, hemisphere_of, is_gifti

__all__ = [
    "find_gifti",
    "gifti_folders",
    "read_hemisphere_surface",
    "require_brain_size",
    "require_own_side",
    "require_side_of_name",
]

_ACROSS = 5.0  # mm; hemispheres have their middles 30 mm from the midline
_EXTENT = (5.0, 500.0)  # mm; hemispheres of mice and of whales


def gifti_folders(place: Path) -> tuple[Path, ...]:
    """Folders of a subject in which its GIFTI files lie: its own and ``anat``."""
    return place, place / "anat"


def find_gifti(place: Path, side: str, name: str, kinds: tuple[str, ...], strict: bool = True) -> Path:
    """The GIFTI file of a quantity of one hemisphere; where there is none, a pattern that says what was looked for.

    Args:
        place: folder of the subject.
        side: "lh" or "rh".
        name: of the quantity, such as "sphere".
        kinds: accepted words before ``.gii``, such as "surf".
        strict: whether several such files are an error.

    Raises:
        InputFileError: several files claim the place.
    """
    found = [path for folder in gifti_folders(place) for path in gifti_files(folder, side, name, kinds)]
    if len(found) > 1 and strict:
        raise InputFileError(
            f"several files could be the {name} of one hemisphere",
            file=found[0],
            subject=Path(os.path.abspath(place)).name,
            found=f"also {', '.join(path.name for path in found[1:4])}",
            expected=f"one file for {name} and {side}",
            remedy="move the others away",
        )
    return found[0] if len(found) == 1 else place / f"*.{side[0].upper()}.{name}.{kinds[0]}.gii"


def read_hemisphere_surface(
    path: str | os.PathLike[str], subject: str, side: str, *, scanner: bool = False
) -> SurfaceFile:
    """Read a surface in either format, and refuse one whose name or content says the other hemisphere.

    Args:
        path: of the file.
        subject: identifier for messages.
        side: "lh" or "rh".
        scanner: add c_ras, so that the vertices are in RAS+ scanner coordinates.

    Raises:
        InputFileError: missing, damaged, or another kind of file.
        GeometryError: of the other hemisphere, or coordinates or indices that cannot be.
    """
    read = read_gifti_surface if is_gifti(path) else read_surface_geometry
    surface = read(path, subject, scanner=scanner)
    require_hemisphere(side, surface)
    return surface


def require_own_side(surface: SurfaceFile, side: str) -> None:
    """Refuse a white or pial surface that lies on the other side; FreeSurfer's files do not say whose side it is.

    Args:
        surface: as read from its file, mm.
        side: "lh" or "rh".

    Raises:
        GeometryError: its middle lies more than 5 mm across the midline.
    """
    middle = float(surface.mesh.vertices[:, 0].mean())
    if (middle if side == "lh" else -middle) > _ACROSS:
        raise GeometryError(
            "the surface lies on the other side of the brain",
            file=surface.path,
            subject=surface.subject,
            found=f"its middle at x = {middle:.1f} mm (right is positive)",
            expected=f"{side} on its own side",
            remedy="check that left and right were not mixed up",
        )


def require_brain_size(surface: SurfaceFile) -> None:
    """Refuse a white or pial surface that no brain has: its coordinates are in another unit than mm.

    Args:
        surface: as read from its file.

    Raises:
        GeometryError: it is smaller than 5 mm or larger than 500 mm along its longest axis.
    """
    extent = float((surface.mesh.vertices.amax(0) - surface.mesh.vertices.amin(0)).max())
    if not _EXTENT[0] <= extent <= _EXTENT[1]:
        raise GeometryError(
            "the surface has not the size of a brain, its unit of length is not mm",
            file=surface.path,
            subject=surface.subject,
            found=f"{extent:.4g} mm along its longest axis",
            expected=f"{_EXTENT[0]:g} to {_EXTENT[1]:g} mm",
            remedy="scale the coordinates to mm",
        )


def require_side_of_name(path: str, subject: str, side: str) -> None:
    """Refuse a file whose name tells the other hemisphere.

    Args:
        path: of the file.
        subject: identifier for messages.
        side: "lh" or "rh".

    Raises:
        GeometryError: it does.
    """
    named = hemisphere_of(path)
    if named and named != side:
        raise GeometryError(
            "the file belongs to the other hemisphere, by its name",
            file=path,
            subject=subject,
            found=named,
            expected=side,
            remedy="check that left and right were not mixed up",
        )
