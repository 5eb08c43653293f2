import pytest

from monai_cortex.data.surface_names import gifti_files, hemisphere_of, is_gifti


@pytest.mark.parametrize(
    ("name", "hemisphere"),
    [
        ("lh.sphere", "lh"),
        ("some/rh.folder/lh.sphere", "lh"),
        ("rh.sphere.left_right", "rh"),
        ("lh.sphere.mcx.reg.surf.gii", "lh"),
        ("sub-1_hemi-L_sphere.surf.gii", "lh"),
        ("sub-1_hemi-R.surf.gii", "rh"),
        ("sub-R_hemi-L_sphere.surf.gii", "lh"),
        ("100307.R.sphere.32k_fs_LR.surf.gii", "rh"),
        ("L.sphere.surf.gii", "lh"),
        ("sphere_left.gii.gz", "lh"),
        ("sulc.right.gii.gz", "rh"),
        ("fsaverage5.sphere", ""),
        ("LH_RH_mean.txt", "lh"),
        ("fs_LR.sphere.gii", ""),
        ("leftover.gii", ""),
        ("", ""),
    ],
)
def test_hemisphere_of_a_name(name, hemisphere):
    assert hemisphere_of(name) == hemisphere


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.gii", True), ("a.surf.gii.gz", True), ("A.GII", True), ("a.gii.txt", False), ("gii", False)],
)
def test_names_of_gifti_files(name, expected):
    assert is_gifti(name) is expected


NAMES = [
    "L.sphere.surf.gii",
    "x.L.sphere.native.surf.gii.gz",
    "hemi-L_sphere.gii",
    "R.sphere.surf.gii",
    "L.sphere.reg.surf.gii",
    "L.sphere.MSMAll.surf.gii",
    "L.sphere.rot.native.surf.gii",
    "hemi-L_desc-msmsulc_sphere.surf.gii",
    "hemi-L_space-fsLR_desc-reg_sphere.surf.gii",
    "L.sphere.shape.gii",
    "L.hemisphere.surf.gii",
    ".L.sphere.surf.gii",
    "L.sphere.surf.gii.json",
    "L.inflated.surf.gii",
    "L.very_inflated.surf.gii",
    "lh.inflated.H.shape.gii",
    "L.sulc.shape.gii",
    "L.sulc.func.gii",
]


@pytest.mark.parametrize(
    ("quantity", "kinds", "expected"),
    [
        ("sphere", ("surf",), [NAMES[0], NAMES[2], NAMES[1]]),
        ("inflated", ("surf",), ["L.inflated.surf.gii"]),
        ("inflated.H", ("shape", "func"), ["lh.inflated.H.shape.gii"]),
        ("sulc", ("shape",), ["L.sulc.shape.gii"]),
        ("sulc", ("shape", "func"), ["L.sulc.func.gii", "L.sulc.shape.gii"]),
        ("curv", ("shape",), []),
    ],
)
def test_files_of_a_quantity(tmp_path, quantity, kinds, expected):
    for name in NAMES:
        (tmp_path / name).touch()
    assert [path.name for path in gifti_files(tmp_path, "lh", quantity, kinds)] == expected
    assert gifti_files(tmp_path / "missing", "lh", quantity, kinds) == []
