import os

from monai_cortex.cohort.journal import append, read_journal


def test_lines_come_back_in_order(tmp_path):
    path = tmp_path / "journal.jsonl"
    append(path, "start", subjects=2)
    append(path, "done", subject="s\u00fcb")
    first, second = read_journal(path)
    assert (first["event"], first["subjects"]) == ("start", 2)
    assert (second["event"], second["subject"]) == ("done", "s\u00fcb")
    assert first["time"] <= second["time"]


def test_unfinished_line_costs_only_itself(tmp_path):
    path = tmp_path / "journal.jsonl"
    append(path, "start")
    with path.open("ab") as stream:
        stream.write(b'{"event": "do')
    append(path, "end")
    assert [entry["event"] for entry in read_journal(path)] == ["start", "end"]


def test_missing_journal_is_empty(tmp_path):
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_processes_do_not_mix_their_lines(tmp_path):
    path, pids = tmp_path / "journal.jsonl", []
    for number in range(4):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                for _ in range(25):
                    append(path, "done", subject=f"{number}" * 3000)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    entries = list(read_journal(path))
    assert len(entries) == 100
    assert all(len(set(entry["subject"])) == 1 for entry in entries)
