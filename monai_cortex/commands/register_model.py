"""A bundle in MLflow's model registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

__all__ = ["register_model"]


@click.command("register-model")
@click.argument("bundle")
@click.option("--tracking-uri", help="sqlite:///FILE, or a server; MLFLOW_TRACKING_URI goes before it.")
@click.option("--name", help="In the registry.  [default: the bundle's]")
@click.option("--trust", default="", metavar="SHA256", help="Digest of a bundle whose author you trust.")
def register_model(bundle: str, tracking_uri: str | None, name: str | None, trust: str) -> None:
    """Register BUNDLE, the name of a method or a folder, with its weights as a model whose predict takes file names.

    The bundle is verified before; see `zoo verify`.
    """
    from monai_cortex import cohort
    from monai_cortex.data import bundle_folder
    from monai_cortex.handlers import register_bundle
    from monai_cortex.zoo import require_verified
    from monai_cortex.zoo.content import bundle_files

    folder = Path(bundle)
    if not (folder / "configs").is_dir():
        folder = Path(bundle_folder(bundle))
    require_verified(folder, trust)
    code = Path(cohort.__file__).with_name("registered_bundle.py")
    with tempfile.TemporaryDirectory() as staging:
        copy = Path(staging) / folder.resolve().name
        for place in bundle_files(folder):  # not what runs have left there: it may tell of people
            (copy / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / place, copy / place)
        done = register_bundle(copy, code, tracking_uri, name)
    click.echo(f"{done.name}: version {done.version}, to be loaded as {done.uri}")
