"""Pairs from real small files, whose subjects are the target turned at random."""

import shutil

import pytest
import torch
from monai.data import DataLoader, Dataset

from monai_cortex.data import registration_subjects, registration_target
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, standardize
from monai_cortex.inferers.registration_pairs import RegistrationPairs, registration_pairs, smooth_features
from monai_cortex.networks.layers import SphericalHarmonicTransform
from monai_cortex.transforms import LoadHemispheresd, registration_augmentation

OPTIONS = {"level": 3, "degree": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_cortex):
    place = tmp_path_factory.mktemp("pairs")
    write_cortex(place / "target")
    for seed in (1, 2):
        write_cortex(place / "data" / f"sub-{seed}", seed)
    return place


@pytest.fixture(scope="module")
def pairs(folder):
    return registration_pairs(folder / "data", folder / "target", **OPTIONS)


def test_subjects_are_turned_onto_the_target(pairs):
    """They are equal then, up to what interpolation leaves."""
    assert len(pairs) == 2
    for number, item in enumerate(pairs, 1):
        assert [pair["subject"] for pair in item] == [f"sub-{number}"] * 2
        for pair in item:
            assert pair["fixed"].shape == pair["moving"].shape == (1, 642)
            assert pair["fixed"].dtype == pair["moving"].dtype == torch.float32
            assert (pair["fixed"] - pair["moving"]).square().mean() < 1e-3
            assert pair["fixed"].square().mean() > 0.5


def test_sides_are_paired_with_their_own(folder, pairs):
    targets = registration_target(folder / "target")
    for item in pairs:
        for side, pair in zip(("lh", "rh"), item, strict=True):
            expected = smooth_features(SphereMap(targets[side].sphere, targets[side].values), 3, 8)
            assert torch.equal(pair["fixed"], expected)
    assert (pairs[0][0]["fixed"] - pairs[0][1]["fixed"]).square().mean() > 0.5


def test_pairs_are_made_once(pairs, monkeypatch):
    assert pairs[0][0]["moving"] is pairs[0][0]["moving"]
    monkeypatch.setattr(RegistrationPairs, "__call__", None)
    assert pairs[1][1]["subject"] == "sub-2"


def test_features_and_sides_are_those_asked_for(folder):
    item = registration_pairs(folder / "data", folder / "target", ("rh",), ("curv", "sulc"), **OPTIONS)[0]
    assert len(item) == 1
    assert item[0]["fixed"].shape == (2, 642)
    flipped = registration_pairs(folder / "data" / "sub-1", folder / "target", ("rh",), ("sulc", "curv"), **OPTIONS)
    torch.testing.assert_close(flipped[0][0]["fixed"], item[0]["fixed"].flip(0))


def test_pairs_are_drawn_into_batches_of_hemispheres(pairs):
    """As training does: two subjects of two hemispheres are a batch of four."""
    dataset = Dataset(pairs, registration_augmentation(warp=1))
    (batch,) = DataLoader(dataset, batch_size=2)
    assert batch["fixed"].shape == batch["moving"].shape == (4, 1, 642)
    assert batch["subject"] == ["sub-1", "sub-1", "sub-2", "sub-2"]
    assert torch.equal(batch["fixed"][1], pairs[0][1]["fixed"])
    assert not torch.equal(batch["moving"][1], pairs[0][1]["moving"])


def test_item_is_turned_as_its_files_say(folder):
    """RegistrationPairs by itself, on what LoadHemispheresd leaves."""
    item = LoadHemispheresd()(registration_subjects(folder / "data", ("lh",))[1])
    (pair,) = RegistrationPairs(registration_target(folder / "target", ("lh",)), 3, 8)(item)
    assert pair["subject"] == "sub-2"
    assert (pair["fixed"] - pair["moving"]).square().mean() < 1e-3


def test_smooth_features_have_no_harmonics_above_the_degree(anatomy):
    mesh = icosphere(5)
    smooth = smooth_features(SphereMap(mesh, anatomy()(mesh.vertices)), 4, 5)
    assert smooth.shape == (2, 2562)
    power = SphericalHarmonicTransform(icosphere(4), 10)(smooth[None].double())[0].square()
    above = harmonic_degrees(10) > 5
    assert power[:, above].sum() < 1e-6 * power[:, ~above].sum()
    assert power[:, harmonic_degrees(10) == 5].sum() > 1e-2 * power.sum()


def test_low_degrees_are_those_of_the_standardized_map(anatomy):
    """High ones are left out, not folded onto low ones."""
    mesh = icosphere(6)
    values = standardize(anatomy()(mesh.vertices), vertex_areas(mesh))
    basis = real_harmonics(mesh.vertices, 5)
    expected = (values * vertex_areas(mesh)) @ basis @ real_harmonics(icosphere(3).vertices, 5).T
    smooth = smooth_features(SphereMap(mesh, 40 * values - 3), 3, 5)
    torch.testing.assert_close(smooth.double(), expected, atol=5e-3, rtol=0)


def test_missing_features_and_several_targets_are_errors(folder, tmp_path):
    with pytest.raises(InputFileError, match="thickness"):
        registration_pairs(folder / "data", folder / "target", features=("thickness",), **OPTIONS)
    with pytest.raises(InputFileError, match="several"):
        registration_pairs(folder / "data", folder / "data", **OPTIONS)
    shutil.copytree(folder / "data" / "sub-1", tmp_path / "sub-1")
    (tmp_path / "sub-1" / "surf" / "rh.sulc").write_bytes(b"damaged")
    with pytest.raises(InputFileError, match="1 of 1 subjects") as caught:
        registration_pairs(tmp_path, folder / "target", **OPTIONS)
    assert str(tmp_path / "sub-1" / "surf" / "rh.sulc") in str(caught.value)
