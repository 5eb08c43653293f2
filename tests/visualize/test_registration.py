from dataclasses import replace

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.visualize import GroupPicture, RegistrationPicture, group_figure, png, registration_figure

TARGET, OWN = icosphere(2), icosphere(3)
NUMBERS = {"ncc_rigid": 0.7612, "ncc": 0.9, "areal_mean": 0.1123, "edge_mean": 0.07, "new_folds": 3, "scale": 1.0}


@pytest.fixture
def picture():
    x, y, _ = TARGET.vertices.T
    own = OWN.vertices[:, 0].abs()
    return RegistrationPicture(TARGET, OWN, x, y, x, own, 2 * own, metrics=NUMBERS)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def bar_limits(figure):
    return {axes.get_xlabel(): axes.get_xlim() for axes in figure.axes if axes.get_label() == "<colorbar>"}


def test_columns_are_maps_before_and_after_and_distortion(picture):
    figure = registration_figure("sub-1", "curv", {"lh": picture, "rh": picture}, "fsaverage5")
    expected = ["Target: fsaverage5", "Rotated only", "Registered", "Areal distortion", "Edge distortion"]
    assert titles(figure) == expected
    assert sum(bool(axes.images) for axes in figure.axes) == 20
    assert png(figure).startswith(b"\x89PNG")


def test_title_holds_the_numbers(picture):
    text = registration_figure("sub-1", "sulc", {"rh": picture}).get_suptitle()
    for part in ("sub-1", "sulc", "Right", "0.761", "0.900", "0.112", "0.070", "3 new folds"):
        assert part in text
    assert "Left" not in text


def test_colors_of_distortion_follow_its_values_and_features_are_in_deviations(picture):
    limits = bar_limits(registration_figure("s", "sulc", {"lh": picture}))
    top = np.percentile(OWN.vertices[:, 0].abs(), 98)
    assert limits["|log2 area ratio|"] == pytest.approx((0, top))
    assert limits["|length ratio \N{MINUS SIGN} 1|"] == pytest.approx((0, 2 * top))
    assert limits["sulc (standard deviations)"] == (-2.5, 2.5)


def test_uncertainty_is_shown_where_there_is_one(picture):
    uncertain = replace(picture, uncertainty=np.linspace(0, 4, 642))
    figure = registration_figure("s", "sulc", {"lh": uncertain, "rh": picture})
    assert titles(figure)[-1] == "Uncertainty"
    assert "spread of draws (degree)" in bar_limits(figure)


def test_map_without_distortion_can_be_drawn(picture):
    still = replace(picture, areal=np.zeros(642), edge=np.zeros(642))
    assert bar_limits(registration_figure("s", "sulc", {"lh": still}))["|log2 area ratio|"] == (0, 1)


def test_group_is_shown_beside_its_target():
    x, y, z = TARGET.vertices.T
    figure = group_figure("sulc", {"lh": GroupPicture(TARGET, x, y, z.abs())}, 12, "fsaverage5")
    assert titles(figure) == ["Target: fsaverage5", "Average of 12 subjects", "Average areal distortion"]
    assert "12 subjects" in figure.get_suptitle()
    assert sum(bool(axes.images) for axes in figure.axes) == 6


@pytest.mark.parametrize("draw", [lambda: registration_figure("s", "sulc", {}), lambda: group_figure("sulc", {}, 2)])
def test_nothing_to_show_is_refused(draw):
    with pytest.raises(ValueError, match="hemisphere"):
        draw()
