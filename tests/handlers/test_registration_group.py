import json
import math
import re

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from scipy.stats import false_discovery_control, ttest_rel

from monai_cortex.data import read_morph
from monai_cortex.errors import ConfigError
from monai_cortex.handlers import RegistrationGroup, RunReport, SphereRegistrationWriter
from monai_cortex.handlers.registration_writer import carried_hemispheres
from monai_cortex.visualize import Picture, Table


@pytest.fixture(scope="module")
def items(registered_item):
    return [registered_item(f"sub-{seed}", seed, sides=["lh"]) for seed in range(3)]


@pytest.fixture
def run(tmp_path):
    """Run the group over items; gives it, its engine and the folder of the run."""

    def start(items):
        engine = Engine(lambda engine, batch: [{} for _ in batch])
        group = RegistrationGroup(str(tmp_path))
        group.attach(engine)
        engine.run([[item] for item in items])
        return group, engine, tmp_path

    return start


def test_average_is_that_of_the_registered_features_in_their_unit(run, items):
    _, _, folder = run(items)
    carried = [carried_hemispheres(item)["lh"] for item in items]
    expected = np.mean([part.carry(part.native.values).numpy() for part in carried], 0)
    for name, values in zip(("sulc", "curv"), expected, strict=True):
        np.testing.assert_allclose(read_morph(folder / "group" / f"lh.mcx.mean.{name}", 2562), values, atol=1e-6)
        record = json.loads((folder / "group" / f"lh.mcx.mean.{name}.json").read_text())
        assert (record["subjects"], record["target"]) == (3, "fsaverage5")
    assert np.abs(expected - items[0]["targets"]["lh"].values.numpy()).mean() < 0.02


def test_picture_shows_average_feature_and_areal_distortion(run, items):
    group, _, _ = run(items[:2])
    (picture,) = group.pictures().values()
    parts = [carried_hemispheres(item)["lh"] for item in items[:2]]
    mean = sum(part.carry(part.scaled)[0] for part in parts) / 2
    areal = sum(part.carry(part.areal[None])[0] for part in parts) / 2
    torch.testing.assert_close(picture.mean, mean)
    torch.testing.assert_close(picture.areal, areal)
    torch.testing.assert_close(picture.fixed, parts[0].target_scaled[0])
    assert run(items[:1])[0].pictures() == {}


def test_folder_holds_maps_picture_and_overlap(run, items):
    _, _, folder = run(items[:2])
    maps = [f"lh.mcx.mean.{name}{suffix}" for name in ("sulc", "curv") for suffix in ("", ".json")]
    assert sorted(path.name for path in (folder / "group").iterdir()) == sorted([*maps, "average.png", "overlap.json"])
    assert [path.name for path in folder.iterdir()] == ["group"]


def test_overlap_of_regions_is_tested_over_subjects(run, items):
    group, engine, folder = run(items)
    (table,) = [block for block in group.blocks(engine) if isinstance(block, Table)]
    parts = [carried_hemispheres(item)["lh"] for item in items]
    rigid, registered = (np.array([p.overlap(rigid=r).dice.tolist() for p in parts]) for r in (True, False))
    p = ttest_rel(registered, rigid).pvalue
    columns = list(zip(*table.rows, strict=True))
    assert columns[0] == ("frontal", "occipital", "temporal", "parietal")
    assert columns[1] == (3,) * 4
    for column, expected in zip(columns[2:5], (rigid, registered, registered - rigid), strict=True):
        np.testing.assert_allclose(column, expected.mean(0))
    np.testing.assert_allclose(columns[6], p)
    np.testing.assert_allclose(columns[7], false_discovery_control(p))
    assert "left" in table.caption
    assert "not testable" not in table.caption
    records = json.loads((folder / "group" / "overlap.json").read_text())["lh"]
    assert [row["q"] for row in records] == pytest.approx(columns[7])


def test_one_subject_has_no_average_and_no_test(run, items):
    group, engine, folder = run(items[:1])
    assert not list(folder.iterdir())
    (table,) = group.blocks(engine)
    assert all(math.isnan(row[-1]) and 0 < row[2] < row[3] <= 1 for row in table.rows)
    assert "4 are not testable (n/a)" in table.caption


def test_subjects_without_labels_count_in_the_average_only(run, items, registered_item):
    plain = registered_item("plain", 7, sides=["lh"], labels=False)
    group, engine, folder = run([*items[:2], plain])
    table = group.blocks(engine)[-1]
    assert [row[1] for row in table.rows] == [2] * 4
    assert json.loads((folder / "group" / "lh.mcx.mean.sulc.json").read_text())["subjects"] == 3
    group, engine, _ = run([plain, plain])
    assert [type(block) for block in group.blocks(engine)] == [Picture]


def test_each_run_starts_anew(run, items):
    group, engine, folder = run(items)
    engine.run([items[:2]], max_epochs=1)
    assert json.loads((folder / "group" / "lh.mcx.mean.sulc.json").read_text())["subjects"] == 2


def test_targets_must_be_one(run, items):
    target = items[1]["targets"]["lh"]._replace(subject="other")
    with pytest.raises(ValueError, match="one target, got fsaverage5, other"):
        run([items[0], items[1] | {"targets": {"lh": target}}])


def test_subject_may_not_have_the_name_of_the_folder(run, items):
    with pytest.raises(ConfigError, match="name of the group's folder"):
        run([items[0] | {"subject": "group"}])


def test_report_holds_the_table_the_picture_and_notes_on_signs(items, tmp_path):
    """With the writer, as in a run."""
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    metadata = {name: name for name in ("name", "version", "description", "intended_use")} | {"references": []}
    (tmp_path / "bundle" / "configs" / "metadata.json").write_text(json.dumps(metadata))
    out = tmp_path / "out"

    def step(engine, batch):
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return [{} for _ in batch]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    group = RegistrationGroup(str(out))
    report = RunReport(str(out), str(tmp_path / "bundle"), sections=[group])
    for handler in (report, group, SphereRegistrationWriter(str(out))):
        handler.attach(engine)
    native = items[1]["hemispheres"]["lh"]
    opposite = items[1] | {"hemispheres": {"lh": native._replace(values=-native.values)}}
    engine.run([[items[0], opposite]])
    page = (out / "report.html").read_text()
    assert page.count("<img") == 3
    assert re.search(r"<p>sub-1: lh sulc: correlation with the target is -0\.\d+", page)
    for text in ("frontal", "q (FDR)", "lh ncc rigid", "lh rotation [degree]"):
        assert text in page
    assert {path.name for path in out.iterdir()} == {"sub-0", "sub-1", "group", "report.html", "report.json"}
    assert engine.state.metrics["lh_rotation_degree"] == pytest.approx(25, abs=1e-4)
