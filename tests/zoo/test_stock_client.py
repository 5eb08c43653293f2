"""Our archives and MONAI's own client: download from a server, load, and run from another folder."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest
import torch
from monai.bundle import download, load
from monai.utils import set_determinism

from monai_cortex.zoo import pack_bundle

ROOT = Path(__file__).parents[2]
SLUGS = {
    "fsdiffreg_cardiac": ["--refine", "False", "--spacing", "[3.0,3.0,6.3]", "--roi", "[64,64]"],
    "shd_deconvolution": [],
    "cor2vox_synthesis": [],
    "spherical_diffusion_registration": [],
}
_FIRST, *_OTHERS = SLUGS


@pytest.fixture(autouse=True)
def _undisturbed():
    """Seeds and deterministic algorithms end with the test that asked for them."""
    yield
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    for slug in SLUGS:
        pack_bundle(ROOT / "bundles" / slug, folder)
    return folder


@pytest.fixture(scope="module")
def downloaded(published, serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    with serve(published) as address, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client says that it compares no digest
        for slug in SLUGS:
            (archive,) = published.glob(f"{slug}_v*.zip")
            download(name=slug, url=f"{address}/{archive.name}", bundle_dir=str(folder), progress=False)
    return folder


@pytest.mark.parametrize("slug", list(SLUGS))
def test_download_gives_the_whole_bundle(downloaded, slug):
    for name in ("configs/metadata.json", "configs/inference.json", "models/model.pt", "LICENSE", "docs/README.md"):
        assert (downloaded / slug / name).read_bytes() == (ROOT / "bundles" / slug / name).read_bytes()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("slug", list(SLUGS))
def test_load_gives_the_network_with_its_weights(downloaded, tmp_path, monkeypatch, slug):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["x", str(downloaded / slug / "configs" / "inference.json")])
    network = load(slug, bundle_dir=str(downloaded), workflow_type="inference", device="cpu")
    shipped = torch.load(downloaded / slug / "models" / "model.pt", weights_only=True)
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in shipped.items())


@pytest.mark.parametrize("slug", [_FIRST, *(pytest.param(slug, marks=pytest.mark.whole) for slug in _OTHERS)])
def test_run_from_a_folder_elsewhere(downloaded, tmp_path, monkeypatch, slug):
    """In this process; bundles' own tests start the client as one types it."""
    monkeypatch.chdir(tmp_path)
    config = str(downloaded / slug / "configs" / "inference.json")
    words = ["--config_file", config, "--output_dir", "out", "--track", "False", *SLUGS[slug]]
    monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", *words])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    assert list((tmp_path / "out").glob("*/qc.png"))
    assert not (downloaded / slug / "eval").exists()
