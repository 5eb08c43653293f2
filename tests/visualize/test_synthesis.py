"""The picture of a generated brain."""

from dataclasses import replace

import numpy as np
import pytest

from monai_cortex.visualize import SynthesisPicture, png, synthesis_figure

SHAPE = (44, 30, 34)
AXES = {
    "RAS": np.array([[2.0, 0, 0, -43], [0, 2, 0, -29], [0, 0, 2, -33], [0, 0, 0, 1]]),
    "LIA": np.array([[-2.0, 0, 0, 43], [0, 0, 2, -33], [0, -2, 0, 29], [0, 0, 0, 1]]),
}


def points(affine):
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    return index @ affine[:3, :3].T + affine[:3, 3]


@pytest.fixture(params=["RAS", "LIA"])
def picture(request):
    """Two balls; the left one is bright."""
    affine = AXES[request.param]
    place = points(affine)
    radius = np.minimum(*(np.linalg.norm(place - [x, 0, 0], axis=-1) for x in (-20.0, 20.0)))
    image = np.where(radius < 17, np.where(place[..., 0] < 0, 0.9, 0.3), 0.05)
    return SynthesisPicture("sub-1", image, radius - 13, radius - 17, affine)


def shown(figure):
    """Panels that hold a slice; color bars are none."""
    return [axes for axes in figure.axes if axes.images]


def halves(axes):
    """Mean brightness left and right of the middle, as on the page."""
    (image,) = axes.images[:1]
    values = np.ma.filled(image.get_array().astype(float), 0)
    left, right = axes.get_xlim()
    if left > right:
        values = values[:, ::-1]
    middle = values.shape[1] // 2
    return values[:, :middle].mean(), values[:, -middle:].mean()


def letters(axes):
    return {text.get_text() for text in axes.texts}


def test_left_is_on_the_left(picture):
    """In coronal and axial slices, whatever the axes of the file are; a sagittal slice has one side only."""
    panels = [axes for axes in shown(synthesis_figure(picture)) if "L" in letters(axes)]
    assert len(panels) >= 2
    for axes in panels:
        left, right = halves(axes)
        assert left > right + 0.1
        places = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert places["L"] < places["R"]


def test_rows_are_views(picture):
    figure = synthesis_figure(picture)
    kinds = [frozenset(letters(axes) & set("LRAPIS")) for axes in shown(figure)]
    assert {frozenset("PAIS"), frozenset("LRIS"), frozenset("LRPA")} <= set(kinds)


def test_bare_picture_needs_no_real_image(picture):
    figure = synthesis_figure(picture)
    assert len(shown(figure)) % 3 == 0
    assert "sub-1" in figure.get_suptitle()
    assert png(figure).startswith(b"\x89PNG")


def test_everything_at_once(picture):
    noise = np.random.default_rng(0).random(SHAPE)
    doses = {0.0: picture.image, 0.25: picture.image, 0.5: picture.image * 0.9, 1.0: picture.image * 0.8}
    full = replace(
        picture,
        real=np.clip(picture.image + 0.1 * noise, 0, 1),
        deviation=0.1 * noise,
        atrophied=doses,
        metrics={"white ASSD [mm]": 0.28123},
    )
    bare, rich = synthesis_figure(picture), synthesis_figure(full)
    assert len(shown(rich)) >= len(shown(bare)) + 3 * 4
    assert len(shown(rich)) % 3 == 0
    text = " ".join([rich.get_suptitle(), *(part.get_text() for axes in rich.axes for part in axes.texts)])
    text += " ".join(part.get_text() for part in rich.texts)
    assert "0.28" in text
    titles = " ".join(axes.get_title() for axes in rich.axes)
    for dose in ("0.25", "0.5", "1"):
        assert dose in titles
    assert png(rich).startswith(b"\x89PNG")
