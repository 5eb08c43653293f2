import re

SMALL = ("--level", "5", "--network_level", "4", "--refine", "False")


def test_both_hemispheres_are_shown(show, tmp_path):
    code, text = show(tmp_path, spherical_diffusion_registration=SMALL)
    assert code == 0
    rows = re.findall(r"^(left|right) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["left", "right"]
    assert all(float(row[2]) > float(row[1]) > 0.9 and row[5] == "0" for row in rows)
    folder = tmp_path / "spherical_diffusion_registration" / "fsaverage5_mirrored"
    assert (folder / "surf" / "rh.sphere.mcx.reg").is_file()


def test_whole_demonstration_reaches_what_its_page_says(whole, show, tmp_path):
    code, text = show(tmp_path, spherical_diffusion_registration=())
    assert code == 0
    assert float(re.search(r"correlation of sulcal depth +([\d.]+)", text)[1]) > 0.98
