import pytest
import torch

from monai_cortex.data.freesurfer import write_surface_geometry
from monai_cortex.data.gifti_writer import write_gifti_sphere
from monai_cortex.data.hemisphere_file import (
    find_gifti,
    gifti_folders,
    read_hemisphere_surface,
    require_brain_size,
    require_own_side,
    require_side_of_name,
)
from monai_cortex.data.surface_file import SurfaceFile
from monai_cortex.errors import GeometryError, InputFileError


@pytest.fixture
def files(tmp_path):
    def write(*names):
        place = tmp_path / "sub-1"
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"")
        return place

    return write


@pytest.mark.parametrize("folder", ["", "anat/"])
@pytest.mark.parametrize("name", ["L.white.surf.gii", "100307.L.white.32k_fs_LR.surf.gii", "x_hemi-L_white.surf.gii"])
def test_the_file_of_one_hemisphere_and_quantity(files, folder, name):
    others = (
        "R.white.surf.gii",
        "L.pial.surf.gii",
        "L.white.shape.gii",
        "L.white.reg.surf.gii",
        "deep/L.white.surf.gii",
    )
    place = files(folder + name, *others)
    assert find_gifti(place, "lh", "white", ("surf",)) == place / folder / name
    assert find_gifti(place, "rh", "white", ("surf",)) == place / "R.white.surf.gii"
    assert find_gifti(place, "lh", "white", ("shape",)) == place / "L.white.shape.gii"
    assert gifti_folders(place) == (place, place / "anat")


@pytest.mark.parametrize(("side", "letter"), [("lh", "L"), ("rh", "R")])
def test_where_there_is_none_the_pattern_says_what_was_looked_for(files, side, letter):
    place = files("other.txt")
    found = find_gifti(place, side, "pial", ("surf", "shape"))
    assert found == place / f"*.{letter}.pial.surf.gii"
    assert not found.exists()


@pytest.mark.parametrize("second", ["L.white.native.surf.gii", "anat/L.white.surf.gii"])
def test_two_files_for_one_place(files, refused, second):
    place = files("L.white.surf.gii", second, "R.white.surf.gii")
    words = ("sub-1", "L.white", "also L.white", "one file for white and lh", "several files could be the white")
    refused(InputFileError, lambda: find_gifti(place, "lh", "white", ("surf",)), *words)
    assert find_gifti(place, "lh", "white", ("surf",), strict=False) == place / "*.L.white.surf.gii"
    assert find_gifti(place, "rh", "white", ("surf",)).name == "R.white.surf.gii"


def test_both_formats_hold_the_same_surface(tmp_path, ball, volume_info):
    write_surface_geometry(tmp_path / "lh.sphere", ball.vertices, ball.faces, volume_info)
    write_gifti_sphere(tmp_path / "lh.sphere.surf.gii", ball.vertices, ball.faces, "lh")
    for name in ("lh.sphere", "lh.sphere.surf.gii"):
        surface = read_hemisphere_surface(str(tmp_path / name), "sub-1", "lh")
        assert (surface.hemisphere, surface.subject, surface.path) == ("lh", "sub-1", str(tmp_path / name))
        assert torch.equal(surface.mesh.vertices, ball.vertices)
        assert torch.equal(surface.mesh.faces, ball.faces)
    moved = read_hemisphere_surface(tmp_path / "lh.sphere", "", "lh", scanner=True).mesh.vertices
    torch.testing.assert_close(moved, ball.vertices + torch.from_numpy(volume_info["cras"]))


def test_the_other_hemisphere_by_name_or_content(tmp_path, ball, refused):
    write_surface_geometry(tmp_path / "rh.white", ball.vertices, ball.faces)
    # Only the content of this one tells.
    write_gifti_sphere(tmp_path / "sphere.surf.gii", ball.vertices, ball.faces, "rh")
    for name in ("rh.white", "sphere.surf.gii"):
        path = tmp_path / name
        words = (path, "sub-1", "other hemisphere", "found: rh", "expected: lh")
        refused(GeometryError, lambda path=path: read_hemisphere_surface(path, "sub-1", "lh"), *words)
        assert read_hemisphere_surface(path, "sub-1", "rh").hemisphere == "rh"
    write_surface_geometry(tmp_path / "white", ball.vertices, ball.faces)
    assert read_hemisphere_surface(tmp_path / "white", "", "lh").hemisphere == ""


def test_missing_and_foreign_files(tmp_path, ball, refused):
    for name in ("lh.white", "lh.white.surf.gii"):
        path = tmp_path / name
        refused(InputFileError, lambda path=path: read_hemisphere_surface(path, "s", "lh"), path, "does not exist")
    write_surface_geometry(path, ball.vertices, ball.faces)
    refused(InputFileError, lambda: read_hemisphere_surface(path, "sub-1", "lh"), path, "sub-1")


@pytest.mark.parametrize(("side", "sign"), [("lh", -1), ("rh", 1)])
def test_own_side(ball, refused, side, sign):
    def at(middle):
        mesh = ball._replace(vertices=ball.vertices / 5 + torch.tensor([middle, 40.0, -40.0]))
        return SurfaceFile(mesh, "", None, {}, "white", "sub-1")

    # Heads are not quite in the middle of their volumes: up to 5 mm are borne.
    for middle in (30, 0, -4.9):
        require_own_side(at(sign * middle), side)
    words = ("white", "sub-1", "other side of the brain", f"x = {-sign * 5.1:.1f} mm", f"{side} on its own side")
    refused(GeometryError, lambda: require_own_side(at(sign * -5.1), side), *words)


@pytest.mark.parametrize("factor", [1e-3, 10.0])
def test_size_of_a_brain(ball, refused, factor):
    def sized(extent):
        return SurfaceFile(ball._replace(vertices=ball.vertices / 200 * extent), "", None, {}, "white", "sub-1")

    for extent in (8, 150, 480):
        require_brain_size(sized(extent))
    refused(
        GeometryError,
        lambda: require_brain_size(sized(100 * factor)),
        "white",
        "sub-1",
        "not mm",
        f"{100 * factor:g} mm",
    )


@pytest.mark.parametrize("name", ["rh.sulc", "a.R.sulc.shape.gii", "hemi-R_sulc.shape.gii"])
def test_side_of_a_name(refused, name):
    require_side_of_name(f"lh.folder/{name}", "sub-1", "rh")
    words = (name, "sub-1", "by its name", "found: rh", "expected: lh")
    refused(GeometryError, lambda: require_side_of_name(f"lh.folder/{name}", "sub-1", "lh"), *words)


@pytest.mark.parametrize("side", ["lh", "rh"])
def test_a_name_that_tells_no_side_passes(side):
    require_side_of_name("rh.folder/sulc", "sub-1", side)
