"""The picture of a registered pair."""

from dataclasses import replace

import numpy as np
import pytest

from monai_cortex.visualize import ImageRegistrationPicture, image_registration_figure, png

SHAPE = (40, 36, 7)


@pytest.fixture
def picture():
    """A bright ball that shrinks to the half; labels of a left cavity with its wall."""
    i, j, k = np.indices(SHAPE)
    radius = np.sqrt((1.5 * (i - 20)) ** 2 + (1.5 * (j - 18)) ** 2 + (10 * (k - 3)) ** 2)
    fixed, moving = (np.where(radius < size, 200.0, 50.0) for size in (12, 24))
    labels = {
        "fixed": np.where(radius < 12, 3, np.where(radius < 26, 2, 0)),
        "moving": np.where(radius < 24, 3, np.where(radius < 30, 2, 0)),
        "warped": np.where(radius < 12, 3, np.where(radius < 26, 2, 0)),
    }
    displacement = np.stack([i - 20.0, j - 18.0, 0.0 * k])
    jacobian = np.full(SHAPE, 4.0)
    affine = np.diag([1.5, 1.5, 10.0, 1.0])
    return ImageRegistrationPicture(
        "sub-1", fixed, moving, fixed.copy(), displacement, jacobian, affine, "ed2es", labels
    )


def panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.images and axes.get_title()}


def words(figure):
    found = [figure.get_suptitle()]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_ylabel(), axes.get_xlabel(), *(text.get_text() for text in axes.texts)]
        if axes.get_legend():
            found += [text.get_text() for text in axes.get_legend().get_texts()]
    return " ".join(found)


def test_differences_share_their_colors_and_vanish_where_the_warp_is_right(picture):
    found = panels(image_registration_figure(picture))
    before, after = (found[f"fixed \N{MINUS SIGN} {name}"].images[0] for name in ("moving", "warped"))
    assert before.get_clim() == after.get_clim()
    assert np.abs(before.get_array()).max() > 0.5
    assert np.abs(after.get_array()).max() == 0


def test_displacement_is_in_mm_and_jacobian_logarithmic(picture):
    found = panels(image_registration_figure(picture))
    length = found["displacement"].images[0].get_array()
    assert length.max() == pytest.approx(1.5 * np.hypot(20, 18), abs=1e-3)
    np.testing.assert_allclose(found["volume change J"].images[0].get_array(), 2)


def test_only_folded_voxels_have_the_color_of_folds(picture):
    """Strong shrinking is not folding, however far below the range of colors."""
    jacobian = np.ones(SHAPE)
    jacobian[18:22, 16:20], jacobian[20, 18] = 1e-6, -1.0
    for values, expected in ((jacobian, True), (np.abs(jacobian), False)):
        figure = image_registration_figure(replace(picture, jacobian=values))
        image = panels(figure)["volume change J"].images[0]
        below = (image.get_array() < image.get_clim()[0]).sum()
        assert below == int(expected)
        assert ("folded" in words(figure)) is expected


def test_slices_letters_and_structures_are_named(picture):
    text = words(image_registration_figure(picture))
    for name in ("base", "mid", "apex", "LV cavity", "end systole", "end diastole", "sub-1", "mm", "J (log scale)"):
        assert name in text


def test_contours_are_those_of_fixed_and_warped_labels(picture):
    found = panels(image_registration_figure(picture))
    assert len(found["moving, warped"].collections) == 2 * len(found["fixed, end systole"].collections) > 0
    assert not found["fixed \N{MINUS SIGN} moving"].collections


def test_optional_parts_add_to_the_page(picture):
    score = np.random.default_rng(0).random(SHAPE)
    rich = replace(picture, score=score, overlap={"LV cavity": (0.5, 0.9, 0.7)}, caption="NCC 0.5")
    bare, full = image_registration_figure(picture), image_registration_figure(rich)
    assert sum(bool(axes.images) for axes in full.axes) == sum(bool(axes.images) for axes in bare.axes) + 3
    assert "NCC 0.5" in words(full)
    assert "Dice" in words(full)
    assert "diffusion score" in words(full)
    assert png(full).startswith(b"\x89PNG")


def test_other_anatomy_without_labels_or_with_its_own(picture):
    even = replace(picture, labels={}, direction="", affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    text = words(image_registration_figure(even))
    assert "axial" in text
    assert "LV cavity" not in text
    own = {name: np.where(values == 3, 41, 0) for name, values in picture.labels.items()}
    text = words(image_registration_figure(replace(picture, labels=own, heart=False)))
    assert "label 41" in text
    assert "base" not in text
