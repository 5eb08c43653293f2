"""The command, up to where bundles would be run."""

from click.testing import CliRunner

from monai_cortex.__main__ import main


def test_help_names_the_steps_and_errors_end_with_the_usage_code(write_cortices, tmp_path):
    assert "slerp" in CliRunner().invoke(main, ["trajectory", "--help"]).output
    people = write_cortices(tmp_path / "people", {"a": (1.0, 0.5), "b": (-0.5, 1.0), "c": (0.2, -1.0)}, level=1)
    words = ["trajectory", str(people), "--output-dir", str(tmp_path / "out"), "--target-dir", str(people / "a")]
    answer = CliRunner().invoke(main, [*words, "--subjects", "a,z", "--no-track"])
    assert answer.exit_code == 2
    assert "no subject z" in answer.output
    assert "Traceback" not in answer.output
