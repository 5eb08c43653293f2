import contextlib
import functools
import http.server
import importlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch

from monai_cortex.plugins import registry


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="Repeat random faults as often as the promises say.")


_BUNDLES = Path(__file__).parents[1] / "bundles"


def _good_configs():
    metadata = json.loads((_BUNDLES / "shd_deconvolution" / "configs" / "metadata.json").read_text())
    inference = {
        "imports": ["$import os", "$import numpy as np"],
        "bundle_root": ".",
        "output_dir": "out",
        "device": "$'cuda' if torch.cuda.is_available() else 'cpu'",
        "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 1, "kernel_size": 1},
        "network": "$@network_def.to(@device)",
        "inferer": {"_target_": "monai.inferers.SimpleInferer"},
        "run": ["$@network.eval()"],
    }
    return {"metadata": metadata | {"version": "1.0.0", "changelog": {"1.0.0": "first"}}, "inference": inference}


@pytest.fixture(scope="session")
def write_bundle():
    """Write a small bundle that passes, with entries added to one of its configs, under a folder."""
    from monai_cortex.zoo.content import seal

    def write(folder, config="inference", name="tiny_image_segmentation", version="1.0.0", **changes):
        bundle, configs = folder / name, _good_configs()
        configs["metadata"] |= {"version": version, "changelog": {version: "new"}}
        configs.setdefault(config, {}).update(changes)
        for part in ("configs", "docs", "models"):
            (bundle / part).mkdir(parents=True, exist_ok=True)
        for stem, content in configs.items():
            (bundle / "configs" / f"{stem}.json").write_text(json.dumps(content, indent=1))
        (bundle / "LICENSE").write_text("Apache-2.0")
        (bundle / "docs" / "README.md").write_text("# Tiny\n")
        weights = {"weight": torch.ones(1, 1, 1, 1, 1), "bias": torch.zeros(1)}
        torch.save(weights, bundle / "models" / "model.pt")
        seal(bundle)
        return bundle

    return write


@pytest.fixture(scope="session")
def serve():
    """Serve a folder on the loopback while a block runs; gives the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    @contextlib.contextmanager
    def on(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    return on


@pytest.fixture
def tree():
    """Everything below a folder by name, with contents: to see that nothing has changed."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def double_precision():
    """Modules are built in float64, their operators too."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(previous)


@pytest.fixture(scope="session")
def fsaverage5():
    """White and pial surface of the left half of fsaverage5; skips where nilearn, which ships it, is missing."""
    fetch = pytest.importorskip("nilearn.datasets").fetch_surf_fsaverage
    from monai_cortex.data.gifti import read_gifti_surface

    files = fetch("fsaverage5")
    return tuple(read_gifti_surface(files[name]).mesh for name in ("white_left", "pial_left"))


@pytest.fixture(scope="session")
def cortical_image():
    """Draw white matter 1, gray matter 0.6 and CSF 0.15 with partial volume and noise; image and affine."""
    from monai_cortex.geometry.cell_coverage import cell_coverage

    def draw(white, pial, spacing, noise=0.0, seed=0, around=None):
        corners = (around or pial).vertices
        low, high = corners.amin(0) - 6, corners.amax(0) + 6
        shape = tuple(int(n) for n in ((high - low) / spacing).ceil() + 1)
        affine = torch.diag(torch.tensor([spacing, spacing, spacing, 1.0], dtype=torch.float64))
        affine[:3, 3] = low
        inner, outer = (cell_coverage(mesh, shape, affine) for mesh in (white, pial))
        image = 0.15 + 0.45 * torch.maximum(inner, outer) + 0.4 * inner
        return image + noise * torch.randn(shape, generator=torch.Generator().manual_seed(seed)), affine

    return draw


@pytest.fixture(scope="session")
def synthetic_people(tmp_path_factory):
    """Folder of two people whose hemispheres are thick shells, imaged at 3 mm; label "front" is the anterior half."""
    import nibabel as nib
    import numpy as np

    from monai_cortex.geometry.icosphere import icosphere
    from monai_cortex.geometry.mesh import Mesh
    from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces
    from monai_cortex.simulate.scanner import Scanner
    from monai_cortex.simulate.synthetic_brain import write_synthetic_brain

    folder, ball, kinds = tmp_path_factory.mktemp("people"), icosphere(3), []
    for radius in (18.0, 22.0):
        centers = {"lh": ball.vertices.new_tensor([-25, 5, -60]), "rh": ball.vertices.new_tensor([25, 5, -60])}
        kinds.append({side: Mesh(radius * ball.vertices + center, ball.faces) for side, center in centers.items()})
    labels = (ball.vertices[:, 1] < 0).int().numpy()
    colors = np.array([[200, 10, 10, 0], [10, 10, 200, 0]])
    for seed in (0, 1):
        person = folder / f"synthetic-{seed:04}"
        write_synthetic_brain(person, CorticalSurfaces(*kinds), seed, Scanner(), spacing=3.0)
        (person / "label").mkdir()
        for side in ("lh", "rh"):
            name = person / "label" / f"{side}.aparc.annot"
            nib.freesurfer.write_annot(name, labels, colors, [b"front", b"back"], fill_ctab=True)
    return folder


@pytest.fixture(scope="session")
def _synthetic_person(synthetic_people):
    from monai_cortex.data.synthesis_subjects import synthesis_subjects
    from monai_cortex.transforms.cortex_preprocessing import cortex_preprocessing

    return cortex_preprocessing()(synthesis_subjects(synthetic_people)[0])


@pytest.fixture
def synthetic_person(_synthetic_person):
    """The first of the people, as the networks of Cor2Vox see it."""
    return dict(_synthetic_person)


@pytest.fixture(scope="session")
def write_cortices():
    """Write smooth people, two numbers or more each, as subject folders; vertices at directions, spheres if named."""
    from monai_cortex.data.freesurfer import write_surface_geometry
    from monai_cortex.geometry.icosphere import icosphere

    def places(way, numbers, side):
        x, y, z = way.T
        a, b = numbers[:2]
        white = (30 * (1 + 0.1 * (a * x * y + b * (z**2 - y**2) + 0.5 * a * z)))[:, None] * way
        middle = way.new_tensor([-45.0 if side == "lh" else 45.0, 3.0, -8.0])
        return white + middle, white * (1.1 + 0.02 * b * y)[:, None] + middle

    def write(folder, people, ways=None, sides=("lh", "rh"), sphere="", level=3):
        for name, numbers in people.items():
            way, faces = icosphere(level) if ways is None else ways
            for side in sides:
                surfaces = dict(zip(("white", "pial"), places(way, numbers, side), strict=True))
                surfaces |= {sphere: 100 * way} if sphere else {}
                for kind, points in surfaces.items():
                    write_surface_geometry(folder / name / "surf" / f"{side}.{kind}", points.numpy(), faces.numpy())
        return folder

    return write


@pytest.fixture(scope="session")
def training():
    """Class of trainings of a tiny network on six random items; three batches of two an epoch."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch finds parts of MONAI, of ignite and of MLflow out of date
        from monai.data import DataLoader, Dataset
        from monai.engines import SupervisedEvaluator, SupervisedTrainer
        from monai.handlers import ValidationHandler

    class Poisoned(torch.nn.Module):
        """A layer that calls a hook before each forward pass, so that something can go wrong there."""

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.2), torch.nn.Linear(4, 1))
            self.hook = lambda: None

        def forward(self, image):
            self.hook()
            return self.layer(image)

    class Training:
        """A trainer on random data with all its parts; the seed is that of the weights."""

        def __init__(self, epochs=2, handlers=(), seed=0, **options):
            images = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
            labels = images.sum(1, keepdim=True)
            data = [
                {"image": image, "label": label, "subject": f"sub-{index:02d}"}
                for index, (image, label) in enumerate(zip(images, labels, strict=True))
            ]
            torch.manual_seed(seed)
            self.network = Poisoned()
            self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.01)
            self.lr_scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, gamma=0.5)
            self.save = {"network": self.network, "optimizer": self.optimizer, "lr_scheduler": self.lr_scheduler}
            self.losses = []
            self.trainer = SupervisedTrainer(
                device="cpu",
                max_epochs=epochs,
                train_data_loader=DataLoader(Dataset(data), batch_size=2, shuffle=True, **options),
                network=self.network,
                optimizer=self.optimizer,
                loss_function=self.loss,
                train_handlers=handlers,
            )

        def loss(self, prediction, label):
            value = torch.nn.functional.mse_loss(prediction, label)
            self.losses.append(value.item())
            return value

        def evaluator(self, handlers=(), **options):
            loader = DataLoader(Dataset([{"image": torch.ones(4), "label": torch.ones(1)}] * 2), batch_size=1)
            return SupervisedEvaluator("cpu", loader, self.network, val_handlers=handlers, **options)

        def validate(self, *handlers, **options):
            """Attach a validator that has one metric, the number of its runs so far."""
            evaluator = self.evaluator(handlers, **options)
            runs = []

            @evaluator.on("EPOCH_COMPLETED")
            def count(engine):
                runs.append(1)
                engine.state.metrics["runs_count"] = len(runs)

            ValidationHandler(1, evaluator).attach(self.trainer)
            return evaluator

    return Training


@pytest.fixture
def child():
    """Run a function in a forked process, which starts at once; gives its process id."""
    pids = []

    def start(action):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                action()
                code = 0
            except SystemExit as stop:
                code = stop.code
            finally:
                os._exit(code)
        pids.append(pid)
        return pid

    yield start
    for pid in pids:
        try:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        except OSError:
            continue


@pytest.fixture(scope="session")
def mark():
    """Let an engine make a file at the end of an iteration, to be waited for."""

    from ignite.engine import Events

    def at(engine, iteration, path):
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=iteration), lambda _: path.touch())

    return at


@pytest.fixture(scope="session")
def wait():
    """Wait until a condition holds."""

    def until(condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return until


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The path of a database with tables and no runs; making one takes seconds, copying it none."""
    import warnings

    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlruns.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def write_pairs():
    """Write subjects of heart registration, so small that one takes half a second; numbers are seeds, too."""
    import numpy as np

    from monai_cortex.data import write_volume

    def write(folder, numbers, shape=(16, 16, 8)):
        grid = np.indices(shape) - np.array(shape)[:, None, None, None] // 2
        for number in numbers:
            noise = np.random.default_rng(number).random(shape)
            for name, size in (("fixed", 3.0), ("moving", 3.5)):
                image = 100 * np.exp(-(grid**2).sum(0) / (2 * size**2)) + noise
                write_volume(folder / f"sub-{number:02d}" / f"{name}.nii.gz", image, np.diag([1.5, 1.5, 3.15, 1]))
        return folder

    return write


class _Fork:
    """A worker that is forked from this process, which has torch and MONAI in memory; a new one takes ten seconds."""

    def __init__(self, words, environment):
        requests, self.stdin, self.stdout, answers = (*os.pipe(), *os.pipe())
        self.code = None
        self.pid = os.fork()
        if not self.pid:
            self._serve(requests, answers, words, environment)
        os.close(requests)
        os.close(answers)
        self.stdin, self.stdout = os.fdopen(self.stdin, "w"), os.fdopen(self.stdout)

    def _serve(self, requests, answers, words, environment):
        from monai_cortex.cohort.worker import serve

        code = 1
        try:
            os.setsid()
            os.close(self.stdin)
            os.close(self.stdout)
            os.dup2(words.fileno(), 2)
            os.dup2(2, 1)
            os.environ.update(environment)
            warnings.simplefilter("ignore")
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            serve(os.fdopen(requests), os.fdopen(answers, "w"))
            code = 0
        finally:
            os._exit(code)

    def kill(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout=None):
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code


@pytest.fixture
def forked_workers(monkeypatch):
    """Let cohorts fork their workers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai_cortex.cohort import method_session, worker_process
    assert method_session
    start = lambda self: _Fork(self._words, self._environment)  # noqa: E731
    monkeypatch.setattr(worker_process.WorkerProcess, "_spawn", start)


@pytest.fixture
def small_pictures(monkeypatch):
    """Draw next to nothing: the pictures take nine tenths of a small subject's time."""
    from matplotlib.figure import Figure

    module = "monai_cortex.handlers.image_registration_writer"
    monkeypatch.setattr(f"{module}.image_registration_figure", lambda _: Figure((0.1, 0.1)))


@pytest.fixture
def cohort(forked_workers, small_pictures):
    """Call the command for registration without its slow parts; gives an answer with exit_code and output."""
    from click.testing import CliRunner

    from monai_cortex.__main__ import main

    quick = ("refine=false", "spacing=null", "roi=null", "labels=null", "track=false")

    def call(*words, overrides=quick):
        options = [word for text in overrides for word in ("--override", text)]
        command = ["cohort", "fsdiffreg_cardiac", *map(str, words), "--device", "cpu", *options]
        return CliRunner().invoke(main, command)

    return call


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Install distributions for one test: entry points by group, and files by path."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def install(name, groups, files=()):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"[monai_cortex.{group}]\n{entry}\n" for group, entry in groups.items()]
        (info / "entry_points.txt").write_text("".join(lines))
        for path, text in dict(files).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        importlib.invalidate_caches()
        registry._installed.cache_clear()
        return folder

    yield install
    registry._installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
