"""From the cortices of a dataset to a shape model, and from its codes to cortices that images are drawn of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_cortex.errors import ConfigError

__all__ = ["shapes"]

_FOLDER = click.Path(file_okay=False, path_type=Path)
_MODEL = click.Path(dir_okay=False, path_type=Path)
_SPHERES = click.option(
    "--spheres", type=_FOLDER, help="Folder of subjects with surf/?h.sphere.mcx.reg or ?h.sphere.reg."
)
_MEND = click.option(
    "--mend/--no-mend", default=True, show_default=True, help="Thin the cortex where the pial surface turns over."
)


@click.group()
def shapes() -> None:
    """Fit a shape model to cortices, draw new ones from it, or go from one person to another."""


@shapes.command()
@click.argument("dataset_dir", type=_FOLDER)
@click.argument("model", type=_MODEL)
@click.option("--components", type=click.IntRange(min=1), help="At most; by default one less than subjects.")
@click.option("--features", type=click.Choice(["white_pial", "mid_thickness"]), default="white_pial", show_default=True)
@click.option("--hemispheres", help="lh, rh or lh,rh (one joint shape); by default all that the subjects have.")
@click.option("--align/--no-align", default=True, show_default=True, help="Take poses out.")
@click.option("--scale", is_flag=True, help="Take sizes out, too.")
@_SPHERES
@click.option("--level", type=click.IntRange(0, 8), default=6, show_default=True, help="Of the icosphere, by spheres.")
def fit(  # noqa: PLR0913
    dataset_dir: Path, model: Path, hemispheres: str | None, align: bool, scale: bool, spheres: Path | None, **how: Any
) -> None:
    """Fit MODEL (.npz) to all subjects of DATASET_DIR: white and pial surfaces of equal meshes, or with spheres."""
    from monai_cortex.data import CortexShapes

    if scale and not align:
        raise ConfigError(
            "sizes are taken out together with poses", found="--scale --no-align", remedy="leave one of them out"
        )
    sides = None if hemispheres is None else hemispheres.split(",")
    alignment = ("similarity" if scale else "rigid") if align else "none"
    found = CortexShapes.fit(dataset_dir, hemispheres=sides, alignment=alignment, spheres_dir=spheres, **how)
    found.save(model)
    way = found.correspondence.sphere
    click.echo(
        f"{found.people} subjects, {'+'.join(found.correspondence.sides)}, {len(found.model.mean)} x "
        f"{found.model.mean.shape[1]} numbers, {len(found.model.deviations)} components; "
        + (f"brought over by ?h.{way} to icosphere {found.correspondence.level}" if way else "equal meshes")
    )


@shapes.command()
@click.argument("model", type=_MODEL)
@click.argument("out_dir", type=_FOLDER)
@click.option("--number", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first; then the next numbers."
)
@_MEND
def sample(model: Path, out_dir: Path, number: int, seed: int, mend: bool) -> None:
    """Draw new cortices from MODEL into OUT_DIR/sample-0000 and so on."""
    import torch

    from monai_cortex.data import CortexShapes, write_shape_subject

    found = CortexShapes.load(model)
    for own in range(seed, seed + number):
        code = found.model.sample(1, torch.Generator().manual_seed(own))[0]
        name = f"sample-{own:04d}"
        _show(name, write_shape_subject(out_dir / name, found, code, {"seed": own}, mend=mend))


@shapes.command()
@click.argument("model", type=_MODEL)
@click.argument("dataset_dir", type=_FOLDER)
@click.argument("subject_a")
@click.argument("subject_b")
@click.argument("out_dir", type=_FOLDER)
@click.option("--steps", type=click.IntRange(min=2), default=5, show_default=True, help="Both ends included.")
@click.option("--lerp", "straight", is_flag=True, help="Along the chord, instead of around the mean (slerp).")
@_SPHERES
@_MEND
def between(  # noqa: PLR0913
    model: Path, dataset_dir: Path, out_dir: Path, steps: int, straight: bool, spheres: Path | None, **rest: Any
) -> None:
    """Go from SUBJECT_A to SUBJECT_B of DATASET_DIR, into OUT_DIR/between-0000 and so on."""
    from monai_cortex.data import CortexShapes, write_shape_subject

    found = CortexShapes.load(model)
    names = rest["subject_a"], rest["subject_b"]
    ends = [found.shape(dataset_dir, name, spheres) for name in names]
    record = {
        "ends": names,
        "ends_off_model_mm": [found.residual(shape) for shape in ends],
        "path": "lerp" if straight else "slerp",
    }
    a, b = (found.model.encode(shape) for shape in ends)
    path = found.model.lerp if straight else found.model.slerp
    for number in range(steps):
        place = number / (steps - 1)
        try:
            code = path(a, b, place)
        except ValueError as error:
            raise ConfigError(f"no way around the mean shape: {error}", remedy="add --lerp") from error
        name = f"between-{number:04d}"
        written = write_shape_subject(out_dir / name, found, code, {**record, "place": place}, mend=rest["mend"])
        _show(name, written)


def _show(name: str, record: dict[str, Any]) -> None:
    sides = record["hemispheres"].values()
    turned, before, outside = (
        sum(side[key] for side in sides) for key in ("turned_triangles", "turned_before", "white_outside_pial_voxels")
    )
    click.echo(
        f"{name}: code norm {record['code_norm']:.2f} (typical {record['typical_norm']:.2f}), {turned} triangles turned"
        f" over ({before} before mending), white outside pial in {outside} voxels of 1 mm"
    )
