import os
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.visualize.canvas import png
from monai_cortex.visualize.deconvolution import DeconvolutionResult, deconvolution_figure

SHAPE = (9, 8, 5)


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    wmfod = rng.normal(scale=0.1, size=(15, *SHAPE))
    wmfod[0] = 1
    mask = np.zeros(SHAPE, bool)
    mask[1:8, 1:7, 1:4] = True
    return DeconvolutionResult(
        subject="sub-01",
        b0=rng.uniform(500, 900, SHAPE),
        wmfod=wmfod,
        residual=rng.uniform(0.02, 0.1, SHAPE),
        mask=mask,
        affine=np.diag([2.0, 2, 3, 1]),
        csf=np.full(SHAPE, 0.25),
        metrics={"angular_error_deg": 6.534},
    )


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title().startswith(title))


def image(figure, title):
    return panel(figure, title).images[0]


def mirrored(result):
    """The same subject stored from right to left, and with the slices first."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2] = 3, -2, 2
    affine[3, 3] = 1

    def move(volume):
        return np.moveaxis(np.flip(volume, -3), -1, -3)

    moved = {name: move(getattr(result, name)) for name in ("b0", "wmfod", "residual", "mask", "csf")}
    return replace(result, affine=affine, **moved)


@pytest.mark.parametrize("title", ["Fiber orientation", "Mean b = 0", "Isotropic", "Reconstruction residual"])
def test_storage_order_of_the_volume_does_not_change_the_picture(result, title):
    one, other = deconvolution_figure(result), deconvolution_figure(mirrored(result))
    np.testing.assert_array_equal(image(one, title).get_array(), image(other, title).get_array())
    assert image(one, title).get_extent() == image(other, title).get_extent()


def test_bright_voxel_on_the_right_front_is_shown_right_and_up(result):
    b0 = np.zeros(SHAPE)
    b0[7, 6, 2] = 900
    shown = image(deconvolution_figure(replace(result, b0=b0)), "Mean b = 0").get_array()
    assert np.unravel_index(shown.argmax(), shown.shape) == (6, 7)


@pytest.mark.parametrize("degrees", [0, 30, -20])
def test_world_directions_are_turned_into_an_oblique_slice(result, degrees):
    """A fiber along the world's x axis, in a slice turned by an angle, is seen turned back by that angle."""
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= [2, 3, 3]
    wmfod = np.zeros((6, *SHAPE))
    wmfod[:, 4, 3, 2] = real_harmonics(torch.tensor([[1.0, 0, 0]]), 2, even=True)[0].numpy()
    axes = panel(deconvolution_figure(replace(result, wmfod=wmfod, affine=affine)), "Fiber orientation")
    points = np.concatenate([path.vertices for path in axes.collections[0].get_paths()]) - (4 * 2, 3 * 3)
    tip = points[np.linalg.norm(points, axis=1).argmax()]
    assert np.rad2deg(np.arctan(tip[1] / tip[0])) == pytest.approx(-degrees, abs=2)
    assert np.linalg.norm(tip) == pytest.approx(1, rel=0.01)


def test_residual_is_in_percent_and_its_range_can_be_fixed(result):
    figure = deconvolution_figure(result, residual_limit=20)
    shown = image(figure, "Reconstruction residual")
    assert shown.get_clim() == (0, 20)
    np.testing.assert_allclose(shown.get_array().T[1:8, 1:7], 100 * result.residual[1:8, 1:7, 2])
    assert shown.get_array().mask[0].all()
    assert panel(figure, "Residual in").get_xlim() == (0, 20)


def test_isotropic_fraction_is_the_share_of_degree_zero(result):
    shown = image(deconvolution_figure(result), "Isotropic")
    np.testing.assert_allclose(shown.get_array().compressed(), 0.2)
    assert shown.get_clim() == (0, 1)


def test_without_isotropic_compartment_the_fiber_density_is_shown(result):
    shown = image(deconvolution_figure(replace(result, csf=None)), "Fiber density")
    np.testing.assert_allclose(shown.get_array().compressed(), np.sqrt(4 * np.pi))


def test_histogram_counts_every_voxel_of_the_mask(result):
    axes = panel(deconvolution_figure(result, residual_limit=5), "Residual in")
    (steps,) = axes.patches
    assert steps.get_data().values.sum() == result.mask.sum()
    assert axes.get_xlabel() == "residual (% of b = 0 signal)"
    assert axes.get_ylabel() == "voxels in the mask"


def test_all_units_subject_slice_and_metrics_are_written(result):
    figure = deconvolution_figure(result, slice_index=1)
    labels = {bar.get_xlabel() for axes in figure.axes for bar in axes.child_axes}
    assert {"signal (scanner units)", "csf / (csf + fibers)", "% of b = 0 signal"} == labels
    assert figure.get_suptitle() == "sub-01: fiber orientation distributions, axial slice 2 of 5"
    caption = " ".join(figure.get_supxlabel().split())
    assert "7 x 6 glyphs around the center of the mask" in caption
    assert "left is left" in caption
    assert "angular error deg 6.53" in caption


def test_picture_is_colored_and_has_no_global_trace(result):
    backend = mpl.rcParams._get_backend_or_none()
    pixels = imread(BytesIO(png(deconvolution_figure(result))))
    assert pixels.shape == (1050, 1800, 4)
    assert pixels[..., :3].std() > 0.1
    assert np.ptp(pixels[..., :3], axis=-1).max() > 0.5
    assert mpl.rcParams._get_backend_or_none() == backend


def test_picture_is_drawn_without_a_display_and_without_pyplot():
    code = (
        "import sys, numpy as np\n"
        "from monai_cortex.visualize import DeconvolutionResult, deconvolution_figure, png\n"
        "one = np.ones((3, 3, 3))\n"
        "data = png(deconvolution_figure(DeconvolutionResult('s', one, one[None], one, one, np.eye(4))))\n"
        "sys.exit(len(data) < 20000 or 'matplotlib.pyplot' in sys.modules or 'nibabel' in sys.modules)\n"
    )
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_empty_mask_lost_residual_and_foreign_grid_are_refused(result):
    with pytest.raises(ValueError, match="mask is empty"):
        deconvolution_figure(replace(result, mask=np.zeros(SHAPE)))
    with pytest.raises(ValueError, match="finite residual"):
        deconvolution_figure(replace(result, residual=np.full(SHAPE, np.nan)))
    with pytest.raises(ValueError, match=r"need b0 on the grid \(9, 8, 5\), got \(9, 8, 4\)"):
        deconvolution_figure(replace(result, b0=np.zeros((9, 8, 4))))


def test_perfect_reconstruction_and_empty_distributions_can_be_drawn(result):
    empty = replace(result, residual=np.zeros(SHAPE), wmfod=np.zeros((15, *SHAPE)), csf=np.zeros(SHAPE))
    assert len(png(deconvolution_figure(empty))) > 20000
