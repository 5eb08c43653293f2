from monai_cortex import __version__
from monai_cortex.demo.screen import introduce, readable, show_table
from monai_cortex.visualize import Table


def test_introduction_says_what_runs_where(tmp_path, capsys):
    introduce(tmp_path / "out")
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"monai_cortex {__version__}, Python ")
    assert "no network used" in first
    assert second == f"results go to {tmp_path / 'out'}"


def test_paths_are_shown_from_the_working_folder_on(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert readable(tmp_path / "a" / "b").as_posix() == "b"
    assert readable(tmp_path / "c") == tmp_path / "c"


def test_table_is_aligned_words_to_the_left_numbers_to_the_right(capsys):
    show_table(Table(["method", "status", "time [s]"], [["long name", "done", 1.0], ["x", "failed", 123.45]], "All."))
    assert capsys.readouterr().out.splitlines() == [
        "method     status  time [s]",
        "---------  ------  --------",
        "long name  done         1.0",
        "x          failed     123.5",
        "All.",
        "",
    ]
