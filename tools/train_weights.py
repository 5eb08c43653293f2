"""Train the weights that a bundle ships, through the stock client, and put them into the bundle.

python tools/train_weights.py shd_deconvolution --output-dir out/weights
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click

from monai_cortex.data import sha256

__all__ = ["main"]

# What differs from the configs' own values, which are those of a demonstration.
RECIPES = {"shd_deconvolution": {"steps": 1000, "epochs": 20, "val_interval": 10}}


@click.command(help="Train the weights of a bundle and put them into it.")
@click.argument("slug", type=click.Choice(sorted(RECIPES)))
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(slug: str, output_dir: Path) -> None:
    """Run the training and copy the weights."""
    bundle = Path(__file__).resolve().parents[1] / "bundles" / slug
    options = {"output_dir": output_dir, "seed": 0, **RECIPES[slug]}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    config = ["--config_file", str(bundle / "configs" / "train.json")]
    subprocess.run([sys.executable, "-m", "monai.bundle", "run", *config, *words], check=True)
    (bundle / "models").mkdir(exist_ok=True)
    weights = Path(shutil.copyfile(output_dir / "model.pt", bundle / "models" / "model.pt"))
    metrics = json.loads((output_dir / "report.json").read_text())["metrics"]
    click.echo(f"{weights.name}: sha256 {sha256(weights)}, {metrics}")


if __name__ == "__main__":
    main()
