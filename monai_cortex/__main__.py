"""The command line: what the stock MONAI client lacks. Commands import what they need: listing must not load torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from monai_cortex import __version__, plugins
from monai_cortex.commands.apply import apply
from monai_cortex.commands.cohort import cohort
from monai_cortex.commands.new_plugin import new_plugin
from monai_cortex.commands.register_model import register_model
from monai_cortex.commands.shapes import shapes
from monai_cortex.commands.sync import sync
from monai_cortex.commands.trajectory import trajectory
from monai_cortex.commands.zoo import zoo
from monai_cortex.errors import ConfigError, CortexError

USAGE, SOME_FAILED, NONE_SUCCEEDED = 2, 3, 4
_SEED, _AMOUNT = click.IntRange(min=0), click.IntRange(min=1)
_SIZE, _RATIO = click.FloatRange(min=0), click.FloatRange(min=0, min_open=True)


class _Group(click.Group):
    """A group whose commands answer a user's mistake with the error alone and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CortexError as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"{type(error).__name__}: {error}", err=True)
            ctx.exit(USAGE)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="monai_cortex")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: ARG001
    """Cortex, white matter and heart: methods as MONAI bundles. Bundles run with `python -m monai.bundle run`."""


@main.command("list")
@click.option("--check", is_flag=True, help="Import every component and say which are broken.")
def list_components(check: bool) -> None:
    """Print the installed methods and components."""
    found = plugins.available(check=check)
    for kind in plugins.KINDS:
        rows = [plugin for plugin in found if plugin.kind == kind]
        if rows:
            click.echo(click.style(kind, bold=True))
        for plugin in rows:
            click.echo(f"  {plugin.name:34}{plugin.source} {plugin.version}  {plugin.reason}".rstrip())


@main.command()
@click.argument("slug")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def samples(slug: str, folder: Path) -> None:
    """Write the sample data of a method as files that its bundle reads."""
    from monai_cortex.data import write_samples

    write_samples(slug, folder)
    click.echo(f"{slug}: sample data in {folder}")


@main.command()
@click.argument(
    "slug",
    type=click.Choice(
        ["shd_deconvolution", "spherical_diffusion_registration", "cor2vox_synthesis", "fsdiffreg_cardiac"]
    ),
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--subjects", type=_AMOUNT, default=1, show_default=True, help="How many.")
@click.option(
    "--protocol", default="clinical_30", show_default=True, help="Gradients of diffusion MRI; a wrong one lists all."
)
@click.option("--snr", type=_RATIO, default=30.0, show_default=True, help="Of white matter at b = 0.")
@click.option("--seed", type=_SEED, default=0, show_default=True, help="Of the first subject; then the next numbers.")
@click.option("--population", type=click.Path(exists=True), help="Of cortices: ?h.*mean.sulc, ?h.*std.sulc.")
@click.option("--vary", is_flag=True, help="Draw diffusivities, and gray matter in some scenes, at random.")
@click.option("--scanner", type=click.Choice(["A", "B"]), default="A", show_default=True, help="Look of T1 images.")
@click.option("--spacing", type=_RATIO, default=1.4, show_default=True, help="Voxel edge of T1 images in mm.")
def simulate(
    slug: str,
    folder: Path,
    subjects: int,
    seed: int,
    population: str | None,
    scanner: str,
    spacing: float,
    **scan: Any,
) -> None:
    """Simulate subjects with known truth as files that a bundle reads."""
    from monai_cortex import simulate as simulation

    if slug == "spherical_diffusion_registration":
        simulation.write_synthetic_cortices(folder, subjects, seed, population)
        click.echo(f"{slug}: {subjects} synthetic people in {folder}")
        return
    if slug == "cor2vox_synthesis":
        simulation.write_synthetic_brains(folder, subjects, seed, scanner=scanner, spacing=spacing)
        click.echo(f"{slug}: {subjects} synthetic people in {folder}")
        return
    if slug == "fsdiffreg_cardiac":
        simulation.write_synthetic_hearts(folder, subjects, seed)
        click.echo(f"{slug}: {subjects} simulated hearts in {folder}")
        return
    for number in range(seed, seed + subjects):
        phantom = simulation.simulate_diffusion(number, **scan)
        simulation.write_simulated_diffusion(folder / f"phantom-{number:04d}", phantom)
    click.echo(f"{slug}: {subjects} simulated subjects in {folder}")


@main.command()
@click.argument("fod", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("outputs", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--mask", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Where streamlines run.")
@click.option("--seeds", type=_AMOUNT, default=10000, show_default=True, help="Points to start at, from the mask.")
@click.option("--deterministic", is_flag=True, help="Follow the highest direction instead of drawing one.")
@click.option("--minimum-amplitude", type=_SIZE, default=0.1, show_default=True, help="Where lower, lines end.")
@click.option("--seed", type=_SEED, default=0, show_default=True, help="Of the random numbers.")
def track(  # noqa: PLR0913
    fod: Path,
    outputs: tuple[Path, ...],
    mask: Path | None,
    seeds: int,
    deterministic: bool,
    minimum_amplitude: float,
    seed: int,
) -> None:
    """Follow the orientations of FOD (wmfod.nii.gz), and write streamlines to OUTPUTS, names in .trk or .tck."""
    from monai_cortex.inferers import TrackingOptions, track_file

    if wrong := [path.name for path in outputs if path.suffix not in (".trk", ".tck")]:
        raise click.BadParameter(f"{wrong[0]}: streamlines are written as .trk or .tck", param_hint="OUTPUTS")
    options = TrackingOptions(deterministic=deterministic, minimum_amplitude=minimum_amplitude)
    count = track_file(fod, outputs, mask, seeds, options, seed=seed)
    click.echo(f"{count} streamlines from {seeds} seeds")


@main.command()
@click.argument("slug")
@click.argument("dataset_dir", type=click.Path(file_okay=False, path_type=Path))
def check(slug: str, dataset_dir: Path) -> None:
    """Check all inputs of a method, gradient axes included; exit code 3 if some subjects fail, 4 if none passes."""
    from monai_cortex.data import check_dataset

    count, errors = check_dataset(slug, dataset_dir)
    for error in errors:
        click.echo(f"{type(error).__name__}: {error}\n", err=True)
    click.echo(f"{count - len(errors)} of {count} subjects can be processed.")
    if errors:
        sys.exit(SOME_FAILED if len(errors) < count else NONE_SUCCEEDED)


@main.command()
@click.argument("slug", required=False)
@click.option("--all", "every", is_flag=True, help="All methods, as without a name.")
@click.option("--output-dir", default="out", type=click.Path(file_okay=False, path_type=Path), show_default=True)
@click.option("--steps", default=None, type=_AMOUNT, help="Training steps, instead of the shipped weights alone.")
def demo(slug: str | None, every: bool, output_dir: Path, steps: int | None) -> None:
    """Run a method, or every one, on its sample data through `python -m monai.bundle run`, and show what came out.

    Exit codes: 0 all done, 2 usage, 3 some methods failed, 4 none succeeded, 130 and 143 interrupted.
    """
    from monai_cortex.demo import demonstrate, demonstrations

    known = demonstrations()
    if slug and every:
        raise click.UsageError("name a method, or say --all")
    if slug and slug not in known:
        raise ConfigError(
            f"there is no demonstration of {slug!r}",
            expected=", ".join(known),
            remedy="name one of these, or none for all",
        )
    sys.exit(demonstrate({slug: known[slug]} if slug else known, output_dir, steps))


main.add_command(apply)
main.add_command(cohort)
main.add_command(new_plugin)
main.add_command(register_model)
main.add_command(shapes)
main.add_command(sync)
main.add_command(trajectory)
main.add_command(zoo)

if __name__ == "__main__":
    main()
