import math
import shutil

import pytest
import torch

from monai_cortex.data import CorticalHemisphere, measure_sphere
from monai_cortex.geometry.barycentric import interpolate, locate
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential, rotation_matrix
from monai_cortex.geometry.sphere_registration import SphereRegistration
from monai_cortex.handlers import engine_run


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Small tensors need no threads, and no test may reach a store of the environment."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    engine_run._requested.clear()


@pytest.fixture
def store(empty_store, tmp_path):
    """A client of a store in ``tmp_path``, and the id of an experiment."""
    from mlflow import MlflowClient

    shutil.copy(empty_store, tmp_path / "mlruns.db")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlruns.db'}")
    return client, client.create_experiment("test", artifact_location=(tmp_path / "mlruns").as_uri())


REGIONS = ("unknown", "frontal", "occipital", "temporal", "parietal")


def _features(points):
    """Two smooth maps on the sphere without symmetry, ``(2, V)``."""
    harmonics = real_harmonics(points, 6)
    coefficients = torch.randn(2, 49, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return coefficients / (1 + harmonic_degrees(6)) @ harmonics.T


def _labels(points):
    """Four quarters of the sphere, and none at its lower pole."""
    quarter = 1 + (points[:, 0] > 0).long() + 2 * (points[:, 1] > 0).long()
    return torch.where(points[:, 2] < -0.9, 0, quarter)


def _hemisphere(mesh, places, side, subject, labels=True):
    """A hemisphere whose anatomy is that of the given places on the target's sphere."""
    return CorticalHemisphere(
        sphere=mesh,
        sphere_report=measure_sphere(mesh),
        values=_features(places),
        labels=_labels(places) if labels else None,
        label_names=REGIONS if labels else (),
        inflated=Mesh(60 * mesh.vertices * torch.tensor([0.5, 1.2, 0.8], dtype=torch.float64), mesh.faces),
        white=None,
        volume_info={},
        subject=subject,
        hemisphere=side,
    )


@pytest.fixture(scope="session")
def registered_item():
    """A subject registered by the truth: its anatomy is the target's, turned by 25 degrees and smoothly warped."""

    def build(subject="sub-1", seed=0, sides=("lh", "rh"), labels=True, uncertainty=None):
        native, target = icosphere(3), icosphere(4)
        generator = torch.Generator().manual_seed(seed)
        axis = torch.nn.functional.normalize(torch.randn(3, generator=generator, dtype=torch.float64), dim=0)
        rotation = rotation_matrix(math.radians(25) * axis)
        size = 0.25 / (1 + harmonic_degrees(3).double()) * (harmonic_degrees(3) > 0)
        field = real_harmonics(target.vertices, 3) @ (size[:, None] * torch.randn(16, 3, generator=generator).double())
        turned = native.vertices @ rotation.T
        flow = exponential(field, target)
        places = torch.nn.functional.normalize(interpolate(flow.T, target, locate(turned, target)).T, dim=1)
        found = SphereRegistration(
            places, rotation, 1.0, folded(turned, places, native.faces), uncertainty, seconds=1.25
        )
        return {
            "subject": subject,
            "hemispheres": {side: _hemisphere(native, places, side, subject, labels) for side in sides},
            "targets": {side: _hemisphere(target, target.vertices, side, "fsaverage5") for side in sides},
            "registrations": dict.fromkeys(sides, found),
            "features": ("sulc", "curv"),
            "level": 4,
        }

    return build


@pytest.fixture
def shifted_heart():
    """A heart of balls on an oblique grid of thick slices, whose moving image lies two voxels further along i."""
    import math

    import torch
    from monai.data import MetaTensor
    from monai.transforms import Compose

    from monai_cortex.inferers import ImageRegistration
    from monai_cortex.transforms import cardiac_preprocessing

    turn = torch.linalg.matrix_exp(torch.tensor([[0, 0.3, -0.2], [-0.3, 0, 0.4], [0.2, -0.4, 0]]).double())
    affine = torch.eye(4).double()
    affine[:3, :3] = turn @ torch.diag(torch.tensor([2.0, 2.0, 8.0]).double())
    shape = (40, 32, 8)
    index = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), -1).double()
    place = index * torch.tensor([2.0, 2.0, 8.0])

    def ball(center, radius):
        return (place - torch.tensor(center).double()).norm(dim=-1) < radius

    label = torch.zeros(shape, dtype=torch.int16)
    label[ball([48.0, 30, 28], 14)] = 1
    label[ball([34.0, 30, 28], 17)] = 2
    label[ball([34.0, 30, 28], 10)] = 3
    image = torch.tensor([20.0, 180, 80, 200])[label.long()] + 10 * torch.sin(index.sum(-1) / 5).float()
    volumes = {
        "fixed_full": image,
        "moving_full": image.roll(2, 0),
        "fixed_full_label": label,
        "moving_full_label": label.roll(2, 0),
    }
    item = {name: MetaTensor(values[None], affine=affine) for name, values in volumes.items()}
    item |= {"subject": "sub-1", "direction": "ed2es", "sources": ["sub-1/fixed.nii.gz", "sub-1/moving.nii.gz"]}
    item = Compose(cardiac_preprocessing(spacing=(2, 2, 4), roi=None).transforms[1:3])(item)
    ddf = torch.zeros(3, *item["fixed_image"].shape[1:])
    ddf[0] = 2
    item["true_displacement"] = ddf.clone()
    item["registration"] = ImageRegistration(ddf, -ddf, 0 * ddf, torch.rand(ddf[:1].shape), 1.5, math.e)
    return item
