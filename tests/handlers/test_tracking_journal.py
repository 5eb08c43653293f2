import pytest

from monai_cortex.handlers.tracking_journal import TrackingJournal, journals, public_store, read_journal

RUN = {"name": "train-1", "experiment": "e", "tags": {}, "started": 1, "store": None}


def test_journal_is_read_as_it_was_written(tmp_path):
    assert journals(tmp_path) == []
    journal = TrackingJournal(tmp_path, RUN)
    assert journals(tmp_path) == []
    told = [{"kind": "tag", "key": "a", "value": "b"}, {"kind": "metrics", "values": {"x": 1.5}, "step": 1, "time": 2}]
    for entry in told:
        journal.append(entry, "id")
    (path,) = journals(tmp_path)
    assert read_journal(path) == ({"kind": "run", **RUN, "run_id": "id"}, told)


def test_a_line_that_was_cut_off_is_left_out(tmp_path, caplog):
    journal = TrackingJournal(tmp_path, RUN)
    journal.append({"kind": "tag", "key": "a", "value": "b"}, None)
    with journal.path.open("a") as file:
        file.write('{"kind": "met')
    assert len(read_journal(journal.path)[1]) == 1
    assert "cut off" in caplog.text


def test_a_journal_that_cannot_be_written_costs_a_warning(tmp_path, caplog):
    (tmp_path / "tracking_journal").write_text("in the way")
    TrackingJournal(tmp_path, RUN).append({"kind": "tag", "key": "a", "value": "b"}, None)
    assert "is lost" in caplog.text


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("sqlite:///own.db", None),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://user:secret@host", ""),
        ("sqlite:////data/Doe/mlruns.db", ""),
        ("postgresql://user:secret@host/db", ""),
    ],
)
def test_neither_paths_nor_passwords_are_written_down(uri, public):
    assert public_store(uri, "sqlite:///own.db") == public
