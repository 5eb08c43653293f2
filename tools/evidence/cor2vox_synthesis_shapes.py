"""What lies between two cortices: paths of a shape model along the chord and around the mean.

python tools/evidence/cor2vox_synthesis_shapes.py

Writes docs/evidence/cor2vox_synthesis_shapes.{md,json,png}. People are synthetic, made from fsaverage5, which ships
with nilearn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from evidence_page import EVIDENCE, write_evidence
from torch import Tensor
from tqdm import tqdm

from monai_cortex.geometry.cortex_features import split_cortex, stack_cortex
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.shape_model import ShapeModel
from monai_cortex.geometry.topology import topology_hash
from monai_cortex.simulate import CorticalSurfaces, CorticalVariation, template_cortex, vary_cortex
from monai_cortex.visualize import path_figure, png

__all__ = ["main", "measure_shape"]

NAME = "cor2vox_synthesis_shapes"
COMMAND = f"python tools/evidence/{NAME}.py"
# Sizes and poses are as if brains had been aligned to a template before, which is how shape models are fitted.
ALIGNED = CorticalVariation(scale=(1.0, 1.0), stretch=0.0, turn=0.0)
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
COSINES = (-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9)
KEPT = 50  # components of the probe of angles: fewer than people, or all angles would be the same
SAME = 10  # pairs for each angle
QUANTITIES = {
    "white_area": "white area",
    "pial_area": "pial area",
    "roughness": "roughness",
    "thickness_sd": "SD of thickness",
    "thickness_mean": "mean thickness",
}
PATHS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {"lerp": ShapeModel.lerp, "slerp": ShapeModel.slerp}


class Cortex(NamedTuple):
    """What is the same for all people: triangles of the hemispheres, and where there is cortex, ``(V,)``."""

    faces: list[Tensor]
    cortical: Tensor


@click.command(help="Interpolate between synthetic cortices, and measure what lies between them.")
@click.option("--people", default=100, show_default=True, help="That the model is fitted to.")
@click.option("--held-out", default=10, show_default=True, help="That it has not seen.")
@click.option("--pairs", default=30, show_default=True, help="Of training people, nobody in two of them.")
def main(people: int, held_out: int, pairs: int) -> None:
    """Draw, fit, interpolate, measure."""
    template = template_cortex()
    cortex = _cortex(template)
    seeds = tqdm(range(people + held_out), desc="people", disable=None)
    everybody = torch.stack([_features(vary_cortex(template, _generator(seed), ALIGNED)) for seed in seeds])
    shapes, others = everybody[:people], everybody[people:]
    model = ShapeModel.fit(shapes, topology=topology_hash(*cortex.faces), features="white_pial")
    codes = model.encode(shapes)
    found = [
        _path(model, cortex, codes[2 * k], codes[2 * k + 1]) for k in tqdm(range(pairs), desc="pairs", disable=None)
    ]
    record = {
        "people": people,
        "components": len(model.deviations),
        "pairs": found,
        "angles": _angles(ShapeModel.fit(shapes, KEPT), cortex, shapes),
        "held_out_mm": _held_out(model, others),
        "codes": {"norm": codes.norm(dim=1).mean(), "cosine": _cosine(codes[0], codes[1])},
        "command": COMMAND,
    }
    (EVIDENCE / f"{NAME}.png").write_bytes(png(path_figure(PLACES, _curves(found))))
    click.echo(write_evidence(NAME, record, _page(record), packages=("torch", "numpy", "nilearn")))


def measure_shape(shape: Tensor, cortex: Cortex) -> dict[str, float]:
    """Areas in mm^2, roughness and thickness in mm, and triangles of the pial surface that lie upside down.

    Args:
        shape: white and pial vertices, ``(2 V, 3)`` in mm.
        cortex: see :class:`Cortex`.
    """
    white, pial = split_cortex(shape, cortex.faces)
    sides = [(_normals(inner), _normals(outer)) for inner, outer in zip(white, pial, strict=True)]
    inner, outer = shape.chunk(2)
    thickness = (outer - inner).norm(dim=1)[cortex.cortical]
    return {
        "white_area": sum(float(normals.norm(dim=1).sum()) / 2 for normals, _ in sides),
        "pial_area": sum(float(normals.norm(dim=1).sum()) / 2 for _, normals in sides),
        "roughness": float(torch.cat([_roughness(mesh) for mesh in pial]).mean()),
        "thickness_sd": float(thickness.std()),
        "thickness_mean": float(thickness.mean()),
        "turned": sum(int(((first * second).sum(1) < 0).sum()) for first, second in sides),
    }


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _cortex(template: CorticalSurfaces) -> Cortex:
    inner, outer = _features(template).chunk(2)
    return Cortex([mesh.faces for mesh in template.white.values()], (outer - inner).norm(dim=1) > 1)


def _features(person: CorticalSurfaces) -> Tensor:
    return stack_cortex(list(person.white.values()), list(person.pial.values()))


def _normals(mesh: Mesh) -> Tensor:
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    return torch.linalg.cross(b - a, c - a)


def _roughness(mesh: Mesh) -> Tensor:
    """Distance of each vertex from the mean of its neighbors, mm."""
    start, end = mesh.faces.flatten(), mesh.faces.roll(-1, 1).flatten()
    sums = torch.zeros_like(mesh.vertices).index_add_(0, start, mesh.vertices[end])
    return (sums / torch.bincount(start)[:, None] - mesh.vertices).norm(dim=1)


def _path(model: ShapeModel, cortex: Cortex, a: Tensor, b: Tensor) -> dict[str, list[dict[str, float]]]:
    return {
        name: [measure_shape(model.decode(path(a, b, place)), cortex) for place in PLACES]
        for name, path in PATHS.items()
    }


def _angles(model: ShapeModel, cortex: Cortex, shapes: Tensor) -> list[dict[str, float]]:
    """Midpoints of pairs of sampled codes of equal norm whose angle is chosen."""
    training, rows = model.encode(shapes), []
    generator = _generator(0)
    for cosine in tqdm(COSINES, desc="angles", disable=None):
        for number in range(SAME):
            a, other = model.sample(2, generator)
            along = a / a.norm()
            across = torch.nn.functional.normalize(other - (other @ along) * along, dim=0)
            b = a.norm() * (cosine * along + (1 - cosine**2) ** 0.5 * across)
            ends = [measure_shape(model.decode(code), cortex) for code in (a, b)]
            for name, path in PATHS.items():
                code = path(a, b, 0.5)
                row = {"cosine": cosine, "pair": number, "path": name, "norm": float(code.norm() / a.norm())}
                row["nearest"] = float((training - code).norm(dim=1).min())
                row["nearest_of_end"] = float((training - a).norm(dim=1).min())
                rows.append(row | _relative(measure_shape(model.decode(code), cortex), ends))
    return rows


def _relative(found: Mapping[str, float], ends: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Percent by which quantities differ from the mean of both ends."""
    return {name: 200 * found[name] / (ends[0][name] + ends[1][name]) - 100 for name in QUANTITIES}


def _held_out(model: ShapeModel, others: Tensor) -> dict[str, float]:
    """Mean distance of vertices from where they are, mm."""
    guesses = {"model": model.decode(model.encode(others)), "mean_shape": model.mean.expand_as(others)}
    return {name: float((guess - others).norm(dim=-1).mean()) for name, guess in guesses.items()}


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def _percent(found: Sequence[Mapping[str, Any]], path: str, quantity: str) -> np.ndarray:
    """Percent from the mean of both ends, pairs by places."""
    values = np.array([[row[quantity] for row in pair[path]] for pair in found])
    return 200 * values / (values[:, :1] + values[:, -1:]) - 100


def _curves(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    return {label: {path: _percent(found, path, name) for path in PATHS} for name, label in QUANTITIES.items()}


def _page(record: Mapping[str, Any]) -> list[str]:
    pairs = record["pairs"]
    return [
        "# Between two cortices: around the mean or through it",
        "",
        f"{record['people']} synthetic people: fsaverage5 deformed by smooth flows, thickness drawn independently,",
        "size and pose held as after alignment. White and pial vertices of both hemispheres stacked, whitened codes",
        f"with all {record['components']} components, {len(pairs)} pairs of training people, nobody in two of them.",
        "Midpoint relative to the mean of both ends, with the standard error over pairs:",
        "",
        "| quantity | lerp | slerp | SD over pairs, lerp | SD over pairs, slerp |",
        "|---|---|---|---|---|",
        *(_row(pairs, name, label) for name, label in QUANTITIES.items()),
        "",
        f"![Quantities along both paths]({NAME}.png)",
        "",
        *_remarks(record),
        "",
        *_angle_lines(record["angles"]),
        "",
        f"People that the model has not seen are met to {record['held_out_mm']['model']:.2f} mm, by the mean shape to",
        f"{record['held_out_mm']['mean_shape']:.2f} mm: so few people span little, and nothing here is anatomy. The",
        "deformations are nearly Gaussian by construction, where slerp must do well; real populations are not tested.",
    ]


def _remarks(record: Mapping[str, Any]) -> list[str]:
    pairs, codes = record["pairs"], record["codes"]
    turned = {path: np.mean([pair[path][len(PLACES) // 2]["turned"] for pair in pairs]) for path in PATHS}
    ends = np.mean([pair["lerp"][place]["turned"] for pair in pairs for place in (0, -1)])
    return [
        f"All training codes have the norm {codes['norm']:.2f} and all pairs the cosine {codes['cosine']:.4f}, by",
        "algebra: only what is measured on decoded surfaces is evidence. Roughness is the distance of a pial vertex",
        "from the mean of its neighbors. Triangles of the pial surface that lie upside down against their white ones,",
        f"of 40,960: {ends:.1f} at the ends, in the middle {turned['lerp']:.1f} by lerp and {turned['slerp']:.1f} by",
        "slerp, so that decoded surfaces have to be checked.",
    ]


def _angle_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{len(COSINES) * SAME} pairs of sampled codes of equal norm, {KEPT} components, {SAME} pairs for each angle.",
        "Midpoints: norm relative to the ends' (for lerp cos(angle / 2), for slerp 1, both by algebra), distance to",
        f"the nearest training code (of an end itself {np.mean([row['nearest_of_end'] for row in rows]):.2f}), decoded",
        "quantities relative to the mean of both ends:",
        "",
        "| cosine | path | norm | nearest | roughness | pial area | SD of thickness |",
        "|---|---|---|---|---|---|---|",
        *(_angle_row(rows, cosine, path) for cosine in COSINES for path in PATHS),
    ]


def _row(pairs: Sequence[Mapping[str, Any]], name: str, label: str) -> str:
    middle = {path: _percent(pairs, path, name)[:, len(PLACES) // 2] for path in PATHS}
    means = [f"{v.mean():+.2f} ± {v.std(ddof=1) / len(v) ** 0.5:.2f} %" for v in middle.values()]
    return f"| {label} | " + " | ".join([*means, *(f"{v.std(ddof=1):.2f} %" for v in middle.values())]) + " |"


def _angle_row(rows: Sequence[Mapping[str, Any]], cosine: float, path: str) -> str:
    own = [row for row in rows if (row["cosine"], row["path"]) == (cosine, path)]
    mean = {name: np.mean([row[name] for row in own]) for name in ("norm", "nearest", *QUANTITIES)}
    percents = " | ".join(f"{mean[name]:+.2f} %" for name in ("roughness", "pial_area", "thickness_sd"))
    return f"| {cosine:g} | {path} | {mean['norm']:.3f} | {mean['nearest']:.2f} | {percents} |"


if __name__ == "__main__":
    main()
