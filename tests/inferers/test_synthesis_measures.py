"""Measures of generated images, on images whose truth is known."""

import math

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers.synthesis_measures import atrophy_response, image_errors, surface_errors

BALL = icosphere(3)
SPACING = 1.2


def sphere(radius, shift=0.0):
    return Mesh(radius * BALL.vertices + BALL.vertices.new_tensor([shift, 0, 0]), BALL.faces)


WHITE, PIAL = sphere(14), sphere(17)


@pytest.fixture(scope="module")
def shell(cortical_image):
    return cortical_image(WHITE, PIAL, SPACING)


def test_surfaces_are_found_again_in_the_true_image(shell):
    errors = surface_errors(*shell, {"lh": (WHITE, PIAL)})
    for name in ("white", "pial"):
        assert errors[f"{name}_assd_mm"] < 0.1
        assert errors[f"{name}_hd90_mm"] < 0.25
        assert errors[f"{name}_found"] > 0.95
    assert errors["thickness_error_mm"] < 0.15


def test_wrong_image_has_large_errors(cortical_image, shell):
    image, affine = cortical_image(sphere(12.5), sphere(15.5), SPACING, around=PIAL)
    true, wrong = (surface_errors(one, affine, {"lh": (WHITE, PIAL)}) for one in (shell[0], image))
    for name in ("white_assd_mm", "pial_assd_mm"):
        assert wrong[name] == pytest.approx(1.5, abs=0.3)
        assert wrong[name] > 8 * true[name]


def test_flat_image_shows_no_surface(shell):
    errors = surface_errors(torch.full_like(shell[0], 0.5), shell[1], {"lh": (WHITE, PIAL)})
    assert errors["white_found"] < 0.1
    assert not errors["white_assd_mm"] < 0.3


def test_errors_are_means_over_the_hemispheres(cortical_image, shell):
    both = {"lh": (WHITE, PIAL), "rh": (WHITE, PIAL)}
    once, twice = (surface_errors(*shell, surfaces, seed=3) for surfaces in ({"lh": (WHITE, PIAL)}, both))
    assert once["pial_assd_mm"] == pytest.approx(twice["pial_assd_mm"], abs=0.02)
    assert once == surface_errors(*shell, {"lh": (WHITE, PIAL)}, seed=3)


def test_equal_images_have_no_error(shell):
    image = shell[0].float()
    distance = torch.zeros_like(image)
    errors = image_errors(image, image, distance)
    assert errors["ssim_full"] == pytest.approx(1, abs=1e-5)
    assert errors["ssim_brain"] == pytest.approx(1, abs=1e-5)
    assert errors["mae"] == errors["mae_brain"] == 0
    assert errors["psnr_db"] > 60 or math.isinf(errors["psnr_db"])


def test_error_of_a_tenth_is_twenty_decibel():
    image = torch.rand(24, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.8
    errors = image_errors(image + 0.1, image, torch.full_like(image, -5.0))
    assert errors["mae"] == pytest.approx(0.1, abs=1e-5)
    assert errors["mae_brain"] == pytest.approx(0.1, abs=1e-5)
    assert errors["psnr_db"] == pytest.approx(20, abs=1e-2)


def test_what_is_outside_the_brain_counts_for_the_whole_grid_only():
    image = torch.rand(32, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.8
    index = torch.stack(torch.meshgrid(*[torch.arange(32.0) - 15.5] * 3, indexing="ij"), -1)
    distance = index.norm(dim=-1) - 6
    other = torch.where(distance > 3, image + 0.2, image)
    errors = image_errors(other, image, distance)
    assert errors["mae_brain"] == pytest.approx(0, abs=1e-6)
    assert errors["mae"] > 0.15
    assert errors["ssim_brain"] > errors["ssim_full"]


def test_thinning_is_recovered_where_it_was_asked_for(cortical_image, shell):
    """The anterior half lost .6 mm, the other one nothing."""
    weights = (BALL.vertices[:, 1] > 0.2).double()
    thinner = Mesh(PIAL.vertices - 0.6 * weights[:, None] * BALL.vertices, BALL.faces)
    image, affine = cortical_image(WHITE, thinner, SPACING, around=PIAL)
    response = atrophy_response(shell[0], image, affine, [(WHITE, PIAL, thinner)], [weights])
    assert response["true_mm"] == pytest.approx(0.6, abs=0.01)
    assert response["estimated_mm"] == pytest.approx(0.6, abs=0.12)
    assert response["error_mm"] < 0.2
    assert abs(response["drift_mm"]) < 0.05


def test_control_has_no_thinning_against_itself(shell):
    weights = torch.ones(len(BALL.vertices), dtype=torch.float64)
    response = atrophy_response(shell[0], shell[0], shell[1], [(WHITE, PIAL, PIAL)], [weights])
    assert response["true_mm"] == response["estimated_mm"] == response["error_mm"] == 0
    assert "drift_mm" not in response
