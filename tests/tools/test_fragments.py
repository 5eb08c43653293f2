"""The shared fragments of configs/ do in the stock MONAI client what they are there for."""

import copy
import inspect
import json
import logging
import socket
import warnings

import pytest
import torch

import monai_cortex.handlers
from monai_cortex.data import read_config
from monai_cortex.zoo.lint import wrong_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.bundle import ConfigWorkflow
    from monai.bundle.scripts import verify_metadata

    from monai_cortex.data import OwnItems

ROLES = {"trainer": "train::handlers", "validator": "validate::handlers", "evaluator": "handlers"}
TENSOR = {
    "type": "image",
    "format": "magnitude",
    "modality": "MR",
    "num_channels": 1,
    "spatial_shape": ["16*n", "*", 8],
    "dtype": "float32",
    "value_range": [0, 1],
    "is_patch_data": True,
    "channel_def": {"0": "signal"},
}
TEXTS = ("name", "task", "description", "authors", "copyright", "intended_use", "data_source")
METADATA = {
    **dict.fromkeys(TEXTS, "text"),
    "schema": "https://project-monai.github.io/schema/meta_schema_20240725.json",
    "version": "0.1.0",
    "changelog": {"0.1.0": "first version"},
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0",
    "numpy_version": "2.4.6",
    "required_packages_version": {"nibabel": "5.4.2"},
    "references": ["a paper"],
    "network_data_format": {"inputs": {"image": TENSOR}, "outputs": {"pred": TENSOR}},
}


@pytest.fixture(autouse=True)
def quiet():
    """Undo what a logging.conf does to the root logger; MONAI warns on purpose that configs are code."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def settings(repository):
    return json.loads((repository / "configs" / "mlflow.json").read_text())


@pytest.fixture
def workflow(tmp_path, repository):
    """Build the stock workflow of a small bundle in a temporary folder."""

    def build(config, overlays=(), **options):
        configs = tmp_path / "bundle" / "configs"
        configs.mkdir(parents=True, exist_ok=True)
        (configs / "train.json").write_text(json.dumps(config))
        (configs / "metadata.json").write_text(json.dumps(METADATA))
        (configs / "logging.conf").write_text((repository / "configs" / "logging.conf").read_text())
        return ConfigWorkflow([str(configs / "train.json"), *overlays], workflow_type=None, **options)

    return build


def engines(output_dir):
    config = {"bundle_root": ".", "output_dir": output_dir, "evaluator": {"a": 1}, "handlers": []}
    return {**config, "train": {"trainer": {"a": 1}}, "validate": {"evaluator": {"a": 1}, "handlers": []}}


def handlers_of(built, role):
    built.initialize()
    place = {"trainer": "train::trainer::train_handlers"}.get(role, ROLES[role])
    return built.parser.get_parsed_content(place)


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("form", [str, lambda path: f"${str(path)!r}"], ids=["plain", "expression"])
def test_tracking_adds_our_handler_to_every_engine(workflow, settings, tmp_path, role, form):
    recorder = copy.deepcopy(settings)
    recorder["configs"][role]["_target_"] = "builtins.dict"  # the handler's arguments instead of the handler
    output = tmp_path / "out"
    built = workflow(engines(form(output)), tracking=recorder, tracking_uri="http://127.0.0.1:1")
    (arguments,) = handlers_of(built, role)
    written = [str(path) for path in output.glob("config_*.json")]
    assert [arguments.pop("config")] == written if role != "validator" else "config" not in arguments
    assert arguments == {
        "output_dir": str(output),
        "bundle_root": ".",
        "tracking_uri": "http://127.0.0.1:1",
        "experiment": "monai_cortex",
        "run_prefix": None,
        "tags": {"bundle_version": "0.1.0"},
    }


@pytest.mark.parametrize("role", list(ROLES))
def test_tracking_is_off_on_other_ranks(workflow, settings, tmp_path, role):
    built = workflow(engines(str(tmp_path)), tracking=settings, is_not_rank0=True)
    assert handlers_of(built, role) == []


def test_handler_takes_what_the_settings_give(settings):
    known = inspect.signature(monai_cortex.handlers.MLflowRun).parameters
    for role in ROLES:
        component = settings["configs"][role]
        assert component["_target_"] == "monai_cortex.handlers.MLflowRun"
        assert {name for name in component if not name.startswith("_")} <= set(known)


def test_logging_prints_to_the_console(workflow, tmp_path, capsys):
    workflow(engines(str(tmp_path)))
    logging.getLogger("somewhere").info("hello")
    assert "INFO somewhere: hello" in capsys.readouterr().out
    assert not [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]


@pytest.fixture
def verify(tmp_path, repository):
    def check(**changes):
        path = tmp_path / "metadata.json"
        path.write_text(
            json.dumps({name: value for name, value in {**METADATA, **changes}.items() if value is not None})
        )
        verify_metadata(meta_file=str(path), filepath=str(repository / "configs" / "schema.json"))

    return check


def test_schema_accepts_good_metadata(verify):
    verify(eval_metrics={"mean_dice": 0.9})


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in METADATA if name != "schema"),
        {"schema": "http://example.org/schema.json"},
        {"version": "1.0"},
        {"monai_version": "1.6"},
        {"task": "???"},
        {"task": ""},
        {"changelog": {}},
        {"changelog": {"next": "text"}},
        {"references": "a paper"},
        {"required_packages_version": {"nibabel": "latest"}},
        {"eval_metrics": {"mean_dice": "good"}},
        {"network_data_format": {"inputs": {"image": TENSOR}}},
        {"network_data_format": {"inputs": {}, "outputs": {"pred": TENSOR}}},
        {"network_data_format": {"inputs": {"image": {**TENSOR, "dtype": "float"}}, "outputs": {"pred": TENSOR}}},
        {"network_data_format": {"inputs": {"image": {"type": "image"}}, "outputs": {"pred": TENSOR}}},
    ],
    ids=str,
)
def test_schema_refuses_bad_metadata(verify, change):
    with pytest.raises(ValueError, match="Failed validating"):
        verify(**change)


def test_smoke_overlay_is_small(repository):
    overlay = json.loads((repository / "configs" / "smoke.json").read_text())
    assert overlay["num_workers"] == 0
    assert max(overlay[name] for name in ("epochs", "val_interval", "steps")) <= 2


@pytest.mark.parametrize("name", ["mlflow.json", "multi_gpu_train.json", "smoke.json"])
def test_fragments_keep_the_rules_for_configs(repository, name):
    content = read_config(repository / "configs" / name)
    assert list(wrong_in(content.get("configs", content))) == []


@pytest.fixture
def one_process(monkeypatch):
    """The environment that torchrun gives to the only process of a group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", **address}.items():
        monkeypatch.setenv(name, value)
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_multi_gpu_overlay_joins_and_leaves_the_group(workflow, repository):
    data = {"_target_": "monai.data.Dataset", "data": [1, 2, 3]}
    part = {"dataset": data, "dataloader": {"_target_": "monai.data.DataLoader", "dataset": data}}
    network = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}
    base = {"device": "cpu", "network_def": network, "network": "@network_def", "track": True}
    config = {**base, "validate": part, "finalize": []}
    built = workflow(config, overlays=[str(repository / "configs" / "multi_gpu_train.json")], use_cuda=False)
    built.initialize()
    get = built.parser.get_parsed_content
    assert isinstance(get("network"), torch.nn.parallel.DistributedDataParallel)
    assert torch.distributed.get_backend() == "gloo"
    assert get("device") == torch.device("cpu")
    assert get("is_distributed") is True
    assert isinstance(get("validate::dataloader").sampler, OwnItems)
    assert get("track") is True
    built.finalize()
    assert not torch.distributed.is_initialized()
