"""Bundles packed, listed, verified and fetched."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["zoo"]

_FOLDER = click.Path(file_okay=False, path_type=Path)
_USAGE = 2


@click.group()
def zoo() -> None:
    """Pack bundles, verify what they would execute, and fetch them from a folder or a server."""


@zoo.command()
@click.argument("bundle", type=_FOLDER)
@click.option("--trust", default="", metavar="SHA256", help="Digest of a bundle whose author you trust.")
@click.option("--override", multiple=True, metavar="ID=VALUE", help="Check an override too; may be repeated.")
@click.option("--list", "show", is_flag=True, help="List every expression and target.")
@click.option("--static", is_flag=True, help="Import and call nothing: leave components, weights and network out.")
def verify(bundle: Path, trust: str, override: tuple[str, ...], show: bool, static: bool) -> None:
    """Verify the folder BUNDLE; nothing of it runs unless it is harmless or trusted."""
    from monai_cortex.zoo import verify_bundle

    verdict = verify_bundle(bundle, trust, override, run=not static)
    for line in verdict.code if show else ():
        click.echo(line)
    for problem in verdict.problems:
        click.echo(f"{type(problem).__name__}: {problem}\n", err=True)
    click.echo(f"sha256 {verdict.digest}  {bundle.resolve().name}")
    if verdict.problems:
        click.echo(f"refused: {len(verdict.problems)} problems", err=True)
        sys.exit(_USAGE)
    tried = "not tried" if static else "tried"
    click.echo(f"verified: {len(verdict.code)} expressions and targets; weights and network {tried}")


@zoo.command()
@click.argument("bundle", type=_FOLDER)
def seal(bundle: Path) -> None:
    """Record the digests of BUNDLE's weights beside them; once after weights were put there by hand."""
    from monai_cortex.zoo import seal as record_weights

    for record in record_weights(bundle):
        click.echo(f"wrote {record}")


@zoo.command()
@click.argument("bundle", type=_FOLDER)
@click.argument("out_dir", type=_FOLDER)
def pack(bundle: Path, out_dir: Path) -> None:
    """Pack BUNDLE as OUT_DIR/name_vX.Y.Z.zip: the same bytes from the same files."""
    from monai_cortex.data import sha256
    from monai_cortex.zoo import pack_bundle

    archive = pack_bundle(bundle, out_dir)
    click.echo(f"{archive}: {archive.stat().st_size:,} bytes, sha256 {sha256(archive)}")


@zoo.command()
@click.argument("folder", type=_FOLDER)
@click.option("--base-url", default="", help="Address that the archives will be downloaded from.")
def index(folder: Path, base_url: str) -> None:
    """List the archives of FOLDER in FOLDER/models/model_info.json, as MONAI's client reads it."""
    from monai_cortex.zoo import write_index

    click.echo(f"wrote {write_index(folder, base_url)}")


@zoo.command()
@click.argument("name")
@click.argument("dest", type=_FOLDER)
@click.option("--from", "--url", "place", required=True, help="Folder or http(s) address with archives and index.")
@click.option("--version", default="", help="X.Y.Z; the latest if left out.")
@click.option("--sha256", "digest", default="", help="Of the archive, in place of the index.")
def fetch(name: str, dest: Path, place: str, version: str, digest: str) -> None:
    """Fetch the bundle NAME, check it and unpack it as DEST/NAME; without an http address nothing is downloaded."""
    from monai_cortex.zoo import fetch_bundle

    folder = fetch_bundle(name, place, dest, version=version, digest=digest)
    click.echo(f"{folder}: unpacked; `python -m monai_cortex zoo verify {folder}` says what it would execute")
