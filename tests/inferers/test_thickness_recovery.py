"""The thickness of shells, found in their images from a start that does not know it."""

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers.thickness_recovery import recover_thickness, uniform_cortex


def shell(thickness, radius=20.0):
    ball = icosphere(4)
    return tuple(Mesh((radius + part) * ball.vertices, ball.faces) for part in (-thickness / 2, thickness / 2))


@pytest.mark.parametrize("thickness", [1.8, 3.4])
def test_a_shells_thickness_is_found_from_another_one(cortical_image, thickness):
    white, pial = shell(thickness)
    image, affine = cortical_image(white, pial, 1.0)
    found = recover_thickness(image, affine, {"lh": (white, pial)})
    assert found.seen.all()
    assert min(found.white_found, found.pial_found) > 0.95
    torch.testing.assert_close(found.true, torch.full_like(found.true, thickness))
    assert float(found.found.mean()) == pytest.approx(thickness, abs=0.15)


def test_an_image_without_contrast_shows_the_start():
    pair = shell(3.4)
    affine = torch.diag(torch.tensor([1.0, 1, 1, 1], dtype=torch.float64))
    affine[:3, 3] = -30
    found = recover_thickness(torch.ones(61, 61, 61), affine, {"lh": pair}, start_mm=2.0)
    assert (found.white_found, found.pial_found) == (0.0, 0.0)
    # The jitter of both surfaces is independent, and partners stay 0.5 mm apart.
    assert float(found.found.mean()) == pytest.approx(2.0, abs=0.1)


def test_uniform_cortex_keeps_middles_and_the_medial_wall():
    white, pial = shell(3.0)
    pial.vertices[0] = 1.01 * white.vertices[0]
    inner, outer = uniform_cortex(white, pial, 2.0)
    thickness = (outer.vertices - inner.vertices).norm(dim=1)
    torch.testing.assert_close(thickness[1:], torch.full_like(thickness[1:], 2.0))
    torch.testing.assert_close(inner.vertices + outer.vertices, white.vertices + pial.vertices)
    torch.testing.assert_close(inner.vertices[0], white.vertices[0])
