"""Names of patients, users and machines stay where they are; nothing is asked of the network."""

import gzip
import logging
import socket
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.utils import set_determinism

from monai_cortex.data import bundle_folder, read_volume, write_samples, write_volume

PATIENT, USER, HOST = "DOEJANE19700101", "canaryuser77", "canaryhost77"
TINY = {"steps": 2, "epochs": 1, "val_interval": 1, "channels": [2, 2, 2], "num_workers": 0}


@pytest.fixture
def strangers(monkeypatch):
    """Addresses outside this machine that were asked for; asking raises."""
    asked, connect, resolve = [], socket.socket.connect, socket.getaddrinfo

    def guarded(self, address):
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
            asked.append(address)
            raise OSError("no network here")
        return connect(self, address)

    def resolved(host, *arguments, **options):
        if host not in ("127.0.0.1", "::1", "localhost", None):
            asked.append(host)
            raise OSError("no network here")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return asked


@pytest.fixture
def canaries(monkeypatch, tmp_path):
    """A scan of a patient whose name is in its path and header, on a machine and for a user with names to look for."""
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / USER))
    folder = tmp_path / PATIENT / USER
    write_samples("shd_deconvolution", folder)
    scan = folder / "small_64D"
    for name, kind in (("dwi", np.int16), ("mask", np.uint8)):
        volume = read_volume(scan / f"{name}.nii.gz", constant=True)
        write_volume(scan / f"{name}.nii.gz", volume.values[2:8, 2:8, 3:7], volume.affine, dtype=kind)
        image = nib.load(scan / f"{name}.nii.gz")
        image.header["descrip"] = image.header["intent_name"] = PATIENT
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", PATIENT.encode()))
        image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
        nib.save(image, scan / f"{name}.nii.gz")
    yield folder
    set_determinism(None)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def run(monkeypatch):
    """Run a bundle as its command line does, config files and overrides included."""

    def start(kind, **overrides):
        config = f"{bundle_folder('shd_deconvolution')}/configs/{kind}.json"
        words = [word for name, value in overrides.items() for word in (f"--{name}", str(value))]
        program = str(Path(sys.modules["monai.bundle"].__file__).with_name("__main__.py"))
        monkeypatch.setattr(sys, "argv", [program, "run", "--config_file", config, *words])
        role = "train" if kind == "train" else "infer"
        made = ConfigWorkflow(config_file=config, workflow_type=role, logging_file=False, **overrides)
        made.initialize()
        made.run()

    return start


def search(folder):
    """Files in which a name was found, compressed ones unpacked; and those that were searched."""
    found, searched = [], set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        searched.add(path.name)
        for name in (PATIENT, USER, HOST):
            if name.encode() in content or name in path.relative_to(folder).as_posix():
                found.append((path.name, name))
    return found, searched


def test_no_name_in_any_file_of_a_training_and_an_inference(canaries, strangers, run, tmp_path, caplog, capfd):
    """Checkpoints, weights, tracking database, artifacts, reports, images, logs; a run that fails included."""
    out = tmp_path / "out"
    caplog.set_level(logging.INFO)
    run("train", dataset_dir=str(canaries), output_dir=str(out / "train"), **TINY)
    weights = str(out / "train" / "model.pt")
    options = {"dataset_dir": str(canaries), "weights": weights, "channels": TINY["channels"]}
    run("inference", output_dir=str(out / "inference"), **options)
    (canaries / "small_64D" / "dwi.nii.gz").write_bytes(b"damaged")
    with pytest.raises(Exception):  # noqa: B017, PT011  # its text may name the file; what it leaves may not
        run("inference", output_dir=str(out / "failed"), **options)
    found, searched = search(out)
    assert found == []
    assert searched >= {"mlruns.db", "checkpoint.pt", "model.pt", "config.json", "report.html", "wmfod.nii.gz"}
    printed = caplog.text + "".join(capfd.readouterr())
    assert [name for name in (PATIENT, USER, HOST) if name in printed.partition("terminating due to")[0]] == []
    assert strangers == []


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / "a.txt").write_text(f"of {PATIENT}")
    (tmp_path / "b.gz").write_bytes(gzip.compress(USER.encode()))
    (tmp_path / HOST).touch()
    assert sorted(search(tmp_path)[0]) == [("a.txt", PATIENT), ("b.gz", USER), (HOST, HOST)]


def test_the_guard_stops_what_leaves_the_machine(strangers):
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    assert strangers
