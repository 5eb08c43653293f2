import shutil

import pytest

from monai_cortex.data import write_morph, write_surface_geometry
from monai_cortex.geometry.icosphere import icosphere

# White and pial radius in mm: three points that lie in no line, so that a way leads around their mean.
RADII = {"a": (28.0, 31.0), "b": (30.0, 32.0), "c": (27.0, 31.5)}


@pytest.fixture(scope="session")
def radii():
    return RADII


@pytest.fixture(scope="session")
def shells(tmp_path_factory):
    """Three people whose left cortex is a shell, with spheres, sulc, and registered spheres."""
    folder, ball = tmp_path_factory.mktemp("shells"), icosphere(3)
    middle = ball.vertices.new_tensor([-45.0, 3.0, -8.0])
    for name, (white, pial) in RADII.items():
        surf = folder / name / "surf"
        spheres = dict.fromkeys(("sphere", "sphere.mcx.reg"), 100 * ball.vertices)
        for kind, points in {"white": white * ball.vertices + middle, "pial": pial * ball.vertices + middle}.items():
            write_surface_geometry(surf / f"lh.{kind}", points.numpy(), ball.faces.numpy())
        for kind, points in spheres.items():
            write_surface_geometry(surf / f"lh.{kind}", points.numpy(), ball.faces.numpy())
        write_morph(surf / "lh.sulc", ball.vertices[:, 2].float().numpy(), len(ball.faces))
    return folder


@pytest.fixture
def copied(shells, tmp_path):
    """A dataset of some of them."""

    def copy(*names):
        for name in names:
            shutil.copytree(shells / name, tmp_path / "dataset" / name)
        return tmp_path / "dataset"

    return copy
