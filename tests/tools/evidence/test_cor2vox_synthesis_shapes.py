"""Quantities of shapes, on balls whose quantities are known."""

import math

import pytest
import torch

from monai_cortex.geometry.cortex_features import stack_cortex
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh


@pytest.fixture(scope="module")
def shapes(load_tool):
    return load_tool("evidence/cor2vox_synthesis_shapes")


@pytest.fixture
def measure(shapes):
    """Quantities of two balls with a white radius and pial radii along the axes."""

    def of(inner, outer):
        ball = icosphere(4)
        radii = [torch.as_tensor(r, dtype=torch.float64).expand(3) for r in (inner, outer)]
        balls = [[Mesh(r * ball.vertices + 50 * side, ball.faces) for side in (-1, 1)] for r in radii]
        cortex = shapes.Cortex([ball.faces] * 2, torch.ones(2 * len(ball.vertices), dtype=torch.bool))
        return shapes.measure_shape(stack_cortex(*balls), cortex)

    return of


def test_quantities_of_balls(measure):
    found = measure(20.0, 23.0)
    assert found["white_area"] == pytest.approx(8 * math.pi * 20**2, rel=2e-3)
    assert found["pial_area"] == pytest.approx(8 * math.pi * 23**2, rel=2e-3)
    assert found["thickness_mean"] == pytest.approx(3)
    assert found["thickness_sd"] == pytest.approx(0, abs=1e-9)
    assert found["turned"] == 0


def test_roughness_grows_with_size(measure):
    assert measure(20.0, 46.0)["roughness"] == pytest.approx(2 * measure(20.0, 23.0)["roughness"])


def test_upside_down_triangles_are_counted(measure):
    """A mirror turns the normals that lie less than 45 degrees from its plane: a share of 1 over the root of 2."""
    share = measure(20.0, [-23.0, 23, 23])["turned"] / (2 * len(icosphere(4).faces))
    assert share == pytest.approx(0.5**0.5, abs=0.02)


def test_change_is_relative_to_both_ends(shapes):
    pairs = [{"lerp": [{"area": 1.0}, {"area": 1.8}, {"area": 3.0}]}]
    assert shapes._percent(pairs, "lerp", "area")[0].tolist() == pytest.approx([-50, -10, 50])
