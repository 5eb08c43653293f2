import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.handlers.privacy import data_name, flat_parameters, host_name, is_path, scrub

CANARY = "Doe^Jane"


@pytest.mark.parametrize(
    "text", ["/a", "/a/b c", "~/a", "a/b", "../a", "..", "C:\\a", "c:/a", "file:///a", "\\\\host\\a"]
)
def test_paths_are_told(text):
    assert is_path(text)


@pytest.mark.parametrize("text", ["cuda:0", "lh", "monai_cortex.networks.nets.A", "1.5", "ed2es", "a b", "mean"])
def test_other_texts_are_no_paths(text):
    assert not is_path(text)


@pytest.mark.parametrize("root", ["/", "/data/", "~/", "C:\\", "D:/x/", "file:///", "../", "a/../../", "\\\\host\\x\\"])
@pytest.mark.parametrize(
    "shape",
    [
        "{}",
        "$'{}'",
        '$open("{}")',
        "$f(x, '{} II/dwi.nii.gz')",
        "see '{}' there",
    ],
)
def test_absolute_paths_do_not_leave(root, shape):
    if "../" in root and shape != "{}":
        return
    text = shape.format(f"{root}{CANARY}/dwi.nii.gz")
    assert CANARY not in json.dumps(scrub({"a": [{"b": text}]}))


@pytest.mark.parametrize("text", [f"see (/data/{CANARY})", f"--x=/data/{CANARY}/a b", f"$f(/data/{CANARY}/x)"])
def test_bare_paths_within_a_text_do_not_leave(text):
    assert CANARY not in scrub(text)


@pytest.mark.parametrize(
    "value",
    [
        "$@bundle_root + '/models/model.pt'",
        "$@output_dir+'/x.json'",
        "@network",
        "monai.engines.SupervisedTrainer",
        "$1 / 2",
        "$@steps // @epochs",
        "sub-01/dwi.nii.gz",
        "s/mm^2, 0 first",
        0.5,
        True,
        None,
        [1, "lh"],
    ],
)
def test_everything_else_stays(value):
    assert scrub({"key": value}) == {"key": value}


def test_objects_and_the_data_folder_are_replaced(tmp_path):
    kept = scrub({"network": object(), "place": tmp_path, "dataset_dir": "Doe", "x": {"dataset_dir": "$f()"}})
    assert kept["network"] == "<object>"
    assert kept["place"] == "<path>"
    assert kept["dataset_dir"].startswith("sha256:")
    assert kept["x"]["dataset_dir"] == "$f()"


def test_data_is_named_by_its_subjects_not_by_its_place(tmp_path):
    names = []
    for place, subjects in (("a", "12"), ("b", "12"), ("c", "13")):
        for subject in subjects:
            (tmp_path / place / subject).mkdir(parents=True)
        names.append(data_name(str(tmp_path / place)))
    assert names[0] == names[1] != names[2]
    assert len(names[0]) == len("sha256:") + 12


@pytest.mark.parametrize("folder", [None, "$f()", "@x", {"_target_": "a"}])
def test_data_that_is_no_folder_is_the_default(folder):
    assert data_name(folder) == "default"


def test_host_is_not_told(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "a")
    first = host_name()
    monkeypatch.setattr("socket.gethostname", lambda: "b")
    assert len(first) == 12
    assert host_name() != first


def test_parameters_are_the_scalars():
    config = {
        "_desc_": {"a": "b"},
        "_meta_": {"version": "1"},
        "seed": 1,
        "learning_rate": 1e-3,
        "resume": False,
        "direction": "ed2es",
        "roi_size": [96, 96, 96],
        "channels": list(range(9)),
        "atrophy_labels": [1, 2],
        "device": "$'cpu'",
        "network": "@x",
        "dataset_dir": "relative",
        "output_dir": "out",
        "datalist": ["Doe"],
        "participant_label": "Doe",
        "weights": "a/b.pt",
        "note": "x" * 101,
        "object": object(),
        "network_def": {"_target_": "a.B", "nside": 4, "_mode_": "callable"},
        "loss": {"_target_": "c.D", "weight": 0.5},
        "train": {"handlers": [{"_target_": "e.F", "interval": 2}, "@x"]},
    }
    assert flat_parameters(config) == {
        "seed": "1",
        "learning_rate": "0.001",
        "resume": "False",
        "direction": "ed2es",
        "roi_size": "[96, 96, 96]",
        "atrophy_labels": "[1, 2]",
        "network_def._target_": "a.B",
        "network_def.nside": "4",
        "loss.weight": "0.5",
        "train.handlers.0.interval": "2",
    }


@given(st.recursive(st.text() | st.integers(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)))
def test_no_absolute_path_survives_anywhere(value):
    config = {"a": value, "b": {"c": ["/x/secret", value]}}
    assert "secret" not in json.dumps(scrub(config))
    assert not any("secret" in text or text.startswith(("/", "~")) for text in flat_parameters(config).values())
