import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.data.surface_checks import (
    check_sphere,
    check_surface,
    measure_sphere,
    require_hemisphere,
    require_same_vertices,
)
from monai_cortex.data.surface_file import SurfaceFile
from monai_cortex.errors import GeometryError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh

FILE, SUBJECT = "some/lh.sphere", "sub-1"
SPHERE = icosphere(3)
MIRROR = torch.tensor([-1.0, 1, 1])


def moved(mesh, vertex, place):
    vertices = mesh.vertices.clone()
    vertices[vertex] = torch.as_tensor(place, dtype=vertices.dtype)
    return Mesh(vertices, mesh.faces)


def with_faces(mesh, change):
    faces = mesh.faces.clone()
    return Mesh(mesh.vertices, change(faces))


def set_face(faces, face, corners):
    faces[face] = torch.tensor(corners)
    return faces


def flip(faces, which):
    faces[which] = faces[which].flip(-1)
    return faces


def with_points(mesh, *points):
    return Mesh(torch.cat([mesh.vertices, torch.tensor(points, dtype=torch.float64)]), mesh.faces)


def two(mesh):
    shifted = mesh.vertices + torch.tensor([500.0, 0, 0])
    return Mesh(torch.cat([mesh.vertices, shifted]), torch.cat([mesh.faces, mesh.faces + len(mesh.vertices)]))


def split(mesh):
    """The corner of one face becomes a vertex of its own: the same shape, with a slit."""
    faces = mesh.faces.clone()
    corner = int(faces[0, 0])
    faces[0, 0] = len(mesh.vertices)
    return Mesh(torch.cat([mesh.vertices, mesh.vertices[corner : corner + 1]]), faces)


DAMAGED = {
    "NaN": (lambda m: moved(m, 5, [np.nan, 0, 0]), ("vertex 5", "finite")),
    "infinite": (lambda m: moved(m, 5, [0, np.inf, 0]), ("vertex 5",)),
    "index too large": (lambda m: with_faces(m, lambda f: set_face(f, 9, [0, 1, 162])), ("face 9: index 162",)),
    "index negative": (lambda m: with_faces(m, lambda f: set_face(f, 9, [0, 1, -1])), ("face 9: index -1", "0 to 161")),
    "face lost": (lambda m: with_faces(m, lambda f: f[1:]), ("Euler characteristic 1", "3 open edges")),
    "half lost": (lambda m: with_faces(m, lambda f: f[:160]), ("Euler characteristic", "open edges", "unreferenced")),
    "two pieces": (two, ("Euler characteristic 4", "2 pieces")),
    "unreferenced vertex": (lambda m: with_points(m, [1, 2, 3]), ("1 vertices without a face",)),
    "slit": (split, ("open edges",)),
    "degenerate face": (lambda m: with_faces(m, lambda f: set_face(f, 9, [4, 4, 5])), ("degenerate",)),
    "face twice": (lambda m: with_faces(m, lambda f: torch.cat([f, f[:1]])), ("non-manifold",)),
    "one flipped": (lambda m: with_faces(m, lambda f: flip(f, [7])), ("3 edges", "inconsistent winding")),
    "half flipped": (lambda m: with_faces(m, lambda f: flip(f, slice(160))), ("inconsistent winding",)),
    "all flipped": (lambda m: with_faces(m, lambda f: f.flip(1)), ("inside out", "hemisphere", "signed volume -")),
    "mirrored": (lambda m: Mesh(m.vertices * MIRROR, m.faces), ("mirrored", "hemisphere")),
    "flat": (lambda m: Mesh(m.vertices * torch.tensor([1.0, 1, 0]), m.faces), ("signed volume",)),
}


@pytest.mark.parametrize("check", [check_surface, check_sphere])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_surfaces_are_refused(ball, refused, name, check):
    damage, words = DAMAGED[name]
    mesh = damage(ball)
    before = mesh.vertices.clone()
    refused(GeometryError, lambda: check(mesh, FILE, SUBJECT), FILE, SUBJECT, *words)
    surface = SurfaceFile(mesh, "", np.zeros(3), {}, "other/lh.white", "sub-2")
    refused(GeometryError, lambda: check(surface), "other/lh.white", "sub-2", *words)
    refused(GeometryError, lambda: check(surface, FILE, SUBJECT), FILE, SUBJECT, *words)
    assert torch.equal(torch.nan_to_num(mesh.vertices), torch.nan_to_num(before))


@pytest.mark.parametrize("name", ["face lost", "half lost", "two pieces", "unreferenced vertex", "all flipped", "flat"])
def test_open_surfaces_pass_where_they_may(ball, name):
    mesh = DAMAGED[name][0](ball)
    found = check_surface(mesh, closed=False)
    assert (found.vertices, found.faces) == (len(mesh.vertices), len(mesh.faces))


@pytest.mark.parametrize("name", ["NaN", "index too large", "degenerate face", "face twice", "one flipped"])
def test_open_surfaces_may_not_be_damaged(ball, refused, name):
    refused(GeometryError, lambda: check_surface(DAMAGED[name][0](ball), FILE, SUBJECT, closed=False), FILE, SUBJECT)


def test_handles_pass_where_they_may(refused):
    """A torus of 7 vertices, each of which neighbors all others."""
    faces = [[(i + a) % 7, (i + b) % 7, (i + c) % 7] for i in range(7) for a, b, c in ((0, 1, 3), (0, 3, 2))]
    angle = torch.arange(7) * 2 * torch.pi / 7
    torus = Mesh(torch.stack([angle.cos(), angle.sin(), 0.3 * (3 * angle).cos()], 1).double(), torch.tensor(faces))
    refused(
        GeometryError, lambda: check_surface(torus, FILE, SUBJECT), "Euler characteristic 0, 0 open edges, 1 pieces"
    )
    try:
        assert check_surface(torus, FILE, SUBJECT, handles=True).euler == 0
    except GeometryError as error:  # its volume has the sign of its drawing
        assert "inside out" in str(error)  # noqa: PT017
        assert check_surface(Mesh(torus.vertices, torus.faces.flip(1)), handles=True).euler == 0
    holes = Mesh(torus.vertices, torus.faces[1:])
    refused(GeometryError, lambda: check_surface(holes, FILE, SUBJECT, handles=True), "3 open edges")


def test_neighbors_that_lie_anywhere(ball, refused):
    order = torch.randperm(len(ball.vertices), generator=torch.Generator().manual_seed(0))
    mixed = Mesh(ball.vertices[order], ball.faces)
    words = (FILE, SUBJECT, "as far apart as any two", "ArrayIndexingOrder")
    refused(GeometryError, lambda: check_surface(mixed, FILE, SUBJECT, closed=False), *words)
    check_surface(icosphere(1))


def test_counts_of_a_whole_surface(ball):
    assert check_surface(ball) == (162, 320, 2, 0, 0)
    assert check_surface(Mesh(ball.vertices + 1e4, ball.faces)).euler == 2
    hole = check_surface(with_faces(ball, lambda faces: faces[1:]), closed=False)
    assert (hole.euler, hole.open_edges) == (1, 3)


def test_duplicate_vertices_are_counted_and_kept(ball, caplog):
    twin = moved(ball, 5, ball.vertices[int(ball.faces[(ball.faces == 5).any(1)][0][0])].tolist())
    twin = twin if not torch.equal(twin.vertices, ball.vertices) else moved(ball, 5, ball.vertices[6].tolist())
    mesh, report = check_sphere(twin, FILE, max_folded=1)
    assert (check_surface(twin, FILE).duplicates, report.duplicates) == (1, 1)
    assert mesh.vertices.shape == ball.vertices.shape
    assert "lh.sphere: 1 vertices lie exactly on another" in caplog.text


@settings(max_examples=30, deadline=None)
@given(radius=st.floats(1e-3, 1e5))
def test_sphere_of_any_radius_becomes_the_unit_sphere(radius):
    mesh, report = check_sphere(Mesh(radius * SPHERE.vertices, SPHERE.faces))
    torch.testing.assert_close(mesh.vertices, SPHERE.vertices)
    torch.testing.assert_close(mesh.vertices.norm(dim=1), torch.ones(642, dtype=torch.float64))
    assert torch.equal(mesh.faces, SPHERE.faces)
    assert report.radius == pytest.approx(radius)
    assert (report.folded, report.folded_fraction, report.flipped_winding) == (0, 0, False)
    assert report.radius_spread < 1e-9
    assert report.center_offset < 1e-9


@pytest.mark.parametrize("share", [0.005, 0.1, 0.5, 0.99, 5])
@pytest.mark.parametrize("direction", [[1.0, 0, 0], [0.6, 0, -0.8]])
def test_sphere_off_center(refused, share, direction):
    mesh = Mesh(80 * (SPHERE.vertices + share * torch.tensor(direction)), SPHERE.faces)
    words = ("off center", f"center offset {share:.2%}", "radius spread") if share < 1 else ("center offset",)
    refused(GeometryError, lambda: check_sphere(mesh, FILE, SUBJECT), FILE, SUBJECT, *words)
    if share < 0.1:
        # To first order in the offset, the mean radius stays.
        assert measure_sphere(mesh).center_offset == pytest.approx(share, rel=1e-2)
        assert measure_sphere(mesh).radius_spread == pytest.approx(share, rel=1e-2)


def test_inflated_surface_is_no_sphere(refused):
    inflated = Mesh(SPHERE.vertices * torch.tensor([30.0, 90, 40]), SPHERE.faces)
    refused(GeometryError, lambda: check_sphere(inflated, FILE, SUBJECT), FILE, "not a sphere", "radius spread")
    off = Mesh(inflated.vertices + 20, SPHERE.faces)
    refused(GeometryError, lambda: check_sphere(off, FILE, SUBJECT), FILE, "not a sphere", "radius spread")


def test_one_wild_vertex_is_no_sphere(refused):
    mesh = moved(SPHERE, 11, (1.05 * SPHERE.vertices[11]).tolist())
    refused(GeometryError, lambda: check_sphere(mesh, FILE), FILE, "radius spread 4.99%")


def test_small_deviations_of_real_spheres_are_accepted():
    noise = 1 + 1e-4 * torch.randn(642, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mesh, report = check_sphere(Mesh(100 * noise * SPHERE.vertices, SPHERE.faces))
    assert 1e-4 < report.radius_spread < 1e-3
    torch.testing.assert_close(mesh.vertices, SPHERE.vertices)


def test_folds_are_reported_and_refused_over_the_limit(refused):
    # A vertex that crosses the opposite edge of a neighbor folds a few of its triangles, and stays on the sphere.
    neighbor = next(int(v) for v in SPHERE.faces[(SPHERE.faces == 200).any(1)].unique() if v != 200)
    beyond = torch.nn.functional.normalize(3 * SPHERE.vertices[neighbor] - 2 * SPHERE.vertices[200], dim=0)
    mesh = moved(SPHERE, 200, beyond.tolist())
    report = measure_sphere(mesh)
    assert 2 <= report.folded <= 6
    assert report.folded_fraction == report.folded / 1280
    assert check_sphere(mesh)[1] == report
    words = (f"{report.folded} of 1280 triangles of negative area", "folded", "0.10%")
    refused(GeometryError, lambda: check_sphere(mesh, FILE, SUBJECT, max_folded=0.001), FILE, SUBJECT, *words)


def test_default_limit_of_folds_is_one_percent(refused):
    # All vertices of a cap collapse and turn over: more than one percent of the triangles.
    top = SPHERE.vertices[:, 2] > 0.9
    vertices = SPHERE.vertices.clone()
    vertices[top] = torch.nn.functional.normalize(vertices[top] * torch.tensor([-1.0, -0.3, 1]), dim=1)
    mesh = Mesh(vertices, SPHERE.faces)
    assert measure_sphere(mesh).folded_fraction > 0.01
    refused(GeometryError, lambda: check_sphere(mesh, FILE), FILE, "folded", "at most 1.00%")
    check_sphere(mesh, max_folded=1)


def test_measures_of_what_is_no_sphere():
    assert measure_sphere(Mesh(SPHERE.vertices, SPHERE.faces.flip(1))).flipped_winding
    nothing = measure_sphere(Mesh(torch.zeros(3, 3, dtype=torch.float64), torch.tensor([[0, 1, 2]])))
    assert nothing.radius_spread == nothing.center_offset == float("inf")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_measures_do_not_change_under_rotation(seed):
    chance = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=chance, dtype=torch.float64))[0]
    rotation *= torch.sign(torch.linalg.det(rotation))
    bumpy = SPHERE.vertices * (1 + 0.1 * SPHERE.vertices[:, :1]) + torch.tensor([0.1, 0, 0])
    first, second = (measure_sphere(Mesh(points, SPHERE.faces)) for points in (bumpy, bumpy @ rotation.T))
    assert second == pytest.approx(first, rel=1e-6)


def test_vertex_counts(refused):
    counts = {"surf/lh.sphere": 642, "surf/lh.inflated": 642, "surf/lh.white": 162}
    words = ("surf/lh.sphere", "surf/lh.white", "642 vertices", "162 vertices", SUBJECT)
    refused(GeometryError, lambda: require_same_vertices(counts, SUBJECT), *words)
    require_same_vertices({"a": 642, "b": 642})
    require_same_vertices({"a": 642})
    require_same_vertices({})


def test_hemispheres(ball, refused):
    surface = SurfaceFile(ball, "rh", np.zeros(3), {}, "surf/rh.white", SUBJECT)
    require_hemisphere("rh", surface)
    require_hemisphere("rh", surface._replace(hemisphere=""))
    refused(GeometryError, lambda: require_hemisphere("lh", surface), "surf/rh.white", SUBJECT, "hemisphere")
