import json
import os
import re
import signal
import sqlite3
import sys
from dataclasses import replace

import pytest

from monai_cortex.demo import DEMONSTRATIONS
from monai_cortex.errors import PluginError

SMALL = ("--refine", "False", "--spacing", "[2.5,2.5,6.3]", "--roi", "[64,64]")


def missing_bundle():
    return replace(DEMONSTRATIONS["fsdiffreg_cardiac"], bundle="no_such_bundle")


def damaged_weights(folder):
    """The command itself fails: its weights are no weights."""
    (folder / "damaged.pt").write_bytes(b"nothing")
    return replace(DEMONSTRATIONS["fsdiffreg_cardiac"], words=["--weights", str(folder / "damaged.pt")])


def broken_plugin():
    raise PluginError("it cannot be imported", remedy="install it again")


@pytest.fixture(scope="module")
def mixed(show, tmp_path_factory):
    """Two that fail, in our process and in the client's, around one that does not."""
    out = tmp_path_factory.mktemp("mixed")
    damaged = lambda: damaged_weights(out)  # noqa: E731
    code, text = show(out, missing=missing_bundle, fsdiffreg_cardiac=SMALL, damaged=damaged)
    return out, code, text


def test_failing_methods_do_not_hide_the_others(mixed):
    out, code, text = mixed
    assert code == 3
    status = dict(re.findall(r"^(\w+) .* (done|failed)$", text, re.MULTILINE))
    assert status == {"missing": "failed", "fsdiffreg_cardiac": "done", "damaged": "failed"}
    assert "missing: " in text
    assert "no_such_bundle" in text
    assert re.search(r"^damaged: Register .*: CheckpointError: .*\n  in: .*damaged.pt\n(  .*\n)*  remedy: ", text, re.M)
    assert f"report  {out.resolve()}/report.html" in text


def test_page_shows_the_figure_of_one_and_the_remedies_of_the_others(mixed):
    page = (mixed[0] / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 1
    assert page.count("remedy: ") == 2
    assert 'href="fsdiffreg_cardiac/report.html"' in page


def test_tables_are_those_of_the_heart(mixed):
    row = re.search(r"^Dice, mean of five +([\d.]+) +([\d.]+|n/a) +([\d.]+)$", mixed[2], re.MULTILINE)
    assert float(row[3]) > float(row[1]) + 0.05
    (subject,) = json.loads((mixed[0] / "fsdiffreg_cardiac" / "report.json").read_text())["subjects"]
    assert row[3] == f"{subject['dice_mean5']:.3f}"
    assert all((mixed[0] / "fsdiffreg_cardiac" / "simulated" / name).is_file() for name in ("transform.h5", "qc.png"))


def test_all_runs_are_in_one_experiment_of_one_store(mixed):
    out, _, text = mixed
    assert f"mlflow ui --backend-store-uri sqlite:///{out}/mlruns.db" in text
    assert [path.relative_to(out).parts for path in out.rglob("mlruns.db")] == [("mlruns.db",)]
    with sqlite3.connect(out / "mlruns.db") as store:
        runs = store.execute("select status, artifact_uri from runs where status = 'FINISHED'").fetchall()
    assert len(runs) == 1
    assert all(place.startswith((out / "mlruns").as_uri()) for _, place in runs)


def test_nothing_that_succeeds_is_exit_code_4(show, tmp_path):
    code, text = show(tmp_path, broken=broken_plugin)
    assert code == 4
    assert "broken: it cannot be imported\n  remedy: install it again" in text
    assert "install it again" in (tmp_path / "report.html").read_text()


def test_interrupted_demonstration_ends_its_command_too(show, tmp_path, monkeypatch):
    """Ctrl-C while the client computes: 130, and no process is left."""
    client, file = tmp_path / "client", tmp_path / "pid"
    client.write_text(f"#!/bin/sh\necho $$ > {file}\nexec sleep 60\n")
    client.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(client))
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    with pytest.raises(SystemExit) as caught:
        show(tmp_path / "out", fsdiffreg_cardiac=())
    signal.signal(signal.SIGALRM, before)
    assert caught.value.code == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
