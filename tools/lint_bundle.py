"""Check the configs of a bundle folder against the rules of the house. Nothing in them is executed.

python tools/lint_bundle.py bundles/shd_deconvolution --override epochs=3
python tools/lint_bundle.py --list path/to/foreign_bundle

The rules themselves are those of monai_cortex.zoo, which `python -m monai_cortex zoo verify` keeps for any bundle.
"""

from __future__ import annotations

from pathlib import Path

import click

from monai_cortex.zoo.config_tree import entries, unknown_overrides
from monai_cortex.zoo.lint import lint, listing, read_configs

__all__ = ["lint", "listing", "main", "unknown_overrides"]


@click.command(help="Check the configs of bundle folders; nothing in them is executed.")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--override", multiple=True, metavar="ID=VALUE", help="Check an override too; may be repeated.")
@click.option("--list", "only_list", is_flag=True, help="List every expression and target instead.")
def main(bundles: tuple[Path, ...], override: tuple[str, ...], only_list: bool) -> None:
    """Print one line for each finding; exit with status 1 if there is one."""
    lines: list[str] = []
    for bundle in map(Path.resolve, bundles):
        if only_list:
            lines += listing(bundle)
            continue
        keys = {entry.where for config in read_configs(bundle)[0].values() for entry in entries(config)}
        wrong = unknown_overrides(keys, [text.partition("=")[0] for text in override])
        lines += map(str, lint(bundle))
        lines += [f"{bundle.name}: {name}: unknown id, expected {hint}, correct it" for name, hint in wrong.items()]
    click.echo("\n".join(lines)) if lines else None
    raise SystemExit(bool(lines) and not only_list)


if __name__ == "__main__":
    main()
