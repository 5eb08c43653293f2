import re

from monai_cortex.demo import DEMONSTRATIONS


def test_demonstration_prints_commands_table_report_and_where_runs_are(tmp_path, capfd):
    DEMONSTRATIONS["shd_deconvolution"](tmp_path, steps=2)
    text = capfd.readouterr().out
    assert text.count("$ python -m monai.bundle run --config_file") == 2
    rows = re.findall(r"^(SHD-TV|CSD \(dipy\)) +([\d.]+) +([\d.]+) +([\d.]+|-) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["SHD-TV", "CSD (dipy)"]
    assert f"report  {tmp_path.resolve()}/report.html" in text
    assert f"mlflow ui --backend-store-uri sqlite:///{str(tmp_path).lstrip('/')}/mlruns.db" in text.replace(
        "////", "///"
    )
    assert (tmp_path / "small_64D" / "wmfod.nii.gz").is_file()
