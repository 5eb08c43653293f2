import pytest
import torch


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="Repeat random faults as often as the promises say.")


@pytest.fixture
def double_precision():
    """Modules are built in float64, their operators too."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(previous)


@pytest.fixture(scope="session")
def fsaverage5():
    """White and pial surface of the left half of fsaverage5; skips where nilearn, which ships it, is missing."""
    fetch = pytest.importorskip("nilearn.datasets").fetch_surf_fsaverage
    from monai_cortex.data.gifti import read_gifti_surface

    files = fetch("fsaverage5")
    return tuple(read_gifti_surface(files[name]).mesh for name in ("white_left", "pial_left"))


@pytest.fixture(scope="session")
def cortical_image():
    """Draw white matter 1, gray matter 0.6 and CSF 0.15 with partial volume and noise; image and affine."""
    from monai_cortex.geometry.cell_coverage import cell_coverage

    def draw(white, pial, spacing, noise=0.0, seed=0, around=None):
        corners = (around or pial).vertices
        low, high = corners.amin(0) - 6, corners.amax(0) + 6
        shape = tuple(int(n) for n in ((high - low) / spacing).ceil() + 1)
        affine = torch.diag(torch.tensor([spacing, spacing, spacing, 1.0], dtype=torch.float64))
        affine[:3, 3] = low
        inner, outer = (cell_coverage(mesh, shape, affine) for mesh in (white, pial))
        image = 0.15 + 0.45 * torch.maximum(inner, outer) + 0.4 * inner
        return image + noise * torch.randn(shape, generator=torch.Generator().manual_seed(seed)), affine

    return draw


@pytest.fixture(scope="session")
def synthetic_people(tmp_path_factory):
    """Folder of two people whose hemispheres are thick shells, imaged at 3 mm; label "front" is the anterior half."""
    import nibabel as nib
    import numpy as np

    from monai_cortex.geometry.icosphere import icosphere
    from monai_cortex.geometry.mesh import Mesh
    from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces
    from monai_cortex.simulate.scanner import Scanner
    from monai_cortex.simulate.synthetic_brain import write_synthetic_brain

    folder, ball, kinds = tmp_path_factory.mktemp("people"), icosphere(3), []
    for radius in (18.0, 22.0):
        centers = {"lh": ball.vertices.new_tensor([-25, 5, -60]), "rh": ball.vertices.new_tensor([25, 5, -60])}
        kinds.append({side: Mesh(radius * ball.vertices + center, ball.faces) for side, center in centers.items()})
    labels = (ball.vertices[:, 1] < 0).int().numpy()
    colors = np.array([[200, 10, 10, 0], [10, 10, 200, 0]])
    for seed in (0, 1):
        person = folder / f"synthetic-{seed:04}"
        write_synthetic_brain(person, CorticalSurfaces(*kinds), seed, Scanner(), spacing=3.0)
        (person / "label").mkdir()
        for side in ("lh", "rh"):
            name = person / "label" / f"{side}.aparc.annot"
            nib.freesurfer.write_annot(name, labels, colors, [b"front", b"back"], fill_ctab=True)
    return folder


@pytest.fixture(scope="session")
def _synthetic_person(synthetic_people):
    from monai_cortex.data.synthesis_subjects import synthesis_subjects
    from monai_cortex.transforms.cortex_preprocessing import cortex_preprocessing

    return cortex_preprocessing()(synthesis_subjects(synthetic_people)[0])


@pytest.fixture
def synthetic_person(_synthetic_person):
    """The first of the people, as the networks of Cor2Vox see it."""
    return dict(_synthetic_person)


@pytest.fixture(scope="session")
def write_cortices():
    """Write smooth people, two numbers or more each, as subject folders; vertices at directions, spheres if named."""
    from monai_cortex.data.freesurfer import write_surface_geometry
    from monai_cortex.geometry.icosphere import icosphere

    def places(way, numbers, side):
        x, y, z = way.T
        a, b = numbers[:2]
        white = (30 * (1 + 0.1 * (a * x * y + b * (z**2 - y**2) + 0.5 * a * z)))[:, None] * way
        middle = way.new_tensor([-45.0 if side == "lh" else 45.0, 3.0, -8.0])
        return white + middle, white * (1.1 + 0.02 * b * y)[:, None] + middle

    def write(folder, people, ways=None, sides=("lh", "rh"), sphere="", level=3):
        for name, numbers in people.items():
            way, faces = icosphere(level) if ways is None else ways
            for side in sides:
                surfaces = dict(zip(("white", "pial"), places(way, numbers, side), strict=True))
                surfaces |= {sphere: 100 * way} if sphere else {}
                for kind, points in surfaces.items():
                    write_surface_geometry(folder / name / "surf" / f"{side}.{kind}", points.numpy(), faces.numpy())
        return folder

    return write
