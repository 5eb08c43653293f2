import re

from monai_cortex.demo import DEMONSTRATIONS


def test_demonstration_prints_commands_table_report_and_where_runs_are(tmp_path, capfd):
    DEMONSTRATIONS["spherical_diffusion_registration"](tmp_path)
    text = capfd.readouterr().out
    assert text.count("$ python -m monai.bundle run --config_file") == 1
    pattern = r"^(networks and optimization|optimization alone) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) +([\d.]+)$"
    rows = re.findall(pattern, text, re.MULTILINE)
    assert [row[0] for row in rows] == ["networks and optimization", "optimization alone"] * 2
    assert all(float(row[1]) > 0.95 and row[4] == "0" for row in rows)
    assert f"report  {tmp_path.resolve()}/report.html" in text
    assert (tmp_path / "fsaverage5_mirrored" / "surf" / "rh.sphere.mcx.reg").is_file()
