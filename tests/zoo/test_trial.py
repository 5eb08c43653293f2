"""What only running code shows, in the test's own process; the guard in one of its own, since it cannot be undone."""

import json
from pathlib import Path

import pytest
import torch

from monai_cortex.errors import BundleError, CheckpointError
from monai_cortex.zoo.content import seal
from monai_cortex.zoo.trial import bad_components, bad_network, bad_weights, rebuilt, root_cause, try_bundle

FORMAT = {
    "type": "image",
    "format": "magnitude",
    "num_channels": 1,
    "spatial_shape": [8, 8, 8],
    "dtype": "float32",
    "value_range": [],
    "is_patch_data": False,
    "channel_def": {"0": "x"},
}


def io(**changes):
    return {"network_data_format": {"inputs": {"image": FORMAT}, "outputs": {"pred": FORMAT | changes}}}


def test_good_bundle_has_no_problem(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | io()))
    assert try_bundle(bundle) == []


def test_network_is_held_to_the_metadata(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | io(num_channels=2)))
    (problem,) = bad_network(bundle)
    assert "output channel number `1` doesn't match: `2`" in str(problem)


def test_weights_that_hold_code_are_refused(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    torch.save({"weight": torch.nn.Linear(1, 1)}, bundle / "models" / "model.pt")
    seal(bundle)
    (problem,) = bad_weights(bundle)
    assert isinstance(problem, CheckpointError)
    assert "nothing of it was run" in str(problem)


def test_components_of_one_config(tmp_path):
    config = {"a": {"_target_": "torch.nn.ReLU", "inplace": True}, "b": {"_target_": "torch.device", "type": "cpu"}}
    assert list(bad_components(tmp_path, config)) == []
    (problem,) = bad_components(tmp_path, {"a": {"_target_": "torch.nn.Relu"}})
    assert "torch.nn.ReLU" in str(problem)


def test_problems_survive_the_way_between_processes():
    problem = BundleError("a", file="b", found="c", expected="d", remedy="e")
    (again,) = rebuilt(json.loads(json.dumps([["BundleError", *problem.args]])))
    assert (type(again), str(again)) == (BundleError, str(problem))


def test_root_cause_is_the_first_error():
    def fail():
        try:
            raise KeyError("reason")
        except KeyError as error:
            raise RuntimeError("wrapped") from error

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert repr(root_cause(caught.value)) == "KeyError('reason')"


def test_guarded_process_starts_and_writes_nothing(tmp_path):
    import subprocess
    import sys

    words = f"""
import os, socket, subprocess
from monai_cortex.zoo.trial import guard
guard()
place = {str(tmp_path / "canary")!r}
acts = [lambda: open(place, "w"), lambda: os.system("touch " + place), lambda: subprocess.run(["touch", place]),
    lambda: os.fork(), lambda: socket.create_connection(("127.0.0.1", 9)), lambda: os.remove({__file__!r}),
    lambda: os.posix_spawn("/bin/touch", ["touch", place], {{}}), lambda: open({__file__!r}, "a")]
for act in acts:
    try:
        act()
    except PermissionError as error:
        print("refused", error)
open({__file__!r}).close()
"""
    answer = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert answer.stdout.count("refused") == 8, answer.stdout
    assert not (tmp_path / "canary").exists()


def test_what_libraries_print_is_no_part_of_the_answer():
    """MONAI's loggers keep the standard output that they find when they are imported."""
    import subprocess
    import sys

    bundle = Path(__file__).parents[2] / "bundles" / "fsdiffreg_cardiac"
    words = f"import monai.bundle; from monai_cortex.zoo.trial import main; main([{str(bundle)!r}])"
    answer = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []
    assert "verified with no error" in answer.stderr
