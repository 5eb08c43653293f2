import re


def test_fit_and_comparison_are_shown(show, tmp_path):
    code, text = show(tmp_path, steps=1, shd_deconvolution=())
    assert code == 0
    rows = re.findall(r"^(SHD-TV, adapted|CSD \(dipy\)) +([\d.]+) +([\d.]+|n/a) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["SHD-TV, adapted", "CSD (dipy)"]
    assert float(rows[0][1]) < float(rows[1][1]) < 15
    assert re.search(rf"^shd_deconvolution .* {rows[0][1]} +{rows[1][1]} \(CSD\) .* done$", text, re.MULTILINE)
    assert (tmp_path / "shd_deconvolution" / "small_64D" / "wmfod.nii.gz").is_file()
