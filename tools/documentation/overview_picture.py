"""The picture of the README: one panel a method, drawn from the files that the demonstrations have written.

python tools/documentation/overview_picture.py OUT docs/pictures/overview.png

OUT is the output folder of ``python -m monai_cortex demo``. For a sharper image of the brain, draw it again before:
``--spacing 1.2 --output_dir OUT/cor2vox_synthesis``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monai_cortex.data import read_displacement, read_morph, read_surface_geometry, read_volume
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize import (
    Orientation,
    PairView,
    closest_orientation,
    edge_letters,
    fiber_glyphs,
    new_figure,
    pair_views,
    show_slice,
    surface_view,
    to_ras,
)
from monai_cortex.visualize.panel_lines import outline, warped_grid
from monai_cortex.visualize.slices import fullest_slice, inner_letters

HEART = {(3,): "#e69f00", (2, 3): "#009e73", (1,): "#56b4e9"}
SURFACES = {"white": "#f0e442", "pial": "#d55e00"}
DPI = 102  # sharp at the width of a page
SPREAD = 2.5  # standard deviations of sulcal depth at the ends of the colors


@click.command()
@click.argument("results", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(results: Path, output: Path) -> None:
    """Draw RESULTS of the demonstrations to the PNG file OUTPUT."""
    figure = new_figure(12.6, 6.9)
    figure.set_layout_engine("none")
    draw_spheres(figure, results / "spherical_diffusion_registration")
    draw_fibers(figure, results / "shd_deconvolution")
    draw_brain(figure, results / "cor2vox_synthesis")
    draw_heart(figure, results / "fsdiffreg_cardiac")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=DPI, metadata={"Software": None})
    click.echo(f"{output}: {output.stat().st_size / 1e3:.0f} kB")


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes without ticks at a place in inch."""
    across, along = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / along, width / across, height / along))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def heading(figure: Figure, left: float, bottom: float, title: str, words: str) -> None:
    """Name of a panel, and below it what is seen."""
    across, along = figure.get_size_inches()
    figure.text(left / across, bottom / along, title, weight="bold", size=13, va="bottom")
    figure.text(left / across, (bottom - 0.06) / along, words, size=10.5, va="top", color="0.25")


def subject(folder: Path) -> dict[str, Any]:
    """What the method's report says of its first subject."""
    return dict(json.loads((folder / "report.json").read_text())["subjects"][0])


def draw_spheres(figure: Figure, folder: Path) -> None:
    """A left hemisphere: the cortex, its sphere before and after registration, and the sphere that it meets."""
    found = subject(folder)
    moving = folder / "samples" / found["subject"] / "surf"
    target = folder / "target" / "fsaverage5" / "surf"
    size = len(read_surface_geometry(moving / "lh.sphere").mesh.vertices)
    depths = {path: read_morph(path / "lh.sulc", size) for path in (moving, target)}
    columns = {
        "the cortex": (moving / "lh.white", moving),
        "its sphere": (moving / "lh.sphere", moving),
        "registered": (folder / found["subject"] / "surf" / "lh.sphere.mcx.reg", moving),
        "target": (target / "lh.sphere", target),
    }
    words = "sulcal depth, seen from the left (blue gyri, red sulci); "
    words += f"correlation {found['lh_ncc_rigid']:.3f} rotated, {found['lh_ncc']:.3f} registered"
    heading(figure, 0.15, 6.5, "Cortical registration", words)
    for number, (name, (file, home)) in enumerate(columns.items()):
        depth = np.asarray(depths[home], np.float64)
        mesh = read_surface_geometry(file).mesh
        picture = painted(mesh, (depth - depth.mean()) / depth.std())
        axes = place(figure, 0.3 + 2.22 * number, 3.5, 2.1, 2.3)
        axes.imshow(picture)
        axes.set_title(name, size=11)
        if not number:
            for letter, (x, side) in {"A": (-0.01, "right"), "P": (1.01, "left")}.items():
                axes.text(x, 0.5, letter, transform=axes.transAxes, ha=side, va="center", color="0.3", weight="bold")


def painted(mesh: Mesh, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A hemisphere from the left, colored by standard deviations."""
    return surface_view(mesh, "lh", "lateral", width=420).paint(values, mpl.colormaps["RdBu_r"], (-SPREAD, SPREAD))


def draw_fibers(figure: Figure, folder: Path) -> None:
    """Orientation distributions of an axial slice."""
    found = subject(folder)
    home = folder / found["subject"]
    volume = read_volume(home / "wmfod.nii.gz")
    orientation = closest_orientation(volume.affine)
    field = to_ras(np.moveaxis(np.asarray(volume.values), -1, 0), orientation)
    index = fullest_slice(np.isfinite(field).all(0) & (np.abs(field).sum(0) > 0))
    words = "of a real scan; red L-R, green A-P, blue S-I"
    heading(figure, 9.3, 6.5, "Fiber orientations", words)
    axes = place(figure, 9.3, 3.12, 3.05, 3.05)
    dx, dy = (float(edge) for edge in orientation.spacing[:2])
    part = field[..., index]
    crop = fiber_glyphs(axes, part, view=orientation.frame, spacing=(dx, dy))
    axes.set_xlim((crop.left - 0.6) * dx, (crop.left + crop.width - 0.4) * dx)
    axes.set_ylim((crop.bottom - 0.6) * dy, (crop.bottom + crop.height - 0.4) * dy)
    axes.set_facecolor("black")
    inner_letters(axes, ("L", "R", "P", "A"), 12)


def draw_brain(figure: Figure, folder: Path) -> None:
    """A generated image, and the surfaces that it was drawn from."""
    home = folder / subject(folder)["subject"]
    image = read_volume(home / "synth_T1w.nii.gz")
    orientation = closest_orientation(image.affine)
    fields = {
        name: to_ras(np.asarray(read_volume(home / f"{name}_sdf.nii.gz").values, np.float64), orientation)
        for name in SURFACES
    }
    box = tuple(slice(int(near.min()), int(near.max()) + 1) for near in np.nonzero(fields["pial"] < 3))  # noqa: PLR2004
    brain = to_ras(np.asarray(image.values, np.float64), orientation)[box]
    index = int((fields["white"][box] < 0).sum((0, 2)).argmax())
    across, along = (float(edge) for edge in orientation.spacing[[0, 2]])
    heading(figure, 0.15, 2.7, "Brain MRI from surfaces", "a T1-weighted image drawn from white and pial surfaces")
    for number, lines in enumerate((False, True)):
        axes = place(figure, 0.15 + 2.15 * number, 0.12, 2.05, 2.1)
        show_slice(axes, brain[:, index], (across, along), (0, 1.1), "gray")
        inner_letters(axes, ("L", "R", "I", "S"))
        for name, color in SURFACES.items() if lines else ():
            distance = fields[name][box][:, index]
            places = [np.arange(size) * edge for size, edge in zip(distance.shape, (across, along), strict=True)]
            axes.contour(*places, distance.T, levels=[0.0], colors=[color], linewidths=0.9)


def draw_heart(figure: Figure, folder: Path) -> None:
    """A slice of a heart before and after its registration, and the grid that the displacement bends."""
    found = subject(folder)
    home = folder / found["subject"]
    given = folder / "samples" / found["subject"]
    names = {"fixed": given, "moving": given, "warped": home}
    volumes = {name: read_volume(place / f"{name}.nii.gz") for name, place in names.items()}
    orientation = closest_orientation(volumes["fixed"].affine)
    images = {name: to_ras(np.asarray(volume.values, np.float64), orientation) for name, volume in volumes.items()}
    labels = {
        name: to_ras(np.asarray(read_volume(place / f"{name}_seg.nii.gz").values), orientation)
        for name, place in names.items()
    }
    view = pair_views(np.logical_or.reduce([values > 0 for values in labels.values()]), orientation, labels["fixed"])[1]
    across, along = view.plane
    spacing = float(orientation.spacing[across]), float(orientation.spacing[along])
    words = f"end diastole onto end systole (white outlines); mean Dice {found['initial_dice_mean5']:.2f} before, "
    heading(figure, 4.65, 2.7, "Cardiac registration", words + f"{found['dice_mean5']:.2f} after")
    low, high = np.percentile(images["fixed"], (0.5, 99.5))
    for number, (name, title) in enumerate({"moving": "before", "warped": "after", "": "displacement"}.items()):
        axes = place(figure, 4.65 + 2.65 * number, 0.12, 2.55, 2.05)
        axes.set_title(title, size=11, pad=4)
        if not name:
            draw_motion(figure, axes, home, orientation, view, spacing)
            continue
        show_slice(axes, view.cut(images[name]), spacing, (low, high), "gray")
        outline(axes, view.cut(labels[name]), spacing, HEART)
        outline(axes, view.cut(labels["fixed"]), spacing, dict.fromkeys(HEART, "w"))
        inner_letters(axes, edge_letters(view, orientation), 9)


def draw_motion(  # noqa: PLR0913
    figure: Figure,
    axes: Axes,
    home: Path,
    orientation: Orientation,
    view: PairView,
    spacing: tuple[float, float],
) -> None:
    """Length of the displacement in the heart's slice, and the grid that it bends."""
    field = read_displacement(home / "warp.nii.gz").ddf.numpy()
    signs = np.where(orientation.flips, -1, 1) * orientation.spacing
    vectors = to_ras(field, orientation)[list(orientation.axes)] * signs[:, None, None, None]
    length = np.sqrt(sum(view.cut(part) ** 2 for part in vectors))
    shown = show_slice(axes, length, spacing, (0.0, float(length.max())), "magma")
    warped_grid(axes, [view.cut(vectors[axis]) for axis in view.plane], spacing)
    bar = figure.colorbar(shown, cax=axes.inset_axes((0.05, 0.06, 0.4, 0.045)), orientation="horizontal")
    bar.ax.tick_params(labelsize=8, colors="w", length=0, pad=1, labeltop=True, labelbottom=False)
    bar.outline.set_visible(False)  # type: ignore[operator]
    axes.text(0.48, 0.06, "mm", transform=axes.transAxes, color="w", size=8, va="bottom")


if __name__ == "__main__":
    main()
