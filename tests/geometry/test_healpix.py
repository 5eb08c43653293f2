import warnings

import pytest
import torch

from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index

NSIDES = pytest.mark.parametrize("nside", [1, 2, 4, 8])


@NSIDES
def test_directions_are_unit_vectors_in_double_precision(nside):
    directions = healpix_directions(nside)
    assert directions.shape == (12 * nside**2, 3)
    assert directions.dtype == torch.float64
    torch.testing.assert_close(
        directions.norm(dim=1), torch.ones(len(directions), dtype=torch.float64), atol=1e-14, rtol=0
    )


def test_twelve_base_pixels_have_their_textbook_centers():
    z = torch.tensor([2 / 3] * 4 + [0.0] * 4 + [-2 / 3] * 4, dtype=torch.float64)
    longitude = torch.deg2rad(
        torch.tensor([45, 135, 225, 315, 0, 90, 180, 270, 45, 135, 225, 315], dtype=torch.float64)
    )
    radius = (1 - z**2).sqrt()
    expected = torch.stack([radius * longitude.cos(), radius * longitude.sin(), z], 1)
    torch.testing.assert_close(healpix_directions(1), expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize("nside", [1, 2, 4, 8, 16, 64])
def test_pixel_centers_agree_with_astropy(nside):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = pytest.importorskip("astropy_healpix")
        longitude, latitude = oracle.HEALPix(nside=nside, order="nested").healpix_to_lonlat(range(12 * nside**2))
    longitude, latitude = torch.tensor(longitude.to_value("rad")), torch.tensor(latitude.to_value("rad"))
    expected = torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], 1)
    torch.testing.assert_close(healpix_directions(nside), expected, atol=1e-12, rtol=0)


@NSIDES
def test_rings_have_equal_area_steps(nside):
    """4i pixels at z = 1 - i^2 / (3 nside^2) in the polar caps, 4 nside at z = (4 - 2i/nside) / 3 in the belt."""
    z = healpix_directions(nside)[:, 2]
    for i in range(1, 3 * nside + 1):
        cap = i < nside
        height = 1 - i**2 / (3 * nside**2) if cap else (4 - 2 * i / nside) / 3
        assert ((z - height).abs() < 1e-12).sum() == 4 * min(i, nside)


@NSIDES
def test_hemisphere_keeps_one_of_every_antipodal_pair(nside):
    directions = healpix_directions(nside)
    kept, antipode = hemisphere_index(directions), antipode_index(directions)
    assert kept.dtype == antipode.dtype == torch.int64
    assert len(kept) == 6 * nside**2
    assert (kept.diff() > 0).all()
    both = torch.cat([kept, antipode[kept]])
    assert torch.equal(both.sort().values, torch.arange(len(directions)))


@NSIDES
def test_hemisphere_follows_the_lexicographic_rule(nside):
    directions = healpix_directions(nside)
    kept = set(hemisphere_index(directions).tolist())
    for index, (x, y, z) in enumerate(directions.tolist()):
        first = next(c for c in (z, y, x) if abs(c) > 1e-10)
        assert (index in kept) == (first > 0)


@NSIDES
def test_hemisphere_keeps_half_of_the_equator(nside):
    directions = healpix_directions(nside)
    equator = directions[:, 2].abs() < 1e-10
    assert equator.sum() == 4 * nside
    assert equator[hemisphere_index(directions)].sum() == 2 * nside


def test_hemisphere_rule_on_the_axes_and_near_the_equator():
    near = 1e-12
    directions = torch.tensor(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [-1, near, near], [1, -near, -near]],
        dtype=torch.float64,
    )
    assert hemisphere_index(directions).tolist() == [0, 2, 4, 7]


@NSIDES
def test_antipode_is_the_exact_opposite_and_an_involution(nside):
    directions = healpix_directions(nside)
    antipode = antipode_index(directions)
    torch.testing.assert_close(directions[antipode], -directions, atol=1e-12, rtol=0)
    assert torch.equal(antipode[antipode], torch.arange(len(directions)))


@pytest.mark.parametrize("nside", [2, 4, 8, 16])
def test_parent_of_the_antipode_is_the_antipode_of_the_parent(nside):
    fine, coarse = antipode_index(healpix_directions(nside)), antipode_index(healpix_directions(nside // 2))
    assert torch.equal(fine // 4, coarse[torch.arange(len(fine)) // 4])


@pytest.mark.parametrize("nside", [0, -1, 3, 6])
def test_nside_that_is_no_power_of_two_is_refused(nside):
    with pytest.raises(ValueError, match=str(nside)):
        healpix_directions(nside)


def test_set_without_antipodes_is_refused():
    with pytest.raises(ValueError, match="antipode"):
        antipode_index(torch.eye(3, dtype=torch.float64))
