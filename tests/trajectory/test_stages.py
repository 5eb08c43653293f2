"""Commands are run once, and again when something changes that their results depend on."""

import pytest

from monai_cortex.trajectory import stages
from monai_cortex.trajectory.stages import Stage, run_stage


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The commands that were run; each leaves a file behind."""
    found = []

    def run(steps):
        found.append(list(steps[0].arguments))
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / f"result-{len(found)}").touch()

    monkeypatch.setattr(stages, "run_steps", run)
    return found


def test_results_stay_until_an_input_or_a_setting_changes(commands, tmp_path):
    file = tmp_path / "lh.sulc"
    file.write_bytes(b"first")

    def stage(seed=0):
        places = {"dataset_dir": tmp_path}
        return Stage("Draw", "cor2vox_synthesis", tmp_path / "out", places, {"seed": seed}, {"a sulc": file})

    assert run_stage(stage(), ["--track", "False"])
    assert not run_stage(stage(), ["--tracking_uri", "elsewhere"])
    assert run_stage(stage(seed=1))
    file.write_bytes(b"other")
    assert run_stage(stage(seed=1))
    assert not run_stage(stage(seed=1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["STAGE.json", "result-3"]
    words = commands[0]
    assert words[words.index("--dataset_dir") + 1] == str(tmp_path)
    assert words[words.index("--output_dir") + 1] == str(tmp_path / "out")
    assert words[-4:] == ["--seed", "0", "--track", "False"]
    (tmp_path / "out" / "STAGE.json").write_text("cut o")
    assert run_stage(stage(seed=1))


def test_a_stage_that_fails_is_run_again(monkeypatch, commands, tmp_path):
    place = Stage("Draw", "cor2vox_synthesis", tmp_path / "out", {}, {}, {})

    def fail(_):
        raise ValueError("planted")

    with monkeypatch.context() as change:
        change.setattr(stages, "run_steps", fail)
        with pytest.raises(ValueError, match="planted"):
            run_stage(place)
    assert run_stage(place)
    assert len(commands) == 1
