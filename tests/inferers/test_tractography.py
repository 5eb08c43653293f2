import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from monai_cortex.data import read_streamlines, write_streamlines, write_volume
from monai_cortex.errors import ConfigError, GeometryError, InputFileError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.inferers import TrackingOptions, seed_points, track_fibers, track_file
from monai_cortex.metrics import streamline_scores

SHAPE = (16, 12, 10)


def grid(*columns, spacing=(2.0, 2.0, 2.5)):
    """Affine whose voxel axes are the given world directions."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(columns, dtype=np.float64).T * spacing
    affine[:3, 3] = (7, -40, 13)
    return affine


OBLIQUE = ((0.36, -0.8, 0.48), (0.48, 0.6, 0.64), (-0.8, 0.0, 0.6))
AFFINES = {
    "RAS": grid((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "LAS": grid((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "permuted": grid((0, 0, 1), (-1, 0, 0), (0, 1, 0)),
    "oblique": grid(*OBLIQUE),
    "oblique and mirrored": grid(OBLIQUE[0], OBLIQUE[1], -np.array(OBLIQUE[2])),
}


def sticks(*world, shape=SHAPE):
    """The same distribution in all voxels: deltas of degree 8 along world directions."""
    directions = torch.nn.functional.normalize(torch.tensor(world, dtype=torch.float64), dim=1)
    return real_harmonics(directions, 8, even=True).sum(0).float()[:, None, None, None].expand(-1, *shape)


def angles(streamlines, world):
    """Between the ends of each streamline and a direction, in degree."""
    chords = np.array([line[-1] - line[0] for line in streamlines], np.float64)
    cosine = chords @ np.array(world) / np.linalg.norm(chords, axis=1) / np.linalg.norm(world)
    return np.degrees(np.arccos(np.minimum(1, np.abs(cosine))))


def voxels(streamlines, affine):
    inverse = np.linalg.inv(affine)
    return np.concatenate([np.round(line @ inverse[:3, :3].T + inverse[:3, 3]) for line in streamlines]).astype(int)


def lengths(streamlines):
    return np.array([np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in streamlines])


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("name", AFFINES)
def test_streamlines_follow_the_bundle_in_world_axes(name, deterministic):
    """A direction that no axis or mirror image is close to; dipy's own directions are 5 degrees apart."""
    world, affine = (0.6, 0.64, 0.48), AFFINES[name]
    options = TrackingOptions(deterministic=deterministic, minimum_length=5)
    found = track_fibers(sticks(world), affine, torch.ones(SHAPE), 40, options)
    assert len(found) > 20
    assert angles(found, world).mean() < 4.5
    assert angles(found, world).max() < 12
    assert np.all((voxels(found, affine) >= 0) & (voxels(found, affine) < SHAPE))


@pytest.mark.parametrize("deterministic", [True, False])
def test_streamlines_go_straight_through_a_crossing(deterministic):
    """Streamlines that start before a slab where another fiber crosses, at 70 degrees, leave it as they came."""
    affine, main, other = AFFINES["oblique"], (1.0, 0, 0), (math.cos(math.radians(70)), math.sin(math.radians(70)), 0)
    fod = sticks(main).clone()
    middle = slice(SHAPE[0] // 2 - 3, SHAPE[0] // 2 + 3)
    fod[:, middle] = sticks(main, other)[:, middle]
    inverse = np.linalg.inv(affine)[:3, :3] @ main
    center = affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2) + affine[:3, 3]
    seeds = center + 1.0 * np.random.default_rng(0).uniform(-1, 1, (20, 3)) - np.sign(inverse[0]) * 9 * np.array(main)
    found = track_fibers(fod, affine, np.ones(SHAPE), seeds, TrackingOptions(deterministic=deterministic))
    assert len(found) == 20
    assert np.median(angles(found, main)) < 6


@pytest.fixture
def inner_seeds():
    """Half way along the first axis, and a voxel or more away from the border of the bundle below."""
    mask = np.zeros(SHAPE, bool)
    mask[8, 5:7, 4:6] = True
    return lambda affine: seed_points(mask, affine, 60)


def test_straight_bundle_is_all_valid(inner_seeds):
    affine, bundle = AFFINES["oblique"], torch.zeros(1, *SHAPE, dtype=torch.bool)
    bundle[0, :, 4:8, 3:7] = True
    endpoints = torch.zeros(1, 2, *SHAPE, dtype=torch.bool)
    endpoints[0, 0, :2] = endpoints[0, 1, -2:] = True
    seeds = inner_seeds(affine)
    for deterministic, share in ((True, 1), (False, 0.9)):
        options = TrackingOptions(deterministic=deterministic)
        found = track_fibers(sticks(OBLIQUE[0]), affine, bundle[0], seeds, options)
        score = streamline_scores(found, bundle, endpoints, affine)
        assert len(found) == 60
        assert score.valid >= share
        assert score.overlap > 0.25
        assert score.overreach == 0
    # Tracked along another axis they leave the bundle at once.
    options = TrackingOptions(minimum_length=0)
    found = track_fibers(sticks(OBLIQUE[1]), affine, bundle[0], seeds, options)
    assert streamline_scores(found, bundle, endpoints, affine).unconnected == 1


def test_equal_seeds_give_equal_streamlines():
    def follow(seed):
        return track_fibers(sticks((1, 2, 3), (3, -1, 0)), AFFINES["LAS"], torch.ones(SHAPE), 30, seed=seed)

    first, again = follow(0), follow(0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("starts", [10, seed_points(np.ones(SHAPE), AFFINES["RAS"], 10)], ids=["drawn", "given"])
def test_seed_rules_the_starts_and_the_steps(starts):
    """Starts that are given leave the steps to chance, and deterministic steps leave the starts."""
    options = TrackingOptions(deterministic=isinstance(starts, int))
    first, other = (
        track_fibers(sticks((1, 2, 3)), AFFINES["RAS"], np.ones(SHAPE), starts, options, seed=seed) for seed in (0, 1)
    )
    assert [line.shape for line in first] != [line.shape for line in other]


def test_streamlines_stay_in_the_mask():
    mask = torch.zeros(1, *SHAPE)
    mask[0, 3:12, 2:9, 2:8] = 1
    found = track_fibers(sticks((1, 1, 1)), AFFINES["oblique"], mask, 30, TrackingOptions(minimum_length=2))
    assert found
    assert mask[0][tuple(voxels(found, AFFINES["oblique"]).T)].all()


def test_streamlines_end_where_the_distribution_is_low():
    fod, mask = sticks((1, 0, 0)).clone(), np.ones(SHAPE)
    fod[:, 8:] *= 0.1
    mask[:3] = 0
    highest = 45 / (4 * math.pi)  # sum of (2 l + 1) / (4 pi) over l = 0, 2, ..., 8
    last = []
    for share in (0, 0.09, 0.5):
        options = TrackingOptions(deterministic=True, minimum_length=5, minimum_amplitude=share * highest)
        found = track_fibers(fod, AFFINES["RAS"], mask, 20, options)
        last.append(voxels(found, AFFINES["RAS"])[:, 0].max())
    assert last == [SHAPE[0] - 1, SHAPE[0] - 1, 7]
    options = TrackingOptions(minimum_length=5, minimum_amplitude=1.01 * highest)
    assert track_fibers(fod, AFFINES["RAS"], mask, 20, options) == []


def test_lengths_and_steps_are_in_mm(inner_seeds):
    """The grid is 32 mm long."""
    fod, affine = sticks((1, 0, 0)), AFFINES["RAS"]
    seeds = inner_seeds(affine)
    options = TrackingOptions(deterministic=True, step=0.8, minimum_length=0)
    whole = lengths(track_fibers(fod, affine, np.ones(SHAPE), seeds, options))
    assert whole.min() > 30 - 2 * 0.8
    assert whole.max() < 32.1
    assert np.ptp(whole / 0.8 - np.round(whole / 0.8)) < 1e-3
    long = TrackingOptions(deterministic=True, minimum_length=33)
    short = TrackingOptions(deterministic=True, minimum_length=0, maximum_length=27)
    assert track_fibers(fod, affine, np.ones(SHAPE), seeds, long) == []
    assert track_fibers(fod, affine, np.ones(SHAPE), seeds, short) == []


def test_nowhere_to_run_gives_no_streamlines():
    fod, affine = sticks((1, 0, 0)), AFFINES["RAS"]
    assert track_fibers(fod, affine, np.zeros(SHAPE), 10) == []
    assert track_fibers(fod, affine, np.ones(SHAPE), 0) == []
    assert track_fibers(fod, affine, np.ones(SHAPE), np.empty((0, 3))) == []
    assert track_fibers(0 * fod, affine, np.ones(SHAPE), 10) == []


def test_file_becomes_files_of_the_same_streamlines(tmp_path):
    affine, fod = AFFINES["oblique"], sticks((1, 2, 0)).clone()
    fod[:, 8:] = 0  # no distribution there, and so no streamline
    write_volume(tmp_path / "fod.nii.gz", fod.movedim(0, -1).numpy(), affine)
    names = [tmp_path / "a.trk", tmp_path / "a.tck"]
    count = track_file(tmp_path / "fod.nii.gz", names, seeds=30, seed=1)
    expected = track_fibers(fod, affine, fod.any(0), 30, seed=1)
    assert count == len(expected) > 10
    for name in names:
        for found, line in zip(read_streamlines(name), expected, strict=True):
            np.testing.assert_allclose(found, line, atol=1e-3)
    assert voxels(expected, affine)[:, 0].max() < 8


def test_mask_and_content_of_the_file_are_checked(tmp_path):
    fod = sticks((1, 2, 0)).movedim(0, -1).numpy()
    write_volume(tmp_path / "fod.nii.gz", fod, np.eye(4))
    write_volume(tmp_path / "mask.nii.gz", np.ones(SHAPE, np.uint8), np.diag([2.0, 2, 2, 1]), dtype=np.uint8)
    with pytest.raises(GeometryError, match="different grids"):
        track_file(tmp_path / "fod.nii.gz", [], tmp_path / "mask.nii.gz")
    write_volume(tmp_path / "dwi.nii.gz", fod[..., :44], np.eye(4))
    with pytest.raises(InputFileError, match="44 volumes"):
        track_file(tmp_path / "dwi.nii.gz", [])


@pytest.mark.skipif(shutil.which("tckinfo") is None, reason="MRtrix is not installed")
def test_mrtrix_reads_the_streamlines(tmp_path):
    found = track_fibers(sticks((1, 2, 0)), AFFINES["oblique"], np.ones(SHAPE), 12)
    write_streamlines(tmp_path / "a.tck", found, AFFINES["oblique"], SHAPE)
    command = ["tckinfo", "-count", str(tmp_path / "a.tck")]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"actual count in file: {len(found)}" in report


def test_seeds_are_drawn_from_the_mask():
    mask = np.zeros(SHAPE, bool)
    mask[3, 4, 5] = mask[10, 2, 1] = True
    points = seed_points(mask, AFFINES["oblique"], 400, seed=3)
    found, count = np.unique(voxels([points], AFFINES["oblique"]), axis=0, return_counts=True)
    assert found.tolist() == [[3, 4, 5], [10, 2, 1]]
    assert count.min() > 150
    inverse = np.linalg.inv(AFFINES["oblique"])
    inner = points @ inverse[:3, :3].T + inverse[:3, 3]
    inner -= np.round(inner)
    # Uniform in the voxel: mean 0 and variance 1/12 along each axis.
    np.testing.assert_allclose(inner.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(inner.var(0), 1 / 12, atol=0.015)
    np.testing.assert_array_equal(points, seed_points(mask, AFFINES["oblique"], 400, seed=3))
    assert not np.allclose(points, seed_points(mask, AFFINES["oblique"], 400, seed=4))


@pytest.mark.parametrize(
    ("fod", "mask", "message"),
    [
        ((44, *SHAPE), SHAPE, r"even harmonics, got \(44,"),
        ((45, *SHAPE[:2]), SHAPE, "even harmonics"),
        ((45, *SHAPE), SHAPE[::-1], "needs the grid"),
        ((45, *SHAPE), (2, *SHAPE), "needs the grid"),
    ],
)
def test_other_shapes_are_refused(fod, mask, message):
    with pytest.raises(ValueError, match=message):
        track_fibers(torch.ones(fod), np.eye(4), torch.ones(mask), 5)


def test_missing_dipy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dipy.tracking", None)
    with pytest.raises(ConfigError, match="needs dipy") as caught:
        track_fibers(sticks((1, 0, 0)), np.eye(4), torch.ones(SHAPE), 5)
    assert "pip install" in str(caught.value)
