import json
import re
from configparser import ConfigParser
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from monai_cortex.data import samples
from monai_cortex.data.atomic import sha256
from monai_cortex.data.diffusion import read_diffusion
from monai_cortex.data.samples import sample_dataset, write_samples
from monai_cortex.data.shells import find_shells
from monai_cortex.data.subjects import diffusion_subjects
from monai_cortex.errors import ConfigError, PluginError

SLUG = "shd_deconvolution"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    pytest.importorskip("dipy")
    folder = tmp_path_factory.mktemp("samples")
    write_samples(SLUG, folder)
    return folder


@pytest.fixture
def scan(dataset):
    (item,) = diffusion_subjects(dataset)
    return read_diffusion(item)


def test_sample_is_a_valid_subject(scan):
    assert scan.signal.shape == (65, 10, 10, 10)
    assert scan.subject == "small_64D"
    assert np.bincount(find_shells(scan.table.bvalues).shell).tolist() == [1, 64]
    assert 0.9 < scan.mask.mean() <= 1
    assert (scan.signal[:, scan.mask] > 0).all()
    assert scan.table.notes == ()


def test_record_names_source_license_and_digests(dataset):
    folder = dataset / "small_64D"
    record = json.loads((folder / "SOURCE.json").read_text())
    assert record["license"] == "BSD-3-Clause"
    names = {path.name for path in folder.iterdir()} - {"SOURCE.json"}
    assert record["sha256"] == {name: sha256(folder / name) for name in names}
    assert names == {"dwi.nii.gz", "dwi.bval", "dwi.bvec", "mask.nii.gz"}


def test_equal_calls_give_equal_bytes(dataset, tmp_path):
    write_samples(SLUG, tmp_path)
    for path in (dataset / "small_64D").iterdir():
        assert (tmp_path / "small_64D" / path.name).read_bytes() == path.read_bytes()


def along_fibers(scan, sign):
    """How much tissue changes along its fibers, relative to all directions; a third by chance.

    A tensor is fitted in world axes, `sign` tried on its axes; its own change is what is measured.
    """
    axes = scan.affine[:3, :3] / np.linalg.norm(scan.affine[:3, :3], axis=0)
    g, b = (scan.table.directions * sign)[1:], scan.table.bvalues[1:]
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    design = np.stack([g[:, i] * g[:, j] * (1 if i == j else 2) for i, j in pairs], 1)
    decay = -np.log(np.maximum(scan.signal[1:], 1) / np.maximum(scan.signal[:1], 1)) / b[:, None, None, None]
    d = np.tensordot(np.linalg.pinv(design), decay, 1)
    rows = [[d[0], d[3], d[4]], [d[3], d[1], d[5]], [d[4], d[5], d[2]]]
    values, vectors = np.linalg.eigh(np.moveaxis(np.array(rows), (0, 1), (-2, -1)))
    anisotropy = np.sqrt(1.5 * values.var(-1) * 3 / (values**2).sum(-1))
    change = np.stack(np.gradient(d, axis=(1, 2, 3)), -1) @ axes.T
    weights = np.array([1, 1, 1, 2, 2, 2]).reshape(-1, 1, 1, 1)
    inner = np.zeros(anisotropy.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    voxels = inner & (anisotropy > 0.2) & (anisotropy < 0.95)
    along = (weights * np.einsum("cijkx,ijkx->cijk", change, vectors[..., -1]) ** 2).sum(0)
    return (along / (weights[..., None] * change**2).sum((0, -1)))[voxels].mean()


def test_gradients_point_along_the_fibers(scan):
    """Tissue changes least along its fibers, and only for the right signs of the axes."""
    right = along_fibers(scan, [1, 1, 1])
    assert right < 0.29
    for axis in range(3):
        sign = np.ones(3)
        sign[axis] = -1
        assert along_fibers(scan, sign) > right + 0.03


def test_dataset_is_written_once(tmp_path, monkeypatch):
    calls = []

    def write(folder):
        calls.append(folder)
        (folder / "a").touch()

    monkeypatch.setitem(samples._SAMPLES, SLUG, {"one": write, "two": write})
    folder = sample_dataset(SLUG, tmp_path)
    assert folder == str(tmp_path / "samples") == sample_dataset(SLUG, str(tmp_path))
    assert len(calls) == 2
    write_samples(SLUG, folder)
    assert len(calls) == 4


def test_one_subject_is_a_dataset_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setitem(
        samples._SAMPLES, SLUG, {name: lambda folder: (folder / "a").touch() for name in ("one", "two")}
    )
    folder = sample_dataset(SLUG, tmp_path, subject="two")
    assert folder == str(tmp_path / "samples" / "two")
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["two"]


def test_data_of_a_faster_process_are_kept(tmp_path, monkeypatch):
    def slow(folder):
        (folder / "slow").touch()
        (tmp_path / "samples" / "one").mkdir()
        (tmp_path / "samples" / "one" / "fast").touch()

    monkeypatch.setitem(samples._SAMPLES, SLUG, {"one": slow})
    sample_dataset(SLUG, tmp_path)
    assert [path.name for path in (tmp_path / "samples").rglob("*")] == ["one", "fast"]


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setitem(samples._SAMPLES, SLUG, {"one": fail})
    with pytest.raises(KeyboardInterrupt):
        sample_dataset(SLUG, tmp_path)
    assert not list((tmp_path / "samples").iterdir())


def test_unknown_method(tmp_path, refused):
    refused(ConfigError, lambda: sample_dataset("shd", tmp_path), "shd_deconvolution")


def test_unknown_subject(tmp_path, refused):
    refused(ConfigError, lambda: sample_dataset("cor2vox_synthesis", tmp_path, "mni"), "fsaverage5, mni152", "'mni'")
    assert not (tmp_path / "samples").exists()


@pytest.mark.parametrize("package", ["dipy", "nilearn"])
def test_without_the_package_that_ships_them(tmp_path, refused, without_package, package):
    slug = {"dipy": SLUG, "nilearn": "spherical_diffusion_registration"}[package]
    without_package(package)
    words = (f"no {package}", f"pip install {package}")
    refused(ConfigError, lambda: sample_dataset(slug, tmp_path), *words)
    assert not list((tmp_path / "samples").iterdir())


def offer(folder, name, value):
    """A distribution whose sample data are those of an entry point."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[monai_cortex.samples]\ntheir_method = {value}\n")


def test_distributions_add_samples(tmp_path, monkeypatch, refused):
    module = "from pathlib import Path\nSAMPLES = {'one': lambda folder: (folder / 'a').touch()}\n"
    (tmp_path / "their_samples.py").write_text(module)
    offer(tmp_path, "theirs", "their_samples:SAMPLES")
    monkeypatch.syspath_prepend(tmp_path)
    dataset = sample_dataset("their_method", tmp_path / "out")
    assert dataset == str(tmp_path / "out" / "samples")
    assert (tmp_path / "out" / "samples" / "one" / "a").is_file()
    refused(ConfigError, lambda: sample_dataset("their_method", tmp_path, "two"), "one", "'two'")
    refused(ConfigError, lambda: sample_dataset("their_methods", tmp_path), "their_method", SLUG)
    offer(tmp_path, "others", "other_samples:SAMPLES")
    refused(PluginError, lambda: sample_dataset("their_method", tmp_path), "their_samples:SAMPLES", "offered twice")


def test_samples_that_the_package_itself_adds_are_there():
    parser = ConfigParser()
    parser.read(Path(__file__).parents[2] / "setup.cfg")
    lines = parser["options.entry_points"]["monai_cortex.samples"].strip().splitlines()
    added = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines)
    assert set(added) == {"fsdiffreg_cardiac"}
    for value in added.values():
        assert EntryPoint("name", value, "group").load()
