"""Image measures of differences that are known, and SSIM against its definition."""

import math

import pytest
import torch
from monai.metrics import SSIMMetric
from scipy.ndimage import gaussian_filter

from monai_cortex.errors import ConfigError
from monai_cortex.metrics import ImageSimilarityMetric, image_similarity, tissue_error

IMAGE = torch.rand(20, 22, 24, generator=torch.Generator().manual_seed(0))
OTHER = (IMAGE + 0.2 * torch.rand(IMAGE.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
MASK = torch.zeros_like(IMAGE, dtype=torch.bool)
MASK[6:14, 6:15, 6:17] = True


def ssim_map(x, y):
    """By definition, with SciPy's Gaussian: 11 voxels are a radius of 5."""
    x, y = x.double().numpy(), y.double().numpy()

    def mean(values):
        return gaussian_filter(values, 1.5, mode="constant", radius=5)

    a, b = mean(x), mean(y)
    va, vb, c = mean(x * x) - a * a, mean(y * y) - b * b, mean(x * y) - a * b
    return torch.from_numpy((2 * a * b + 1e-4) * (2 * c + 9e-4) / ((a * a + b * b + 1e-4) * (va + vb + 9e-4)))


def test_constant_difference():
    found = image_similarity(IMAGE * 0.5, IMAGE * 0.5 + 0.1)
    assert found.mae.item() == pytest.approx(0.1, abs=1e-6)
    assert found.mse.item() == pytest.approx(0.01, abs=1e-6)
    assert found.psnr.item() == pytest.approx(20, abs=1e-4)
    assert found.ssim_brain.isnan()


def test_structure_follows_its_definition():
    found = image_similarity(OTHER, IMAGE, MASK)
    expected = ssim_map(OTHER, IMAGE)
    assert found.ssim_full.item() == pytest.approx(expected.mean().item(), abs=1e-4)
    assert found.ssim_brain.item() == pytest.approx(expected[MASK].mean().item(), abs=1e-4)


def test_an_image_resembles_itself_wholly():
    found = image_similarity(IMAGE, IMAGE, MASK)
    assert found.mae == found.mse == 0
    assert found.psnr == math.inf
    assert found.ssim_full.item() == pytest.approx(1, abs=1e-5)
    assert found.ssim_brain.item() == pytest.approx(1, abs=1e-5)


def test_order_and_mirrors_do_not_matter():
    found = image_similarity(IMAGE, OTHER, MASK)
    for one, two in (
        (found, image_similarity(OTHER, IMAGE, MASK)),
        (found, image_similarity(IMAGE.flip(0), OTHER.flip(0), MASK.flip(0))),
        (found, image_similarity(*(part.movedim(0, 2)[None] for part in (IMAGE, OTHER, MASK)))),
    ):
        torch.testing.assert_close(torch.stack(one), torch.stack(two), rtol=1e-5, atol=1e-6)


def test_zero_padding_differs_from_none_where_content_reaches_the_border():
    mirrored = IMAGE.flip(0)  # no structure is left
    valid = SSIMMetric(spatial_dims=3, data_range=1.0)(mirrored[None, None], IMAGE[None, None]).item()
    assert abs(image_similarity(mirrored, IMAGE).ssim_full.item() - valid) > 1e-3
    inner = torch.zeros_like(MASK)
    inner[5:-5, 5:-5, 5:-5] = True
    assert image_similarity(mirrored, IMAGE, inner).ssim_brain.item() == pytest.approx(valid, abs=1e-5)


def test_empty_background_lifts_the_whole_but_not_the_brain():
    far = [torch.nn.functional.pad(part.float(), (20,) * 6) for part in (IMAGE.flip(0), IMAGE, MASK)]
    small, large = image_similarity(IMAGE.flip(0), IMAGE, MASK), image_similarity(*far)
    assert large.ssim_full > small.ssim_full + 0.3
    assert large.ssim_brain.item() == pytest.approx(small.ssim_brain.item(), abs=1e-5)


def test_error_of_each_tissue():
    tissues = torch.stack([MASK, ~MASK, MASK & ~MASK])
    difference = torch.where(MASK, 0.3, 0.1)
    error = tissue_error(IMAGE + difference, IMAGE, tissues)
    assert error[:2].tolist() == pytest.approx([0.3, 0.1], abs=1e-6)
    assert error[2].isnan()
    half = tissue_error(IMAGE + difference, IMAGE, torch.full((1, *IMAGE.shape), 0.5))
    assert half.item() == pytest.approx(difference.mean().item(), abs=1e-6)


def test_metric_averages_over_images():
    metric = ImageSimilarityMetric("mae")
    zero = torch.zeros(2, 1, 12, 12, 12)
    metric(zero, torch.stack([zero[0] + 0.1, zero[0] + 0.3]))
    metric([zero[0]], [zero[0] + 0.8])
    assert metric.aggregate().item() == pytest.approx(0.4, abs=1e-6)
    brain = ImageSimilarityMetric("ssim_brain")
    brain(OTHER[None, None], IMAGE[None, None], mask=MASK[None, None])
    assert brain.aggregate() == image_similarity(OTHER, IMAGE, MASK).ssim_brain


def test_what_does_not_fit_is_refused():
    for images in ((IMAGE, IMAGE[1:]), (IMAGE, IMAGE * torch.nan), (IMAGE, OTHER, MASK[1:])):
        with pytest.raises(ConfigError, match="one grid"):
            image_similarity(*images)
    with pytest.raises(ConfigError, match="empty"):
        image_similarity(IMAGE, OTHER, MASK & ~MASK)
    with pytest.raises(ConfigError, match="one grid"):
        tissue_error(IMAGE, OTHER, MASK[None, 1:])
    with pytest.raises(ConfigError, match="target"):
        ImageSimilarityMetric("mse")(IMAGE[None, None])
    with pytest.raises(ValueError, match="ssim"):
        ImageSimilarityMetric("ssim")
