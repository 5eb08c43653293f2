"""Surfaces as features, and back."""

import pytest
import torch

from monai_cortex.geometry.cortex_features import split_cortex, stack_cortex
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh


@pytest.fixture
def hemispheres():
    """Balls of two sizes, of different numbers of vertices, side by side."""
    balls = [icosphere(2), icosphere(3)]
    return [
        [
            Mesh(radius * b.vertices + b.vertices.new_tensor([x, 0, 0]), b.faces)
            for b, x in zip(balls, (-40, 40), strict=True)
        ]
        for radius in (30.0, 33.0)
    ]


def test_white_pial_comes_back_exactly(hemispheres):
    white, pial = hemispheres
    shape = stack_cortex(white, pial)
    assert shape.shape == (2 * (162 + 642), 3)
    torch.testing.assert_close(shape[:162], white[0].vertices)
    torch.testing.assert_close(shape[-642:], pial[1].vertices)
    back = split_cortex(shape, [mesh.faces for mesh in white])
    for found, expected in zip([*back.white, *back.pial], [*white, *pial], strict=True):
        assert torch.equal(found.vertices, expected.vertices)
        assert torch.equal(found.faces, expected.faces)


def test_mid_thickness_of_balls(hemispheres):
    white, pial = hemispheres
    shape = stack_cortex(white, pial, "mid_thickness")
    assert shape.shape == (162 + 642, 4)
    torch.testing.assert_close(shape[:, 3], torch.full((804,), 3.0, dtype=torch.float64))
    back = split_cortex(shape, [mesh.faces for mesh in white], "mid_thickness")
    for kind, expected in ((back.white, white), (back.pial, pial)):
        for found, mesh in zip(kind, expected, strict=True):
            torch.testing.assert_close(found.vertices, mesh.vertices, atol=0.1, rtol=0)
    for inner, outer in zip(*back, strict=True):
        torch.testing.assert_close((outer.vertices - inner.vertices).norm(dim=1).mean().item(), 3.0)


def test_what_does_not_fit_is_refused(hemispheres):
    white, pial = hemispheres
    faces = [mesh.faces for mesh in white]
    with pytest.raises(ValueError, match="white_pial, mid_thickness"):
        stack_cortex(white, pial, "thickness")
    with pytest.raises(ValueError, match="as many vertices"):
        stack_cortex(white, pial[::-1])
    with pytest.raises(ValueError, match="as many vertices"):
        stack_cortex([], [])
    with pytest.raises(ValueError, match="1608, 3"):
        split_cortex(torch.zeros(804, 4), faces)
    with pytest.raises(ValueError, match="804, 4"):
        split_cortex(torch.zeros(1608, 3), faces, "mid_thickness")
