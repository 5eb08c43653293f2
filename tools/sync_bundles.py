"""Copy the shared fragments of ``configs/`` into every bundle and the package, so that each is complete by itself.

The bundle of the template for new plugins is one of them.

python tools/sync_bundles.py            copies what differs
python tools/sync_bundles.py --check    names what differs, exit status 1
"""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["differing", "main"]

SHELVES = ("bundles", "monai_cortex/plugins/template/plugin_name/bundles")
FRAGMENTS = ("logging.conf", "mlflow.json", "multi_gpu_train.json")
SHIPPED = Path("monai_cortex") / "zoo" / "metadata_schema.json"  # a copy of configs/schema.json inside the package


def differing(root: Path) -> list[tuple[Path, Path]]:
    """Pairs (fragment, copy) whose bytes differ, sorted by copy; a missing copy differs."""
    folders = [folder for shelf in SHELVES for folder in sorted(root.glob(f"{shelf}/*/configs"))]
    copies = [folder / name for folder in folders for name in FRAGMENTS]
    pairs = [(root / "configs" / copy.name, copy) for copy in copies]
    shipped = root / SHIPPED
    pairs += [(root / "configs" / "schema.json", shipped)] if shipped.parent.is_dir() else []
    return [(source, copy) for source, copy in pairs if not copy.is_file() or copy.read_bytes() != source.read_bytes()]


@click.command(help="Copy the shared fragments of configs/ into every bundle.")
@click.option("--check", is_flag=True, help="Change nothing; exit with status 1 if a copy differs.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).resolve().parents[1],
    help="The repository.",
)
def main(check: bool, root: Path) -> None:
    """Bring the copies up to date, or say which are not."""
    pairs = differing(root)
    for source, copy in pairs:
        name = copy.relative_to(root).as_posix()
        if check:
            click.echo(f"{name}: differs from configs/{source.name}, expected a copy, run tools/sync_bundles.py")
        else:
            copy.write_bytes(source.read_bytes())
            click.echo(f"wrote {name}")
    raise SystemExit(1 if check and pairs else 0)


if __name__ == "__main__":
    main()
