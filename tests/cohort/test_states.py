import json

import pytest

from monai_cortex.cohort.publish import note_done, note_failed, publish_results
from monai_cortex.cohort.stamps import digests, input_files, stamps_of
from monai_cortex.cohort.states import State, read_record, require_same, state_of
from monai_cortex.data import write_json
from monai_cortex.errors import ConfigError


@pytest.fixture
def state(folder, settings, tmp_path):
    def ask(item, settings=settings, **options):
        return state_of(folder, item, tmp_path / "data", settings, **options)

    return ask


@pytest.fixture
def done(folder, settings, item, results, tmp_path):
    """Have the subject done."""
    files = input_files(item, tmp_path / "data")
    write_json(folder.settings / f"{settings.digest}.json", settings.record)
    publish_results(folder, "sub-1", results(), settings, digests(files))
    note_done(folder, "sub-1", stamps_of(files), {"seconds": 1.0})
    return folder.results("sub-1")


def test_new_subject(state, item):
    assert state(item) == State("sub-1", "new")


def test_failed_subject_is_tried_again(folder, state, item):
    note_failed(folder, "sub-1", "text", {"error": "bad"})
    assert state(item).kind == "new"


def test_done_subject(state, done, item):
    assert state(item) == State("sub-1", "done")
    assert state(item, verify=True).kind == "done"


def test_touched_files_are_read_and_found_equal(state, done, item):
    (done / "metrics.json").write_bytes((done / "metrics.json").read_bytes())
    assert state(item) == State("sub-1", "done", fresh=False)


def test_damaged_subject(state, done, item):
    (done / "surf" / "lh.sphere").write_bytes(b"spherf")
    assert state(item) == State("sub-1", "damaged", "surf/lh.sphere (another sha256)")


def test_damaged_record(state, done, item):
    content = json.loads((done / "done.json").read_text())
    for text in ("{", json.dumps({**content, "outputs": {}})):
        (done / "done.json").write_text(text)
        assert state(item).kind == "damaged"


def test_lost_folder(state, done, item):
    done.rename(done.with_name("elsewhere"))
    assert state(item) == State("sub-1", "damaged", "no results")


def test_folder_of_somebody_else(folder, state, item):
    folder.results("sub-1").mkdir()
    assert state(item).kind == "foreign"


def test_other_settings_are_named(state, settings, done, item):
    other = settings._replace(digest="other", record={"a": 2})
    assert state(item, settings=other) == State("sub-1", "outdated", "settings: a: 1 before, 2 now")


@pytest.mark.parametrize(("name", "word"), [("fixed", "another sha256"), ("moving", "bytes instead of")])
def test_other_inputs_are_named(state, done, item, name, word):
    content = "fixeD" if name == "fixed" else "longer than before"
    with open(item[name], "w") as stream:
        stream.write(content)
    found = state(item)
    assert found.kind == "outdated"
    assert found.detail.startswith(f"inputs: sub-1/{name}.nii.gz (")
    assert word in found.detail


def test_more_and_fewer_inputs_are_named(state, done, item, tmp_path):
    mask = tmp_path / "data" / "sub-1" / "mask.nii.gz"
    mask.write_text("mask")
    assert state({**item, "mask": str(mask)}).detail == "inputs: sub-1/mask.nii.gz (new)"
    less = {name: value for name, value in item.items() if name != "moving"}
    assert state(less).detail == "inputs: sub-1/moving.nii.gz (gone)"


@pytest.mark.parametrize(("kind", "word"), [("outdated", "other settings or inputs"), ("foreign", "no cohort run")])
def test_what_must_not_be_replaced(kind, word):
    states = [State("sub-1", "done"), State("sub-2", kind, "why"), State("sub-3", kind, "too")]
    with pytest.raises(ConfigError, match=f"2 .*{word}(.|\n)*sub-2(.|\n)*why(.|\n)*--overwrite"):
        require_same(states, False)
    require_same(states, True)


def test_states_that_need_no_leave():
    require_same([State("a", "new"), State("b", "done"), State("c", "damaged")], False)


@pytest.mark.parametrize("content", ["", "[]", "{", None])
def test_record_that_cannot_be_read_is_empty(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    assert read_record(tmp_path / "a.json") == {}
