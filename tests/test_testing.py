import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_cortex import testing
from monai_cortex.plugins import Method, available
from monai_cortex.testing import assert_equivariant, assert_pair_agrees, check_bundle, check_method

BUNDLES = Path(__file__).parents[1] / "bundles"
COMMON = ["bundle_root", "dataset_dir", "output_dir", "device", "seed", "num_workers"]
TRAIN = [*COMMON, "epochs", "val_interval", "learning_rate", "batch_size", "resume"]
CONFIGS = ["metadata", "train", "inference", "evaluate", "multi_gpu_train", "mlflow"]
FILES = [*(f"configs/{name}.json" for name in CONFIGS), "configs/logging.conf", "models/model.pt", "docs/README.md"]
IMAGE = torch.linspace(-1, 1, 8).reshape(1, 2, 4)


class Scale:
    def __init__(self, factor=2.0):
        self.factor = factor

    def __call__(self, image):
        return image * self.factor


class Scaled:
    def __init__(self, *keys, factor=2.0, extra=None):
        self.keys, self.transform, self.extra = keys, Scale(factor), extra or {}

    def __call__(self, data):
        return {**data, **{key: self.transform(data[key]) for key in self.keys}, **self.extra}


class Noise:
    def set_random_state(self, seed):
        self.random = np.random.default_rng(seed)

    def __call__(self, image):
        return image + self.random.normal(size=image.shape)


class Noised(Noise):
    def __call__(self, data):
        return {**data, "image": super().__call__(data["image"])}


class Opaque:
    pass


def data():
    return {
        "image": IMAGE.clone(),
        "second": IMAGE.numpy().copy(),
        "name": "a",
        "parts": [1, {"x": None}],
        "o": Opaque(),
    }


def test_a_true_pair_passes():
    assert_pair_agrees(Scale(), Scaled("image"), data(), "image")
    assert_pair_agrees(Scale(), Scaled("image", "second"), data(), "image", "second")
    assert_pair_agrees(Scale(), Scaled("image", extra={"new": 1}), data(), "image")


def test_a_random_pair_is_seeded_alike():
    assert_pair_agrees(Noise(), Noised(), {"image": np.zeros(100)}, "image")
    unseeded = lambda given: {"image": given["image"] + np.random.default_rng(1).normal(size=100)}  # noqa: E731
    with pytest.raises(AssertionError, match="disagree on 'image'"):
        assert_pair_agrees(Noise(), unseeded, {"image": np.zeros(100)}, "image")


@pytest.mark.parametrize(
    ("dictionary_transform", "sentence"),
    [
        (Scaled("image", factor=2.0001), "disagree on 'image'"),
        (lambda given: {**given, "image": (2 * given["image"]).double()}, "disagree on 'image'.*dtype"),
        (lambda given: {**given, "image": (2 * given["image"]).numpy()}, "disagree on 'image'.*ndarray"),
        (lambda given: {**given, "image": 2 * given["image"][..., :1]}, "disagree on 'image'.*shape"),
        (Scaled("image", extra={"name": "b"}), "touches 'name'"),
        (Scaled("image", extra={"parts": [1, {"x": 0}]}), "touches 'parts'.*at 1: at 'x'"),
        (Scaled("image", extra={"parts": [1]}), "touches 'parts'"),
        (Scaled("image", "second"), "touches 'second'"),
        (lambda given: {"image": 2 * given["image"]}, "drops the key 'second'"),
        (lambda given: {**given, "image": given["image"].mul_(2)}, "changes its input in place"),
    ],
)
def test_a_false_pair_fails(dictionary_transform, sentence):
    with pytest.raises(AssertionError, match=sentence):
        assert_pair_agrees(Scale(), dictionary_transform, data(), "image")


def test_a_pair_needs_a_key():
    with pytest.raises(AssertionError, match="name at least one key"):
        assert_pair_agrees(Scale(), Scaled(), data())


def test_the_tolerance_is_the_callers():
    assert_pair_agrees(Scale(), Scaled("image", factor=2.0001), data(), "image", tolerance=1e-3)


def roll(x):
    return x.roll(1, -1)


def test_a_circular_convolution_commutes_with_a_shift():
    torch.manual_seed(0)
    kernel = torch.randn(1, 1, 3)
    x = torch.randn(2, 1, 9)
    assert_equivariant(
        lambda y: torch.nn.functional.conv1d(torch.nn.functional.pad(y, (1, 1), mode="circular"), kernel), x, roll, roll
    )
    assert_equivariant(lambda y: y.sum(-1), torch.randn(2, 3, 9), roll, lambda y: y)
    with pytest.raises(AssertionError, match="not equivariant: relative difference"):
        assert_equivariant(lambda y: torch.nn.functional.conv1d(y, kernel, padding=1), x, roll, roll)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_tolerance_is_relative_to_the_output(scale):
    x = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
    bump = torch.tensor([1e-3, 0.0, 0.0], dtype=torch.float64)
    assert_equivariant(lambda y: scale * (y + bump), x, roll, roll, tolerance=1.1e-3)
    with pytest.raises(AssertionError, match=r"9\.99e-04, tolerance 9\.00e-04"):
        assert_equivariant(lambda y: scale * (y + bump), x, roll, roll, tolerance=9e-4)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (torch.zeros_like, "the output is zero"),
        (lambda y: y / 0, "not finite"),
        (lambda y: y[y > y[0]], "different shapes"),
    ],
)
def test_an_output_that_proves_nothing_fails(module, sentence):
    with pytest.raises(AssertionError, match=sentence):
        assert_equivariant(module, torch.tensor([1.0, 2.0, 3.0]), roll, roll)


def test_equivariance_is_checked_without_a_graph():
    weight = torch.ones(3, requires_grad=True)
    seen = []
    assert_equivariant(lambda y: seen.append(y * weight) or seen[-1], torch.ones(3), roll, roll)
    assert not any(y.requires_grad for y in seen)


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "own_method"
    for file in [*FILES, "LICENSE"]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}" if file.endswith("json") else "see https://ARXIV.org/abs/1234.56789")
    (folder / "configs/train.json").write_text(json.dumps(dict.fromkeys(TRAIN, 1)))
    (folder / "configs/inference.json").write_text(json.dumps(dict.fromkeys(COMMON, 1)))
    return folder


def test_a_complete_bundle_passes(bundle):
    check_bundle(bundle)
    check_bundle(str(bundle))


@pytest.mark.parametrize("file", [*FILES, "LICENSE"])
def test_a_missing_file_is_named(bundle, file):
    (bundle / file).unlink()
    with pytest.raises(AssertionError, match=f"bundle 'own_method' lacks {file}"):
        check_bundle(bundle)


@pytest.mark.parametrize(("config", "key"), [*(("train", key) for key in TRAIN), *(("inference", k) for k in COMMON)])
def test_a_missing_id_is_named(bundle, config, key):
    path = bundle / f"configs/{config}.json"
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps({**content, "network": {key: 1}}))
    with pytest.raises(AssertionError, match=f"{config}.json .* lacks the top-level ids {key}"):
        check_bundle(bundle)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1, "a": 2}', "mlflow.json repeats the keys a"),
        ('{"x": {"a": 1, "b": 0, "a": 2}}', "mlflow.json repeats the keys a"),
        ('{"a": 1,}', "mlflow.json is not JSON"),
        ("[]", "mlflow.json does not hold a JSON object"),
    ],
)
def test_json_must_parse_and_say_each_thing_once(bundle, text, sentence):
    (bundle / "configs/mlflow.json").write_text(text)
    with pytest.raises(AssertionError, match=sentence):
        check_bundle(bundle)


def test_a_scripts_folder_is_refused(bundle):
    (bundle / "scripts").mkdir()
    with pytest.raises(AssertionError, match="has a scripts folder"):
        check_bundle(bundle)


def method(**changes):
    fields = {"name": "own_method", "summary": "s", "network": "torch.nn.Linear", "paper": "arXiv:1234.56789"}
    return Method(**{**fields, "bundle": "own_method", **changes})


def test_a_method_that_keeps_its_promises_passes(bundle):
    check_method(method(), bundle.parent)
    (bundle / "models/model.pt").unlink()
    check_method(method(), bundle.parent)
    (bundle / "docs/README.md").write_text("Published as https://doi.org/10.1000/J.IMAGE.1")
    check_method(method(paper="doi:10.1000/j.image.1"), bundle.parent)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"network": "torch.nn.NoSuchLayer"}, "names torch.nn.NoSuchLayer, which is no class"),
        ({"network": "math.pi"}, "no class or function"),
        ({"network": "monai_cortex.plugins.networks.no_such_net"}, "does not load.*\n?.*no_such_net"),
        ({"name": "own-method"}, "not named by an identifier"),
        ({"summary": " "}, "leaves its summary empty"),
        ({"paper": "doi:10.1000/1"}, r"does not cite 10\.1000/1"),
        ({"bundle": "other"}, "bundle 'other' lacks configs/metadata.json"),
    ],
)
def test_a_broken_promise_is_named(bundle, changes, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_method(method(**changes), bundle.parent)


@pytest.mark.parametrize("file", ["configs/metadata.json", "configs/train.json", "configs/inference.json", FILES[-1]])
def test_a_method_needs_its_bundle(bundle, file):
    (bundle / file).unlink()
    with pytest.raises(AssertionError, match=f"lacks {file}"):
        check_method(method(), bundle.parent)


def test_the_bundle_is_looked_for_in_the_checkout(bundle, monkeypatch):
    monkeypatch.setattr(testing, "_BUNDLES", bundle.parent)
    check_method(method())
    check_method(method(bundle="of_a_third_party"))
    with pytest.raises(AssertionError, match="does not cite"):
        check_method(method(paper="arXiv:0000.00000"))


def test_the_bundle_of_another_distribution_is_looked_for_in_its_package(bundle, distribution, monkeypatch):
    folder = distribution("theirs", {"methods": "own_method = their_package:method"}, {"their_package/__init__.py": ""})
    shutil.copytree(bundle, folder / "their_package" / "bundles" / "own_method")
    monkeypatch.chdir(folder)
    check_method(method())
    with pytest.raises(AssertionError, match="does not cite"):
        check_method(method(paper="arXiv:0000.00000"))


@pytest.mark.parametrize("plugin", available("methods"), ids=lambda plugin: plugin.name)
def test_every_installed_method_keeps_its_promises(plugin):
    check_method(plugin.load(), BUNDLES if plugin.source == "monai_cortex" else None)


@pytest.mark.parametrize("folder", sorted(BUNDLES.glob("*/configs")), ids=lambda path: path.parent.name)
def test_every_shipped_bundle_is_complete(folder):
    check_bundle(folder.parent)
