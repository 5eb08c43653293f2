"""Surfaces found again in images that were drawn from them, and images in which nothing is to be found."""

import pytest
import torch

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.atrophy import atrophy, partner_thickness
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.tissue_levels import TissueLevels
from monai_cortex.inferers import jitter_surfaces, reconstruct_surfaces
from monai_cortex.metrics import surface_distance

SPHERE = icosphere(4)
WHITE, PIAL = (Mesh(radius * SPHERE.vertices, SPHERE.faces) for radius in (20, 22.5))
LEVELS = TissueLevels(1.0, 0.6, 0.15)


def jittered(white, pial, seed=0):
    return jitter_surfaces(white, pial, 1.0, torch.Generator().manual_seed(seed))


def distances(found, white, pial):
    """ASSD and HD90 of white and pial surface where there is cortex, mm."""
    cortex = partner_thickness(white, pial) >= 0.5
    pairs = ((found.white, white), (found.pial, pial))
    return [surface_distance(one, two, (cortex, cortex)) for one, two in pairs]


@pytest.mark.parametrize("spacing", [0.8, 1.4])
def test_spheres_are_found_from_beside_them(cortical_image, spacing):
    image, affine = cortical_image(WHITE, PIAL, spacing)
    found = reconstruct_surfaces(image, affine, *jittered(WHITE, PIAL))
    for mesh, radius in ((found.white, 20), (found.pial, 22.5)):
        radii = mesh.vertices.norm(dim=1)
        assert radii.mean().item() == pytest.approx(radius, abs=0.03)
        assert radii.std() < 0.08
    assert found.white_found == found.pial_found == 1
    assert found.levels[:3] == pytest.approx(LEVELS[:3], abs=0.01)


@pytest.mark.parametrize(("spacing", "most"), [(1.4, 0.1), (1.0, 0.07)])
def test_fsaverage5_is_found_from_beside_it(fsaverage5, cortical_image, spacing, most):
    image, affine = cortical_image(*fsaverage5, spacing, noise=0.02)
    start = jittered(*fsaverage5)
    assert surface_distance(start[0], fsaverage5[0]).assd > 0.4
    found = reconstruct_surfaces(image, affine, *start)
    for assd, hd90 in distances(found, *fsaverage5):
        assert assd < most
        assert hd90 < 2.5 * most
    assert min(found.white_found, found.pial_found) > 0.98


def test_corrections_undo_partial_volume(fsaverage5, cortical_image):
    image, affine = cortical_image(*fsaverage5, 1.4)
    for number, (least, most) in {0: (0.15, 0.2), 4: (0, 0.06)}.items():
        found = reconstruct_surfaces(image, affine, *fsaverage5, LEVELS, corrections=number)
        for assd, _ in distances(found, *fsaverage5):
            assert least < assd < most


def test_atrophy_is_found_from_the_undosed_surfaces(fsaverage5, cortical_image):
    white, pial = fsaverage5
    thin = atrophy(white, pial, 1.0)
    image, affine = cortical_image(white, thin, 1.4, noise=0.02, around=pial)
    found = reconstruct_surfaces(image, affine, white, pial, LEVELS)
    for assd, _ in distances(found, white, thin):
        assert assd < 0.12
    assert surface_distance(found.pial, pial).assd > 0.4


def test_another_persons_image_leads_elsewhere(fsaverage5, cortical_image):
    """Mirrored, the hemisphere is somebody else's: the search must not stay where it started."""
    mirror = torch.tensor([-1.0, 1, 1]).double()
    others = [Mesh(mesh.vertices * mirror, mesh.faces.flip(1)) for mesh in fsaverage5]
    middle = fsaverage5[1].vertices.mean(0) - others[1].vertices.mean(0)
    others = [Mesh(mesh.vertices + middle, mesh.faces) for mesh in others]
    image, affine = cortical_image(*others, 1.4)
    found = reconstruct_surfaces(image, affine, *fsaverage5, LEVELS)
    assert min(assd for assd, _ in distances(found, *fsaverage5)) > 0.8
    assert min(found.white_found, found.pial_found) < 0.97


def test_without_contrast_nothing_is_found_and_nothing_moves(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.4)
    start = jittered(WHITE, PIAL)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    for empty, levels in ((torch.full_like(image, 0.5), LEVELS), (noise, None), (torch.zeros_like(image), None)):
        found = reconstruct_surfaces(empty, affine, *start, levels)
        assert found.white_found == found.pial_found == 0
        torch.testing.assert_close(found.white.vertices, start[0].vertices)
    assert reconstruct_surfaces(image, affine, *start, iterations=0, corrections=0).white_found == 0


def test_contrast_its_sign_and_rigid_motion_do_not_matter(cortical_image):
    image, affine = cortical_image(WHITE, PIAL, 1.4)
    start = jittered(WHITE, PIAL)
    found = reconstruct_surfaces(image, affine, *start, LEVELS)
    inverted = TissueLevels(*(9 - 5 * level for level in LEVELS[:3]))
    other = reconstruct_surfaces(9 - 5 * image.double(), affine, *start, inverted)
    torch.testing.assert_close(other.pial.vertices, found.pial.vertices, rtol=0, atol=1e-3)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    turn = turn * torch.linalg.det(turn)  # without a mirror, which would turn the faces inside out
    world = torch.eye(4).double()
    world[:3, :3], world[:3, 3] = turn, 20
    moved = [Mesh(mesh.vertices @ turn.T + 20, mesh.faces) for mesh in start]
    other = reconstruct_surfaces(image, world @ affine, *moved, LEVELS)
    torch.testing.assert_close(other.white.vertices, found.white.vertices @ turn.T + 20, rtol=0, atol=1e-6)


def test_partners_stay_nested_and_the_medial_wall_follows(fsaverage5, cortical_image):
    white, pial = fsaverage5
    image, affine = cortical_image(white, pial, 1.4)
    moved = [Mesh(mesh.vertices + torch.tensor([0.0, 0, 0.8]).double(), mesh.faces) for mesh in (white, pial)]
    found = reconstruct_surfaces(image, affine, *moved, LEVELS)
    apart, ways = found.pial.vertices - found.white.vertices, pial.vertices - white.vertices
    wall = partner_thickness(white, pial) < 0.5
    torch.testing.assert_close(apart[wall], ways[wall])
    ways = ways[~wall] / partner_thickness(white, pial)[~wall, None]
    assert (apart[~wall] * ways).sum(1).min() > 0.1 - 1e-9
    assert torch.equal(found.white.faces, white.faces)


def test_jitter_is_even_bounded_and_repeatable():
    start = jittered(WHITE, PIAL)
    moves = start[0].vertices.norm(dim=1) - 20
    assert moves.abs().max() < 1.001
    torch.testing.assert_close(moves.sort().values, torch.linspace(-1, 1, len(moves)).double(), rtol=0, atol=0.01)
    gap = start[1].vertices.norm(dim=1) - start[0].vertices.norm(dim=1)
    assert gap.min() > 0.45
    assert torch.equal(start[1].vertices, jittered(WHITE, PIAL)[1].vertices)
    assert not torch.equal(start[1].vertices, jittered(WHITE, PIAL, 1)[1].vertices)
    still = jitter_surfaces(WHITE, PIAL, 0.0)
    torch.testing.assert_close(still[1].vertices, PIAL.vertices)


def test_jitter_changes_slowly_along_the_surface():
    moves = jittered(WHITE, PIAL)[0].vertices.norm(dim=1)
    a, b, c = moves[SPHERE.faces].unbind(1)
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.7
    assert torch.corrcoef(torch.stack([a, c]))[0, 1] > 0.7


def test_surfaces_that_are_no_partners_are_refused():
    for function in (
        lambda *meshes: reconstruct_surfaces(torch.zeros(9, 9, 9), torch.eye(4), *meshes),
        jitter_surfaces,
    ):
        with pytest.raises(GeometryError, match="partners"):
            function(WHITE, icosphere(3))
    with pytest.raises(GeometryError, match="affine"):
        reconstruct_surfaces(torch.zeros(9, 9, 9), torch.zeros(4, 4), WHITE, PIAL, LEVELS)


def test_part_of_a_hemisphere_and_both_together(fsaverage5, cortical_image):
    """A patch shows what the whole image shows; another hemisphere is drawn with it."""
    white, pial = fsaverage5
    image, affine = cortical_image(white, pial, 1.4)
    corner, start = torch.tensor([10, 40, 40]), jittered(white, pial)
    patch = image[10:42, 40:72, 40:72]
    moved = affine.clone()
    moved[:3, 3] += affine[:3, :3] @ corner.double()
    found = reconstruct_surfaces(patch, moved, *start)
    assert 200 < found.seen.sum() < 3000
    assert min(found.white_found, found.pial_found) > 0.98
    assert found.levels[:3] == pytest.approx(LEVELS[:3], abs=0.02)
    for one, two in ((found.white, white), (found.pial, pial)):
        assert surface_distance(one, two, (found.seen, found.seen)).assd < 0.1
    shift = torch.tensor([300.0, 0, 0]).double()
    pairs = [join_meshes([mesh, Mesh(mesh.vertices + shift, mesh.faces)]) for mesh in start]
    both = reconstruct_surfaces(patch, moved, *pairs)
    torch.testing.assert_close(both.white.vertices[: len(white.vertices)][found.seen], found.white.vertices[found.seen])
    assert not both.seen[len(white.vertices) :].any()
