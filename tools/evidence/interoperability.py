"""What other programs make of the files that bundles leave, beside what we make of them.

python tools/evidence/interoperability.py --output-dir out/interoperability

Runs two bundles on their sample data, then MRtrix3 on the orientation distributions and Connectome Workbench on the
registered spheres. Writes docs/evidence/interoperability.{md,json}. Programs that are not installed are left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import nibabel as nib
import numpy as np
import torch
from evidence_page import write_evidence

from monai_cortex.data import bundle_folder, read_morph, read_surface_geometry, write_gifti_sphere, write_gifti_values
from monai_cortex.geometry.barycentric import interpolate, locate
from monai_cortex.geometry.distortion import triangle_areas
from monai_cortex.geometry.harmonics import even_degree, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh

__all__ = ["Row", "main", "mrtrix", "surfaces", "workbench"]

NAME = "interoperability"
COMMAND = f"python tools/evidence/{NAME}.py --output-dir out/{NAME}"
LEAST = 0.05  # share of the highest amplitude below which a direction says nothing


class Row(NamedTuple):
    """One comparison.

    Attributes:
        program: that read the file, with its version.
        file: what it read.
        compared: what it computed, and we too.
        difference: the largest.
        unit: of the difference.
    """

    program: str
    file: str
    compared: str
    difference: float
    unit: str


@click.command(help="Have other programs read what bundles write.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(output_dir: Path) -> None:
    """Run, compare, write."""
    fods, spheres = output_dir / "shd_deconvolution", output_dir / "spherical_diffusion_registration"
    for folder in (fods, spheres):
        if not (folder / "report.json").is_file():
            config = f"{bundle_folder(folder.name)}/configs/inference.json"
            words = ["--config_file", config, "--output_dir", str(folder), "--track", "False"]
            subprocess.run([sys.executable, "-m", "monai.bundle", "run", *words], check=True)
    name = "fsaverage5_mirrored"
    source = spheres / "samples" / name / "surf"
    rows = [*surfaces(spheres / name / "surf")]
    rows += mrtrix(fods / "small_64D", output_dir) if shutil.which("sh2amp") else []
    rows += workbench(source, spheres / name / "surf", output_dir) if shutil.which("wb_command") else []
    record = {"command": COMMAND, "rows": [row._asdict() for row in rows]}
    click.echo(write_evidence(NAME, record, page(rows), ("nibabel", "numpy", "torch")))


def page(rows: list[Row]) -> list[str]:
    """Lines of the page."""
    lines = ["# Files of bundles in other programs", "", "Results of `shd_deconvolution` and"]
    lines += ["`spherical_diffusion_registration` on their sample data, read by others; largest differences.", ""]
    lines += ["| program | file | compared | largest difference |", "|---|---|---|---|"]
    return lines + [f"| {r.program} | `{r.file}` | {r.compared} | {r.difference:.1e} {r.unit} |" for r in rows]


def surfaces(folder: Path, side: str = "lh") -> Iterator[Row]:
    """nibabel: the GIFTI twin holds the sphere that FreeSurfer's format holds."""
    path = folder / f"{side}.sphere.mcx.reg.surf.gii"
    image: Any = nib.load(path)
    points, _ = nib.freesurfer.read_geometry(folder / f"{side}.sphere.mcx.reg")
    found = np.abs(image.agg_data("pointset") - points).max()
    yield Row(f"nibabel {nib.__version__}", path.name, "coordinates beside FreeSurfer's format", float(found), "mm")


def mrtrix(folder: Path, work: Path) -> Iterator[Row]:
    """MRtrix3: the grid, the first peak, and amplitudes.

    Args:
        folder: with ``wmfod.nii.gz`` and ``peaks.nii.gz``.
        work: where MRtrix3 writes.
    """
    work.mkdir(parents=True, exist_ok=True)
    program, name = f"MRtrix3 {_version('mrinfo')}", "wmfod.nii.gz"
    fods: Any = nib.load(folder / name)
    told = _run("mrinfo", folder / name, "-transform", "-config", "RealignTransform", "false")
    spaced = np.array([float(word) for word in _run("mrinfo", folder / name, "-spacing").split()[:3]])
    grid = np.array([float(word) for word in told.split()]).reshape(-1, 4)[:3] * [*spaced, 1]
    yield Row(program, name, "`mrinfo`: affine", float(np.abs(grid - fods.affine[:3]).max()), "mm")

    ours = _volume(folder / "peaks.nii.gz")[..., :3]
    _run("sh2peaks", "-num", 1, folder / name, work / "mrtrix_peaks.nii.gz", "-force")
    theirs = _volume(work / "mrtrix_peaks.nii.gz")
    sizes = [np.linalg.norm(peaks, axis=-1) for peaks in (ours, theirs)]
    strong = np.nan_to_num(sizes[0]) > LEAST * np.nanmax(sizes[0])
    cosine = np.abs((ours * theirs).sum(-1)[strong]) / (sizes[0] * sizes[1])[strong]
    angle = np.degrees(np.arccos(np.clip(cosine, 0, 1))).max()
    yield Row(program, name, "`sh2peaks`: direction of the first peak in `peaks.nii.gz`", float(angle), "degree")

    directions = icosphere(1).vertices
    np.savetxt(work / "directions.txt", directions.numpy())
    _run("sh2amp", folder / name, work / "directions.txt", work / "amplitudes.nii.gz", "-force")
    coefficients = fods.get_fdata()
    basis = real_harmonics(directions, even_degree(coefficients.shape[-1]), even=True).numpy()
    expected, found = coefficients @ basis.T, _volume(work / "amplitudes.nii.gz")
    error = np.abs(found - expected).max() / np.abs(expected).max()
    yield Row(program, name, "`sh2amp`: amplitudes in 42 directions, share of the largest", float(error), "")


def workbench(before: Path, after: Path, work: Path, side: str = "lh") -> Iterator[Row]:
    """Connectome Workbench: vertices, areas, distortion, and values resampled through the registered sphere.

    Args:
        before: folder with ``?h.sphere`` and ``?h.sulc`` of the subject.
        after: folder with ``?h.sphere.mcx.reg.surf.gii``.
        work: where Workbench writes.
        side: "lh" or "rh".
    """
    work.mkdir(parents=True, exist_ok=True)
    program, path = f"Workbench {_version('wb_command')}", after / f"{side}.sphere.mcx.reg.surf.gii"
    native = read_surface_geometry(before / f"{side}.sphere").mesh
    image: Any = nib.load(path)
    mesh = Mesh(torch.from_numpy(image.agg_data("pointset")).double(), native.faces)
    told = re.search(r"Number of Vertices:\s+(\d+)", _run("wb_command", "-file-information", path))
    count = int(told[1]) if told else 0
    yield Row(program, path.name, "`-file-information`: vertices", abs(count - len(mesh.vertices)), "")

    start, areas = work / f"{side}.sphere.surf.gii", work / "areas.func.gii"
    write_gifti_sphere(start, native.vertices.numpy(), native.faces.numpy(), side)
    _run("wb_command", "-surface-vertex-areas", path, areas)
    expected = _areas(mesh)
    error = np.abs(_values(areas) - expected).max() / expected.mean()
    yield Row(program, path.name, "`-surface-vertex-areas`: share of the mean", float(error), "")

    _run("wb_command", "-surface-distortion", start, path, work / "distortion.func.gii")
    error = np.abs(_values(work / "distortion.func.gii") - np.log2(expected / _areas(native))).max()
    yield Row(program, path.name, "`-surface-distortion`: log2 of areas at vertices", float(error), "")

    fixed, sulc = icosphere(4), read_morph(before / f"{side}.sulc", len(native.vertices))
    write_gifti_sphere(work / "fixed.surf.gii", 100 * fixed.vertices.numpy(), fixed.faces.numpy(), side)
    write_gifti_values(work / "sulc.func.gii", sulc, side)
    words = (work / "sulc.func.gii", path, work / "fixed.surf.gii", "BARYCENTRIC", work / "resampled.func.gii")
    _run("wb_command", "-metric-resample", *words)
    ours = interpolate(torch.from_numpy(sulc).double(), mesh, locate(fixed.vertices, mesh)).numpy()
    error = np.abs(_values(work / "resampled.func.gii") - ours).max() / sulc.std()
    yield Row(program, path.name, "`-metric-resample`: sulcal depth, share of its deviation", float(error), "")


def _areas(mesh: Mesh) -> np.ndarray[Any, Any]:
    """A third of the flat triangles about each vertex."""
    areas = triangle_areas(mesh.vertices, mesh.faces) / 3
    corners = areas.new_zeros(len(mesh.vertices))
    return corners.index_add_(0, mesh.faces.flatten(), areas.repeat_interleave(3)).numpy()


def _volume(path: Path) -> np.ndarray[Any, Any]:
    image: Any = nib.load(path)
    return np.asarray(image.get_fdata())


def _values(path: Path) -> np.ndarray[Any, Any]:
    image: Any = nib.load(path)
    return np.asarray(image.agg_data(), dtype=np.float64)


def _version(program: str) -> str:
    told = re.search(r"\d+\.\d+(\.\d+)?", _run(program, "-version"))
    return told[0] if told else ""


def _run(*words: object) -> str:
    """What a program prints."""
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
