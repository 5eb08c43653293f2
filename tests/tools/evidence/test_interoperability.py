"""MRtrix3 and Connectome Workbench on small files; docs/interoperability.md says what was measured."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import write_gifti_sphere, write_morph, write_surface_geometry, write_volume
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.peaks import fiber_peaks
from monai_cortex.geometry.rotation_field import exponential

ROOT = Path(__file__).parents[3]
OBLIQUE = [[-1.9, 0.3, 0.0, 12.0], [0.3, 1.9, 0.2, -7.0], [0.1, -0.2, 2.5, 3.0], [0, 0, 0, 1]]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/interoperability")


@pytest.fixture
def fods(tmp_path):
    """Two crossing fibers in each voxel, on an oblique grid, and their peaks as the bundle writes them."""
    from monai_cortex.geometry.harmonics import real_harmonics

    ways = torch.nn.functional.normalize(torch.randn(60, 3, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    lobes = real_harmonics(ways, 8, even=True).T
    coefficients = lobes[:, :30] + 0.5 * lobes[:, 30:]
    peaks = fiber_peaks(coefficients, number=1)
    vectors = (peaks.directions * peaks.amplitudes[..., None]).flatten(1)
    for name, values in (("wmfod", coefficients.T), ("peaks", vectors)):
        write_volume(
            tmp_path / f"{name}.nii.gz", values.reshape(5, 3, 2, -1).numpy().astype(np.float32), np.array(OBLIQUE)
        )
    return tmp_path


@pytest.fixture
def spheres(tmp_path):
    """A sphere before and after a smooth field of rotations, in both formats."""
    mesh = icosphere(3)
    bend = 0.3 * torch.stack([mesh.vertices[:, 1], mesh.vertices[:, 2] * mesh.vertices[:, 0], mesh.vertices[:, 0]], 1)
    after, faces = exponential(bend, mesh).numpy(), mesh.faces.numpy()
    write_surface_geometry(tmp_path / "lh.sphere", 100 * mesh.vertices.numpy(), faces)
    write_surface_geometry(tmp_path / "lh.sphere.mcx.reg", 100 * after, faces)
    write_gifti_sphere(tmp_path / "lh.sphere.mcx.reg.surf.gii", 100 * after, faces, "lh")
    write_morph(tmp_path / "lh.sulc", np.sin(5 * mesh.vertices[:, 2].numpy()), len(faces))
    return tmp_path


@pytest.mark.skipif(shutil.which("sh2amp") is None, reason="MRtrix3 (sh2amp) is not installed")
def test_mrtrix_reads_what_we_write(tool, fods):
    grid, angle, amplitudes = (row.difference for row in tool.mrtrix(fods, fods / "work"))
    assert grid < 1e-4
    assert angle < 0.1
    assert amplitudes < 1e-5


@pytest.mark.skipif(shutil.which("sh2amp") is None, reason="MRtrix3 (sh2amp) is not installed")
def test_another_basis_is_seen(tool, fods):
    image = nib.load(fods / "wmfod.nii.gz")
    orders = [
        place for start, end in ((0, 1), (1, 6), (6, 15), (15, 28), (28, 45)) for place in reversed(range(start, end))
    ]
    values = image.get_fdata()[..., orders]  # as bases that count from the other end
    write_volume(fods / "wmfod.nii.gz", values.astype(np.float32), image.affine)
    _, angle, _ = (row.difference for row in tool.mrtrix(fods, fods / "work"))
    assert angle > 5


@pytest.mark.skipif(shutil.which("wb_command") is None, reason="Connectome Workbench is not installed")
def test_workbench_reads_what_we_write(tool, spheres):
    differences = [row.difference for row in tool.workbench(spheres, spheres, spheres / "work")]
    assert differences[0] == 0
    assert max(differences[1:-1]) < 1e-5
    assert differences[-1] < 5e-3  # nearest points of flat triangles there, rays from the center here


def test_nibabel_reads_what_we_write(tool, spheres):
    (row,) = tool.surfaces(spheres)
    assert row.difference < 1e-5


def test_the_document_says_what_was_measured():
    document = (ROOT / "docs" / "interoperability.md").read_text()
    measured = (ROOT / "docs" / "evidence" / "interoperability.md").read_text().split("##")[0]
    rows = [line for line in measured.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 5
    assert [row for row in rows if row not in document] == []
