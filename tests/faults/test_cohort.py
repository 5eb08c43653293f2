"""Many subjects: bad ones, killed processes, damaged results, full disks, several processes, changed settings."""

import csv
import getpass
import json
import os
import random
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from monai_cortex.cohort.journal import read_journal
from monai_cortex.cohort.launcher import launch
from monai_cortex.data import write_volume

QUICK = [
    "--device=cpu",
    *[f"--override={text}" for text in ("refine=false", "spacing=null", "roi=null", "labels=null")],
]
QUICK += ["--override=track=false"]
RESULTS = {"done.json", "metrics.json", "qc.png", "transform.h5", "warp.nii.gz", "warped.nii.gz"}


def tree(folder):
    """Bytes of all results by name; reports tell times, and differ."""
    places = [place for place in sorted(folder.iterdir()) if place.is_dir() and place.name.startswith("sub-")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for place in places for path in place.rglob("*")}


def events(folder, kind):
    return [entry["subject"] for entry in read_journal(folder / "journal.jsonl") if entry["event"] == kind]


@pytest.fixture
def in_child(cohort):
    """Run the command in a forked process; gives its process id."""
    pids = []

    def start(*words, before=lambda: None):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                before()
                code = cohort(*words).exit_code
            finally:
                os._exit(code)
        pids.append(pid)
        return pid

    yield start
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except OSError:
            continue


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="module")
def three(write_pairs, tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("three"), range(3))


@pytest.fixture(scope="module")
def finished(three, tmp_path_factory):
    """The folder of a cohort that nothing has disturbed, and the seconds that it took; filled by the first who asks."""
    return {"folder": tmp_path_factory.mktemp("finished") / "out"}


@pytest.fixture
def undisturbed(cohort, three, finished, tmp_path):
    """A copy of that folder, with the times of its files."""
    if "seconds" not in finished:
        start = time.monotonic()
        answer = cohort(three, finished["folder"])
        assert answer.exit_code == 0, answer.output
        finished["seconds"] = time.monotonic() - start
    shutil.copytree(finished["folder"], tmp_path / "copy")
    return tmp_path / "copy"


def test_bad_subjects_do_not_cost_the_others(cohort, write_pairs, tmp_path):
    patient = tmp_path / "DOE_JOHN"
    data, out = write_pairs(patient, range(4)), tmp_path / "out"
    (data / "sub-01" / "fixed.nii.gz").write_bytes(b"garbage")
    (data / "sub-03" / "moving.nii.gz").unlink()
    answer = cohort(data, out, "participant")
    assert answer.exit_code == 3, answer.output
    assert {path.name for path in out.glob("crash-*.txt")} == {"crash-sub-01.txt", "crash-sub-03.txt"}
    for name in ("sub-00", "sub-02"):
        assert {path.name for path in (out / name).iterdir()} >= RESULTS
    assert not (out / "sub-01").exists()
    report = json.loads((out / "report.json").read_text())
    counts = report["counts"]
    assert (counts["done"], counts["failed"], counts["pending"], counts["subjects"]) == (2, 2, 0, 4)
    with (out / "report.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["done", "failed", "done", "failed"]
    assert all(float(row["peak_memory_mb"]) > 1 for row in rows if row["status"] == "done")
    assert len(report["subjects"][0]["inputs"]["sub-00/fixed.nii.gz"]) == 64
    page = (out / "report.html").read_text()
    assert 'href="./reports/sub-00.html"' in page
    assert 'href="./crash-sub-01.txt"' in page
    crash = (out / "crash-sub-01.txt").read_text()
    assert "InputFileError" in crash
    assert "<dataset>/sub-01/fixed.nii.gz" in crash
    for path in out.rglob("*"):
        text = path.read_text() if path.suffix in (".txt", ".json", ".jsonl", ".csv", ".html") else ""
        for word in (patient.name, str(tmp_path), f"/{getpass.getuser()}/", f"@{socket.gethostname()}"):
            assert word not in text, f"{word} in {path.name}"


def test_none_succeeds(cohort, write_pairs, tmp_path):
    data = write_pairs(tmp_path / "data", [0])
    (data / "sub-00" / "fixed.nii.gz").write_bytes(b"garbage")
    assert cohort(data, tmp_path / "out").exit_code == 4


def test_repaired_subject_is_done_in_the_next_run(cohort, write_pairs, three, tmp_path):
    data, out = shutil.copytree(three, tmp_path / "data"), tmp_path / "out"
    (data / "sub-01" / "fixed.nii.gz").write_bytes(b"garbage")
    assert cohort(data, out, "--participant-label", "01", "02").exit_code == 3
    write_pairs(data, [1])
    answer = cohort(data, out, "--participant-label", "sub-01", "--participant-label", "02")
    assert answer.exit_code == 0, answer.output
    assert "(1 of them before)" in answer.output
    assert not list(out.glob("crash-*"))
    assert events(out, "done") == ["sub-02", "sub-01"]


def test_hard_death_is_charged_to_its_subject_alone(cohort, three, tmp_path):
    """An overlay lets the process abort in the middle of a subject, as a fault of a library would."""
    overlay = {
        "imports": ["$import os"],
        "careful": {"_target_": "monai_cortex.transforms.cardiac_preprocessing", "spacing": None, "roi": None},
        "preprocessing": "$lambda i: os.abort() if '01' in i['subject'] else @careful(i)",
    }
    (tmp_path / "overlay.json").write_text(json.dumps(overlay))
    answer = cohort(three, tmp_path / "out", "--config", tmp_path / "overlay.json")
    assert answer.exit_code == 3, answer.output
    assert "SIGABRT" in (tmp_path / "out" / "crash-sub-01.txt").read_text()
    assert events(tmp_path / "out", "done") == ["sub-00", "sub-02"]


def test_killed_at_any_moment_and_run_again(in_child, cohort, three, undisturbed, finished, rounds, tmp_path):
    expected, out, seen = tree(undisturbed), tmp_path / "killed", {}
    draw = random.Random(time.time_ns())
    for _ in range(rounds(2, 20)):
        pid = in_child(three, out)
        time.sleep(draw.uniform(0, 1.1 * finished["seconds"]))
        os.kill(pid, signal.SIGKILL)
        ended(pid)
        there = tree(out) if out.exists() else {}
        assert all(expected[name] == content for name, content in there.items()), "a partial result"
        done = {path.parent.name: path.stat() for path in out.glob("sub-*/done.json")}
        for name, status in done.items():
            assert {key for key in there if key.startswith(name)} == {key for key in expected if key.startswith(name)}
            assert seen.setdefault(name, status.st_ino) == status.st_ino, "a finished subject was computed again"
        if len(done) == 3:
            shutil.rmtree(out)
            seen.clear()
    answer = cohort(three, out)
    assert answer.exit_code == 0, answer.output
    assert tree(out) == expected
    assert not [path for path in out.rglob("*") if ".partial" in path.name]
    assert not list((out / ".cohort" / "work").iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop(in_child, three, undisturbed, tmp_path, number, code):
    out = tmp_path / "stopped"
    pid = in_child(three, out)
    while not (out / "sub-00" / "done.json").is_file():
        time.sleep(0.02)
    start = time.monotonic()
    os.kill(pid, number)
    assert ended(pid) == code
    assert time.monotonic() - start < 10
    expected = tree(undisturbed)
    assert all(expected[name] == content for name, content in tree(out).items())
    counts = json.loads((out / "report.json").read_text())["counts"]
    assert counts["done"] == len(list(out.glob("sub-*")))
    assert counts["pending"] == 3 - counts["done"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def _flip(path, keep_time=False):
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_damaged_results_are_found_and_redone(cohort, three, undisturbed):
    expected = tree(undisturbed)
    damages = {
        "sub-00/warp.nii.gz (": lambda: _cut(undisturbed / "sub-00" / "warp.nii.gz"),
        "sub-01/warped.nii.gz (another sha256)": lambda: _flip(undisturbed / "sub-01" / "warped.nii.gz", True),
        "sub-02/qc.png (missing)": (undisturbed / "sub-02" / "qc.png").unlink,
    }
    for damage in damages.values():
        damage()
    answer = cohort(three, undisturbed)
    assert answer.exit_code == 0, answer.output
    assert tree(undisturbed) == expected
    found = [
        f"{entry['subject']}/{entry['detail']}"
        for entry in read_journal(undisturbed / "journal.jsonl")
        if entry["event"] == "damaged"
    ]
    assert len(found) == 3
    assert all(text.startswith(start) for text, start in zip(sorted(found), damages, strict=True))


def test_damaged_record_and_lost_folder_are_redone_others_kept(cohort, three, undisturbed):
    expected = tree(undisturbed)
    (undisturbed / "sub-00" / "done.json").write_text("{")
    shutil.rmtree(undisturbed / "sub-01")
    kept = (undisturbed / "sub-02" / "done.json").stat().st_ino
    assert cohort(three, undisturbed).exit_code == 0
    assert tree(undisturbed) == expected
    assert (undisturbed / "sub-02" / "done.json").stat().st_ino == kept


def test_damage_that_no_time_betrays_is_found_on_request(cohort, three, undisturbed):
    assert cohort(three, undisturbed).exit_code == 0
    expected = tree(undisturbed)
    image = undisturbed / "sub-00" / "warped.nii.gz"
    _flip(image)
    record = next(p for p in (undisturbed / ".cohort" / "records").iterdir() if '"subject": "sub-00"' in p.read_text())
    content, status = json.loads(record.read_text()), image.stat()
    content["output_stamps"][image.name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    record.write_text(json.dumps(content))
    assert "(3 of them before)" in cohort(three, undisturbed).output
    assert "(2 of them before)" in cohort(three, undisturbed, "--verify").output
    assert tree(undisturbed) == expected


def test_copied_results_are_kept(cohort, three, undisturbed, tmp_path):
    """Also without what a rerun knows of them: done.json says all that matters."""
    shutil.rmtree(undisturbed / ".cohort")
    answer = cohort(three, undisturbed)
    assert answer.exit_code == 0
    assert "(3 of them before)" in answer.output
    assert events(undisturbed, "done") == ["sub-00", "sub-01", "sub-02"]


def test_two_subjects_of_one_name_are_refused(cohort, three, tmp_path):
    for part in ("training", "testing"):
        shutil.copytree(three / "sub-00", tmp_path / "data" / part / "sub-00")
    answer = cohort(tmp_path / "data", tmp_path / "out")
    assert answer.exit_code == 2
    assert "the same name" in answer.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["reports", "report.json", "crash-a.txt"])
def test_subject_with_a_name_that_is_taken_is_refused(cohort, three, tmp_path, name):
    shutil.copytree(three / "sub-00", tmp_path / "data" / name)
    answer = cohort(tmp_path / "data", tmp_path / "out")
    assert answer.exit_code == 2
    assert "rename the subject" in answer.output


@pytest.mark.parametrize("place", [".", "sub-00/.."])
def test_results_never_replace_the_data(cohort, write_pairs, tmp_path, place):
    data = write_pairs(tmp_path / "data", [0])
    answer = cohort(data, data / place)
    assert answer.exit_code == 2
    assert "replace" in answer.output
    assert {path.name for path in data.iterdir()} == {"sub-00"}


def test_subject_too_large_for_the_memory(cohort, write_pairs, tmp_path):
    data = write_pairs(tmp_path / "data", range(3))
    shape = (384, 384, 64)
    image = np.zeros(shape, np.float32)
    image[100:200, 100:200, 20:40] = 100
    for name in ("fixed", "moving"):
        write_volume(data / "sub-01" / f"{name}.nii.gz", image, np.diag([1.5, 1.5, 3.15, 1]), dtype=np.int16)
    answer = cohort(data, tmp_path / "out", "--memory-limit", "0.6")
    assert answer.exit_code == 3, answer.output
    assert "ResourceError: the memory does not suffice" in (tmp_path / "out" / "crash-sub-01.txt").read_text()
    assert events(tmp_path / "out", "done") == ["sub-00", "sub-02"]


@pytest.mark.parametrize("values", [40000.0, -40000.0, np.nan, np.inf])
def test_values_that_an_integer_output_cannot_hold_are_refused(tmp_path, values):
    with pytest.raises(ValueError, match="int16 holds"):
        write_volume(tmp_path / "a.nii.gz", np.full((4, 4, 4), values), np.eye(4), dtype=np.int16)
    assert not list(tmp_path.iterdir())


def test_output_folder_that_cannot_be_written_to(cohort, three, tmp_path):
    (tmp_path / "file").write_text("")
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    places = [tmp_path / "file" / "out", "/proc/out" if os.geteuid() == 0 else locked / "out"]
    for place in places:
        answer = cohort(three, place)
        assert answer.exit_code == 2
        assert "cannot be written to" in answer.output


def test_full_disk_is_noticed_before_computing(in_child, three, tmp_path):
    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    assert ended(in_child(three, tmp_path / "out", before=fill)) == 2
    assert not list((tmp_path / "out").glob("sub-*"))
    assert not (tmp_path / "out" / "journal.jsonl").exists()


def test_shards_together_are_the_whole(cohort, three, undisturbed, tmp_path):
    out = tmp_path / "sharded"
    codes = [cohort(three, out, "--shard", f"{number}/2").exit_code for number in (1, 2)]
    assert codes == [0, 0]
    assert tree(out) == tree(undisturbed)
    assert sorted(events(out, "done")) == ["sub-00", "sub-01", "sub-02"]
    assert json.loads((out / "report.json").read_text())["counts"]["done"] == 3


def test_two_processes_on_one_shard(in_child, three, undisturbed, tmp_path):
    out = tmp_path / "both"
    assert [ended(pid) for pid in [in_child(three, out) for _ in range(2)]] == [0, 0]
    assert tree(out) == tree(undisturbed)
    assert sorted(events(out, "done")) == ["sub-00", "sub-01", "sub-02"], "double work"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("participant_id\tage\nsub-00\t3\nsub-01\t4\nsub-00\t3\n", "row 4 repeats row 2"),
        ("participant_id\nsub-00\nsub-09\n", "row 3 (sub-09)"),
        ("sub-00\n\nnobody\n", "row 3 (nobody)"),
        ("participant_id\n", "no row with a label"),
    ],
)
def test_list_of_participants_that_cannot_be_right(cohort, three, tmp_path, content, reason):
    (tmp_path / "participants.tsv").write_text(content)
    answer = cohort(three, tmp_path / "out", "--participants-file", tmp_path / "participants.tsv")
    assert answer.exit_code == 2
    assert "ConfigError" in answer.output
    assert reason in answer.output
    assert not (tmp_path / "out").exists()


def test_byte_order_mark_is_no_part_of_a_name(cohort, three, undisturbed, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfsub-01\r\nsub-00\r\n")
    answer = cohort(three, undisturbed, "--participants-file", tmp_path / "list.txt")
    assert answer.exit_code == 0, answer.output
    assert "2 of 2 subjects done" in answer.output


def test_changed_settings_are_refused(cohort, three, undisturbed, tmp_path):
    before = tree(undisturbed)
    answer = cohort(three, undisturbed, "--override", "score_draws=5")
    assert answer.exit_code == 2
    assert "score_draws: 4 before, 5 now" in answer.output
    (tmp_path / "weights.pt").write_bytes(b"other")
    answer = cohort(three, undisturbed, "--override", f"weights={tmp_path / 'weights.pt'}")
    assert answer.exit_code == 2
    assert "weights: sha256:" in answer.output
    assert tree(undisturbed) == before


def test_changed_inputs_are_refused_and_replaced_on_request(cohort, write_pairs, three, undisturbed, tmp_path):
    data = shutil.copytree(three, tmp_path / "data")
    assert "(3 of them before)" in cohort(data, undisturbed).output  # equal files elsewhere are equal
    before = tree(undisturbed)
    write_pairs(tmp_path / "other", [7])
    shutil.copy(tmp_path / "other" / "sub-07" / "fixed.nii.gz", data / "sub-01" / "fixed.nii.gz")
    answer = cohort(data, undisturbed)
    assert answer.exit_code == 2
    assert "inputs: sub-01/fixed.nii.gz" in answer.output
    assert tree(undisturbed) == before
    answer = cohort(data, undisturbed, "--overwrite")
    assert answer.exit_code == 0, answer.output
    assert "(2 of them before)" in answer.output
    after = tree(undisturbed)
    assert {name for name in before if before[name] != after[name]} >= {"sub-01/done.json", "sub-01/warp.nii.gz"}
    assert all(before[name] == after[name] for name in before if not name.startswith("sub-01"))


@pytest.mark.parametrize("words", [("--override", "refin=false"), ("--shard", "3/2"), ("--participant-label", "x")])
def test_misused_options_are_told_before_anything_is_made(cohort, three, tmp_path, words):
    answer = cohort(three, tmp_path / "out", *words)
    assert answer.exit_code == 2
    assert "ConfigError" in answer.output
    assert not (tmp_path / "out").exists()


def test_config_that_cannot_be_built_computes_nothing(cohort, three, tmp_path):
    answer = cohort(three, tmp_path / "out", "--override", "score_time=5000")
    assert answer.exit_code == 2
    assert "score_time 5000" in answer.output
    assert not list((tmp_path / "out").glob("sub-*"))


def test_jobs_of_submitit_do_all_shards_though_one_is_preempted(write_pairs, rounds, tmp_path):
    """The scheduler's signal reaches the task; it is submitted again, and goes on where it was stopped."""
    if not rounds(0, 1):
        pytest.skip("with --whole: real jobs need half a minute each")
    pytest.importorskip("submitit", reason="submitit is not installed")
    data, out, said = write_pairs(tmp_path / "data", range(6)), tmp_path / "out", []

    def preempt():
        while not events(out, "done"):
            time.sleep(0.05)
        controller = said[0].split()[-1]
        (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
        os.kill(int(task), signal.SIGUSR2)

    threading.Thread(target=preempt, daemon=True).start()
    words = ["fsdiffreg_cardiac", str(data), str(out), *QUICK]
    assert launch(words, 2, tmp_path / "jobs", {}, cluster="local", progress=said.append) == [0, 0]
    assert said[0].startswith("2 jobs submitted")
    assert sorted(events(out, "done")) == [f"sub-{number:02d}" for number in range(6)]
    logs = "".join(path.read_text() for path in (tmp_path / "jobs").rglob("*_log.*"))
    assert logs.count("Requeued job") == 1


def test_large_cohort_takes_no_more_memory_and_is_passed_over_at_once(limited, write_pairs, rounds, tmp_path):
    """The worker's largest memory, subject by subject, and the seconds of a call that has nothing to do."""
    if not rounds(0, 1):
        pytest.skip("with --whole: takes a quarter of an hour")
    count = int(os.environ.get("MONAI_CORTEX_COHORT", "1000"))
    data, out = write_pairs(tmp_path / "data", range(count)), tmp_path / "out"
    command = (sys.executable, "-m", "monai_cortex", "cohort", "fsdiffreg_cardiac", str(data), str(out), *QUICK)
    assert limited(*command, seconds=5 * count + 60).code == 0
    peaks = [row["peak_memory_mb"] for row in json.loads((out / "report.json").read_text())["subjects"]]
    again = limited(*command, seconds=600)
    assert again.code == 0
    print(f"{count} subjects: {max(peaks[:50])} MB, then {max(peaks)} MB; again in {again.seconds:.1f} s")  # noqa: T201
    assert max(peaks) <= 1.1 * max(peaks[:50])
    assert again.seconds < 5 + 0.001 * count
