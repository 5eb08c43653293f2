"""How far layers, networks and the shipped deconvolver are from commuting with random rotations of the spheres.

python tools/evidence/shd_deconvolution_equivariance.py

Writes docs/evidence/shd_deconvolution_equivariance.{md,json}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
from evidence_page import EVIDENCE, write_evidence
from monai.bundle import ConfigParser
from torch import Tensor, nn

from monai_cortex.data import diffusion_subjects, sample_dataset
from monai_cortex.geometry.harmonics import even_count, harmonic_degrees, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation, sample_rotation
from monai_cortex.metrics import equivariance_error
from monai_cortex.networks.layers import HemisphericalConv
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit
from monai_cortex.networks.nets import HemisphericalUNet

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
NAME = "shd_deconvolution_equivariance"
COMMAND = f"python tools/evidence/{NAME}.py"
DEGREE, CHANNELS, EDGE = 8, 2, 3
ORDERS = {8: (16, 32, 32, 64), 4: (16, 32, 32)}
WHITE, SMOOTH = "all degrees alike", "falling with degree"


@click.command(help="Measure equivariance errors.")
@click.option("--draws", default=20, show_default=True, help="Random weights, signals and rotations of each row.")
@click.option("--evidence-dir", type=click.Path(file_okay=False, path_type=Path), default=EVIDENCE)
def main(draws: int, evidence_dir: Path) -> None:
    """Measure and write."""
    torch.set_default_dtype(torch.float64)
    rows = [
        *[_row("layer", _layer(nside), nside, spectrum, draws) for nside in (8, 4) for spectrum in (WHITE, SMOOTH)],
        *[_row("U-Net", _unet(nside), nside, spectrum, draws) for nside in (8, 4) for spectrum in (WHITE, SMOOTH)],
    ]
    rows.append(_deconvolver_row(draws))
    record = {"rows": rows, "draws": draws, "command": COMMAND}
    click.echo(write_evidence(NAME, record, _page(record), ("torch",), evidence_dir))


def _layer(nside: int) -> Callable[[], nn.Module]:
    return lambda: HemisphericalConv(CHANNELS, 3, hemispheric_graph(nside))


def _unet(nside: int) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        net = HemisphericalUNet(CHANNELS, 2, nside, ORDERS[nside])
        nn.init.normal_(net.head.spherical_weight)  # near zero at the start, where everything agrees
        with torch.no_grad():
            net.train()(_signal(nside, SMOOTH))  # statistics of normalization
        return net.eval()

    return build


def _coefficients(spectrum: str) -> Tensor:
    """Random even harmonics ``(1, C, n, I, J, K)`` to degree 8."""
    falloff = (1.0 + harmonic_degrees(DEGREE, even=True)) ** (-2 if spectrum == SMOOTH else 0)
    values = torch.randn(1, CHANNELS, even_count(DEGREE), EDGE, EDGE, EDGE)
    return values * falloff.view(-1, 1, 1, 1)


def _signal(nside: int, spectrum: str) -> Tensor:
    basis = real_harmonics(hemispheric_graph(nside).directions, DEGREE, even=True)
    return torch.einsum("vn,bcnijk->bcvijk", basis, _coefficients(spectrum))


def _turn(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.einsum("vw,bcwijk->bcvijk", matrix, x)


def _row(kind: str, build: Callable[[], nn.Module], nside: int, spectrum: str, draws: int) -> dict[str, Any]:
    errors = []
    for seed in range(draws):
        torch.manual_seed(seed)
        network, rotation = build(), random_rotation()
        rotate_in = _turn(sample_rotation(rotation, hemispheric_graph(nside).directions, DEGREE))
        signal, fit = _signal(nside, spectrum), vertex_fit(nside, DEGREE)
        function = lambda x, network=network, fit=fit: _turn(fit)(network(x))  # noqa: E731
        rotate_out = _turn(harmonic_rotation(rotation, DEGREE))
        errors.append(float(equivariance_error(function, signal, rotate_in, rotate_out)))
    return _summary(f"{kind}, nside {nside}", spectrum, errors)


def _deconvolver_row(draws: int) -> dict[str, Any]:
    """The shipped deconvolver, from the features of the sample scan to orientations."""
    parser = ConfigParser()
    bundle = ROOT / "bundles" / "shd_deconvolution"
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update({"bundle_root": str(bundle), "device": "cpu"})
    network = parser.get_parsed_content("network").double().eval()
    with TemporaryDirectory() as folder:
        (item,) = diffusion_subjects(sample_dataset("shd_deconvolution", folder))
        torch.set_default_dtype(torch.float32)
        features = parser.get_parsed_content("preprocessing")(item)["features"].double()[None]
        torch.set_default_dtype(torch.float64)
    errors = []
    for seed in range(draws):
        rotate = _blocks(harmonic_rotation(random_rotation(torch.Generator().manual_seed(seed)), DEGREE))
        errors.append(float(equivariance_error(network, features, rotate, rotate)))
    return _summary("shipped deconvolver, nside 4", "the sample scan", errors)


def _blocks(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """Turn every whole group of 45 channels, and leave channels that are left over, isotropic tissues."""

    def act(x: Tensor) -> Tensor:
        count = len(matrix)
        whole = x.shape[1] // count * count
        turned = torch.einsum("nm,bgmijk->bgnijk", matrix, x[:, :whole].unflatten(1, (-1, count)))
        return torch.cat([turned.flatten(1, 2), x[:, whole:]], 1)

    return act


def _summary(what: str, spectrum: str, errors: list[float]) -> dict[str, Any]:
    values = torch.tensor(errors)
    return {
        "what": what,
        "spectrum": spectrum,
        "mean": float(values.mean()),
        "median": float(values.median()),
        "max": float(values.max()),
    }


def _page(record: dict[str, Any]) -> list[str]:
    lines = ["| what | spectrum of the signal | mean [%] | median [%] | largest [%] |", "|---|---|---|---|---|"]
    for row in record["rows"]:
        numbers = " | ".join(f"{100 * row[name]:.2f}" for name in ("mean", "median", "max"))
        lines.append(f"| {row['what']} | {row['spectrum']} | {numbers} |")
    return [
        "# Equivariance to rotations of the spheres",
        "",
        f"Relative error of f(g x) = g f(x): {record['draws']} draws a row of a random rotation g of the sphere in",
        "every voxel and, but for the shipped deconvolver, of a signal x of even degrees to 8 and of weights.",
        "Outputs are compared up to degree 8. Layers: K = 5, kernels of 3^3 voxels. U-Nets: halving nside down to",
        "1, where 6 vertices hold no more than degree 2. Rotations of the voxel grid by symmetries of the cube are",
        "exact.",
        "",
        *lines,
    ]


if __name__ == "__main__":
    main()
