import math

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    DiffusionTensor,
    DiffusionTensorD,
    DiffusionTensord,
    DiffusionTensorDict,
    diffusion_tensor,
)

MEAN = (1.7e-3 + 2 * 0.2e-3) / 3
ANISOTROPY = 1.5e-3 / math.sqrt(1.7e-3**2 + 2 * 0.2e-3**2)  # of eigenvalues (a, r, r): (a - r) / norm


@pytest.fixture(scope="module")
def scan(make_scan):
    return make_scan(1000.0, nside=2)


def test_noiseless_tensors_are_recovered(scan, tensor_signal, random_axes):
    pytest.importorskip("dipy")
    axes = random_axes(6)
    dwi = 300 * tensor_signal(scan, axes).reshape(-1, 3, 2)
    maps = DiffusionTensor()(dwi, scan.bvalues, scan.directions)
    torch.testing.assert_close(maps.anisotropy, torch.full((3, 2), ANISOTROPY).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(maps.diffusivity, torch.full((3, 2), MEAN).double(), atol=1e-9, rtol=0)
    cosine = (maps.axis.reshape(6, 3) * axes).sum(1).abs()
    torch.testing.assert_close(cosine, torch.ones(6).double(), atol=1e-9, rtol=0)


def test_free_water_is_isotropic(scan):
    pytest.importorskip("dipy")
    dwi = torch.exp(-3e-3 * scan.bvalues).float().view(-1, 1, 1, 1)
    maps = DiffusionTensor()(dwi, scan.bvalues, scan.directions)
    assert maps.anisotropy.item() < 1e-4
    assert maps.diffusivity.item() == pytest.approx(3e-3, rel=1e-5)


def test_missing_dipy_is_named_with_its_remedy(scan, monkeypatch):
    monkeypatch.setattr(diffusion_tensor, "optional_import", lambda name: (None, False))
    with pytest.raises(ConfigError, match="dipy") as caught:
        DiffusionTensor()(torch.ones(len(scan.shell), 1), scan.bvalues, scan.directions)
    assert "pip install" in str(caught.value)
    assert "response_wm.txt" in str(caught.value)


def test_pair_agrees(scan, tensor_signal, random_axes):
    pytest.importorskip("dipy")
    dwi = tensor_signal(scan, random_axes(4)).reshape(-1, 2, 2, 1)
    data = {"dwi": dwi, "bvalues": scan.bvalues, "directions": scan.directions}
    assert_pair_agrees(lambda x: x, DiffusionTensord(), data, "dwi")
    maps, result = DiffusionTensor()(dwi, scan.bvalues, scan.directions), DiffusionTensord()(data)
    torch.testing.assert_close(result["anisotropy"], maps.anisotropy[None].float())
    torch.testing.assert_close(result["diffusivity"], maps.diffusivity[None].float())
    assert result["anisotropy"].shape == (1, 2, 2, 1)
    assert DiffusionTensorD is DiffusionTensorDict is DiffusionTensord
