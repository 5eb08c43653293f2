"""Shells measured by their meshes and by an image."""

import math

import pytest

from monai_cortex.data import write_volume
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.trajectory.measure import measure_place, mesh_measures


def test_areas_and_volume_of_a_shell():
    ball = icosphere(5)
    found = mesh_measures(*(Mesh(radius * ball.vertices, ball.faces) for radius in (28.0, 31.0)))
    assert found["white_area_mm2"] == pytest.approx(4 * math.pi * 28**2, rel=2e-3)
    assert found["pial_area_mm2"] == pytest.approx(4 * math.pi * 31**2, rel=2e-3)
    assert found["cortex_volume_mm3"] == pytest.approx(4 / 3 * math.pi * (31**3 - 28**3), rel=3e-3)
    assert found["white_crossing_triangles"] == found["pial_crossing_triangles"] == 0


def test_an_image_shows_the_thickness_of_its_meshes(shells, radii, cortical_image, tmp_path):
    ball = icosphere(3)
    middle = ball.vertices.new_tensor([-45.0, 3.0, -8.0])
    white, pial = (Mesh(radius * ball.vertices + middle, ball.faces) for radius in radii["b"])
    image, affine = cortical_image(white, pial, 1.0)
    write_volume(tmp_path / "image.nii.gz", image.numpy(), affine.numpy())
    place = measure_place(shells / "b", tmp_path / "image.nii.gz")
    assert place.numbers["thickness_mm"] == pytest.approx(2.0, abs=1e-4)
    assert place.numbers["found_thickness_mm"] == pytest.approx(2.0, abs=0.2)
    assert place.numbers["thickness_error_mm"] < 0.25
    assert place.numbers["thickness_bias_mm"] == pytest.approx(place.numbers["found_thickness_mm"] - 2.0, abs=1e-4)
    assert place.thickness["lh"].shape == (2, len(ball.vertices))
    assert place.sides["lh"]["thickness_mm"] == place.numbers["thickness_mm"]
    assert place.numbers["pial_area_mm2"] == place.sides["lh"]["pial_area_mm2"]
