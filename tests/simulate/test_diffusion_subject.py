import json

import numpy as np
import pytest
import torch

from monai_cortex.data import diffusion_subjects, read_diffusion, read_volume
from monai_cortex.simulate import (
    DiffusionTissue,
    SimulatedDiffusion,
    crossing_scene,
    fiber_phantom,
    gradient_protocol,
    random_scene,
    simulate_diffusion,
    simulate_scan,
    write_simulated_diffusion,
)

SHAPE, SMALL = (4, 3, 2), (2, ((1000, 6),))


@pytest.fixture(scope="module")
def subject():
    return simulate_diffusion(3, SMALL, scene=crossing_scene(10, 80, radius=3), shape=SHAPE)


@pytest.fixture
def folder(subject, tmp_path):
    write_simulated_diffusion(tmp_path / "s1", subject)
    return tmp_path


def test_bundles_read_back_what_was_simulated(subject, folder):
    scan = read_diffusion(diffusion_subjects(folder)[0])
    assert np.array_equal(scan.signal, subject.signal.numpy())
    assert scan.signal.dtype == np.float32
    np.testing.assert_array_equal(scan.table.bvalues, subject.table.bvalues)
    np.testing.assert_allclose(scan.table.directions, subject.table.directions, atol=1e-6)
    np.testing.assert_allclose(scan.affine, subject.phantom.affine, atol=1e-6)
    assert scan.mask.all()
    assert scan.subject == "s1"


def test_gradients_stay_in_world_axes_on_an_oblique_grid(tmp_path, turn, generator):
    phantom = fiber_phantom(crossing_scene(0, radius=3), SHAPE, rotation=turn)
    table = gradient_protocol(SMALL, generator)
    signal = simulate_scan(phantom, table, generator)
    oblique = SimulatedDiffusion(signal, table, phantom, DiffusionTissue(), 30.0)
    write_simulated_diffusion(tmp_path / "s1", oblique)
    scan = read_diffusion(diffusion_subjects(tmp_path)[0])
    np.testing.assert_allclose(scan.table.directions, table.directions, atol=1e-6)
    np.testing.assert_allclose(scan.affine, phantom.affine, atol=1e-6)
    assert np.array_equal(scan.signal, signal.numpy())


def test_truth_lies_beside_the_scan_on_its_grid(subject, folder):
    phantom = subject.phantom
    truth = {
        "truth_wmfod": phantom.fod[:45],
        "target_wmfod": phantom.distinct_fod()[:45],
        "truth_fibers": phantom.fibers,
        "truth_tissues": phantom.tissues,
        "truth_bundles": phantom.bundles,
        "truth_endpoints": phantom.endpoints.flatten(0, 1).float(),
    }
    for name, values in truth.items():
        volume = read_volume(folder / "s1" / f"{name}.nii.gz", ndim=4)
        np.testing.assert_allclose(volume.affine, phantom.affine, atol=1e-6)
        assert np.array_equal(volume.values, values.movedim(0, -1).numpy()), name
        assert volume.values.any(), name
    assert len(list((folder / "s1").iterdir())) == len(truth) + 5


def test_truth_is_found_with_the_subject(folder):
    item = diffusion_subjects(folder)[0]
    assert {"truth_fibers", "truth_wmfod", "truth_tissues", "mask"} <= set(item)


def test_degree_of_the_truth_is_the_one_asked_for(subject, tmp_path):
    write_simulated_diffusion(tmp_path / "s1", subject, degree=4)
    assert read_volume(tmp_path / "s1" / "truth_wmfod.nii.gz", ndim=4).values.shape == (*SHAPE, 15)


def test_parameters_are_written(folder):
    written = json.loads((folder / "s1" / "SIMULATION.json").read_text())
    assert written["snr"] == 30
    assert DiffusionTissue(**written["tissue"]) == DiffusionTissue()


def test_a_folder_is_replaced(subject, folder):
    (folder / "s1" / "old.txt").write_text("old")
    write_simulated_diffusion(folder / "s1", subject)
    assert not (folder / "s1" / "old.txt").exists()
    assert [path.name for path in folder.iterdir()] == ["s1"]


def test_equal_seeds_give_equal_bits():
    first, again, other = (simulate_diffusion(seed, SMALL, vary=True, shape=SHAPE) for seed in (5, 5, 6))
    assert torch.equal(first.signal, again.signal)
    assert torch.equal(first.phantom.fods, again.phantom.fods)
    assert np.array_equal(first.table.directions, again.table.directions)
    assert first.tissue == again.tissue
    assert other.tissue != first.tissue
    assert not torch.equal(first.signal, other.signal)


def test_noise_is_the_last_thing_drawn():
    """Scans of one seed that differ in noise alone show the same bundles with the same gradients."""
    clean, noisy = (simulate_diffusion(7, SMALL, snr, shape=SHAPE) for snr in (1e9, 20.0))
    assert torch.equal(clean.phantom.fods, noisy.phantom.fods)
    assert np.array_equal(clean.table.directions, noisy.table.directions)
    error = (clean.signal - noisy.signal)[:2].std().item()
    assert error == pytest.approx(50, rel=0.3)


def test_only_what_is_left_open_varies():
    tissue = DiffusionTissue(axial=1.5e-3)
    fixed = simulate_diffusion(1, SMALL, None, tissue=tissue, vary=True, shape=SHAPE)
    assert fixed.tissue == tissue
    assert simulate_diffusion(1, SMALL, shape=SHAPE).tissue == DiffusionTissue()
    one = {"scene": crossing_scene(0), "shape": (1, 1, 1)}
    ratios = [simulate_diffusion(seed, (1, ()), None, **one).snr for seed in range(20)]
    assert 18 <= min(ratios) < 23
    assert 35 < max(ratios) <= 40


def shows_gray(seed, **options):
    phantom = simulate_diffusion(seed, (1, ()), shape=(9, 9, 1), **options).phantom
    return phantom.tissues[1].any().item()


def test_some_scenes_have_gray_matter_where_asked_for():
    """About three in ten of the varied ones."""
    assert 0 < sum(shows_gray(seed, vary=True) for seed in range(12)) < 9
    assert not any(shows_gray(seed) for seed in range(4))
    scenes = [random_scene(torch.Generator().manual_seed(seed), gray=True) for seed in range(4)]
    assert sum(shows_gray(seed, scene=scene) for seed, scene in enumerate(scenes)) >= 2
