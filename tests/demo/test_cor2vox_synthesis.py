import re

SMALL = ("--spacing", "4", "--num_inference_steps", "1")


def test_surfaces_and_atrophy_are_shown(show, tmp_path):
    code, text = show(tmp_path, cor2vox_synthesis=SMALL)
    assert code == 0
    found = re.findall(r"^(white|pial) +([\d.]+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in found] == ["white", "pial"]
    assert all(float(row[1]) < 3 for row in found)
    assert re.search(r"^dose 0.5 mm +0.\d+ +[\d.-]+ +[\d.]+$", text, re.MULTILINE)
    for name in ("synth_T1w", "atrophy-0.50mm_T1w", "white_sdf"):
        assert (tmp_path / "cor2vox_synthesis" / "fsaverage5" / f"{name}.nii.gz").is_file()


def test_whole_demonstration_finds_the_surfaces_within_a_fraction_of_a_voxel(whole, show, tmp_path):
    code, text = show(tmp_path, cor2vox_synthesis=())
    assert code == 0
    assert float(re.search(r"surfaces found again within \[mm\] +([\d.]+)", text)[1]) < 0.3
