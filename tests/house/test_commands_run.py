"""Every command of a document runs exactly as it is printed, page by page, or stands below with the reason why not.

What users bring themselves (DATASET, ACDC, moving.nii.gz) lies in the working folder under just that name.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/**/*.md", "bundles/*/docs/*.md")
    for path in ROOT.glob(pattern)
    if path.parent.name != "evidence"  # those commands are run by `make evidence`
)
LONG = (
    "hundreds of steps and more; every training runs for a few in tests/bundles, and TRIAL in the guide does as printed"
)
SERVED = "tests/faults/test_tracking_server.py starts one"
# Patterns that the commands match from their first word on, and why these are not run.
NOT_RUN = {
    r"(python -m )?pip install (-e|-c) (?!.*test)|python3 -m venv|\. \.venv": "an index; tools/run_released_bundles.py",
    r"make (demo|test)": "sets up its own environment; continuous integration calls `make test`",
    r".*my_denoising_wide": "the module and the entry point that the page shows; tests/bundles swap networks alike",
    r"python -m monai\.bundle run (?!.*my_denoising).*configs/train\.json(?!.*--steps \d\d?\b)": LONG,
    r"torchrun ": LONG,
    r"python tools/train_weights\.py": LONG,
    r"python -m monai\.bundle run .*PAPER/model\.pt": "such weights take days; tests/bundles read configs/paper.json",
    r"python -m monai\.bundle download .*https://HOST/": "no such host; tests/zoo downloads from the loopback",
    r".*(RELEASE|127\.0\.0\.1:PORT|monai_cortex-0\.1\.0-py3|zoo/cor2vox)": "tools/run_released_bundles.py does",
    r"(freeview|mrview) ": "opens a window",
    r"(apt-get|sudo|export|exec|mlflow server|pip install .*server|MLFLOW_TRACKING_URI=\S+) ": "a group's server; "
    + SERVED,
    r"python -m monai_cortex register-model .*http://": "a group's server; " + SERVED,
    r"(mri_surf2surf|antsApplyTransforms|parallel) ": "a program that is not among what the tests need",
    r"cd SUBJECTS_DIR/sub-01/surf": "the folder of FreeSurfer's own commands",
    r"python -m monai_cortex cohort .*--launcher submitit": "a cluster; tests/cohort runs submitit's local executor",
}
# Programs that a page may call and that need not be installed.
OPTIONAL = ("mrinfo", "sh2peaks", "tckgen", "wb_command")
QUICK = r"python -m monai_cortex (list$|samples shd|check shd_deconvolution samples|zoo (pack|index|fetch) )"
SERVER = "mlflow ui "
WRITES = re.compile(
    r"--(?:output_dir|output-dir)[ =](\S+)|-o (\S+)|(?:samples|simulate) \w+ (\S+)|cohort \w+ \S+ (\S+)"
    r"|shapes sample \S+ (\S+)|shapes between \S+ \S+ \S+ \S+ (\S+)"
)
# Slurm tells a task of an array its place so.
SLURM = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "20", "SLURM_CPUS_PER_TASK": "2"}


def not_run(command):
    """Why a command is not run, or nothing."""
    text = " ".join(command.replace("\\\n", " ").split())
    absent = [name for name in OPTIONAL if text.startswith(f"{name} ") and not shutil.which(name)]
    reasons = [reason for pattern, reason in NOT_RUN.items() if re.match(pattern, text)]
    return (reasons or [f"no {name}" for name in absent] or [""])[0]


class Shell:
    """A terminal in a working folder: commands one after the other, the folder that they change to is kept."""

    def __init__(self, folder, home, environment):
        self.folder, self.place = folder, home
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
        path = os.pathsep.join([str(environment / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        # What pip would ask an index for is here.
        pip = dict.fromkeys(("PIP_NO_INDEX", "PIP_NO_DEPS"), "1") | {"PIP_NO_BUILD_ISOLATION": "0"}
        self.variables |= {"PATH": path, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", **pip, **SLURM}

    def __call__(self, command):
        if command.startswith(SERVER):
            return self.serve(command)
        after = self.folder / ".place"
        typed = f"({command}\n)" if command.startswith("#!") else command
        script = f"{typed}\nstatus=$?; pwd > {shlex.quote(str(after))}; exit $status"
        start = time.monotonic()
        answer = subprocess.run(
            ["bash", "-c", script], cwd=self.place, env=self.variables, capture_output=True, text=True, check=False
        )
        print(f"{time.monotonic() - start:6.1f} s  {command}", flush=True)  # noqa: T201 (pages take minutes)
        assert answer.returncode == 0, f"{command}\n{answer.stdout[-2000:]}{answer.stderr[-3000:]}"
        self.place = Path(after.read_text().strip())
        return None

    def serve(self, command):
        """Wait for the page of a server, and end it."""
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.place,
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert "MLflow" in page("http://127.0.0.1:5000", process), command
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def page(address, process, seconds=120):
    """What a server answers, once it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no answer from {address}")


def stand_in(command, place):
    """Shipped weights where a training that is not run would have left its own."""
    slug = re.search(r"bundles/(\w+)/configs/train", command)
    bundle = ROOT / "bundles" / slug[1] if slug else place
    out = re.search(r"--output_dir (\S+)", command)
    if "configs/train.json" in command and out and not (place / out[1]).exists():
        (place / out[1]).mkdir()
        shutil.copy(bundle / "models" / "model.pt", place / out[1])


@pytest.fixture
def shell(tmp_path):
    """A terminal with what a checkout holds, in an environment in which a page may install what it wrote."""
    environment = tmp_path / ".environment"
    venv.create(environment)
    (library,) = environment.glob("lib/python*/site-packages")
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (library / "here.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")

    def start(name, files):
        folder = tmp_path / "work"
        shutil.copytree(ROOT / "bundles", folder / "bundles")
        home = folder / Path(name).parents[1] if name.startswith("bundles/") else folder
        for source in files:
            (home / source.name).symlink_to(source)
        return Shell(tmp_path, home, environment)

    return start


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_page_runs(name, request, printed_commands, users_files, shell):
    if not request.config.getoption("whole"):
        pytest.skip("whole pages with --whole; their quick commands run below")
    run, ran = None, 0
    for _, command in printed_commands((ROOT / name).read_text()):
        run = run or shell(name, sorted(users_files().iterdir()))
        if not_run(command):
            stand_in(command, run.place)
        else:
            run(command)
            ran += 1
    if not ran:
        pytest.skip("no command that is run")


def test_quick_commands_run(printed_commands, tmp_path, monkeypatch):
    from monai_cortex.__main__ import main

    shutil.copytree(ROOT / "bundles" / "shd_deconvolution", tmp_path / "bundles" / "shd_deconvolution")
    monkeypatch.chdir(tmp_path)
    lines = [" ".join(line.split()) for name in DOCUMENTS for _, line in printed_commands((ROOT / name).read_text())]
    quick = [line for line in dict.fromkeys(lines) if re.match(QUICK, line) and not not_run(line)]
    assert len(quick) > 5
    for line in quick:
        answer = CliRunner().invoke(main, shlex.split(line)[3:])
        assert answer.exit_code == 0, f"{line}\n{answer.output}"


def test_no_reason_is_stale(printed_commands):
    text = [" ".join(line.replace("\\\n", " ").split()) for line in every(printed_commands)]
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, line) for line in text)] == []


def every(printed_commands):
    return [line for name in DOCUMENTS for _, line in printed_commands((ROOT / name).read_text())]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_page_finds_its_files(name, printed_commands, users_names):
    """Names in capitals are files of the reader, or written by a command further up."""
    known = {name.split("/")[0] for name in users_names}
    for _, command in printed_commands((ROOT / name).read_text()):
        words = {word.split("/")[0] for word in shlex.split(command.replace("\\\n", " "), comments=True)}
        known |= {found.split("/")[0] for groups in WRITES.findall(command) for found in groups if found}
        if not not_run(command):
            lost = [word for word in words if re.fullmatch(r"[A-Z][A-Z_]+", word) and word not in known]
            assert lost == [], f"{command}: where is it from?"
