"""Synthetic cortices: different people, the same topology, white within pial."""

import time

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance
from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces, CorticalVariation, template_cortex, vary_cortex

STILL = {"coarse": 0.0, "fine": 0.0, "stretch": 0.0, "turn": 0.0, "scale": (1.0, 1.0)}
SIDES = ("lh", "rh")


@pytest.fixture(scope="module")
def spheres():
    """Hemispheres that are balls of radius 30 and 33 mm; their south poles touch, as at the medial wall."""
    ball, kinds = icosphere(4), []
    for radius in (30.0, 33.0):
        points = {
            side: radius * ball.vertices + ball.vertices.new_tensor([x, 0, 0])
            for side, x in zip(SIDES, (-40, 40), strict=True)
        }
        kinds.append({side: Mesh(p, ball.faces) for side, p in points.items()})
    template = CorticalSurfaces(*kinds)
    for side in SIDES:
        wall = ball.vertices[:, 2] < -0.9
        template.pial[side].vertices[wall] = template.white[side].vertices[wall]
    return template


@pytest.fixture(scope="module")
def people():
    pytest.importorskip("nilearn")
    template = template_cortex()
    return template, [vary_cortex(template, torch.Generator().manual_seed(seed)) for seed in range(3)]


def thickness(person, side):
    return (person.pial[side].vertices - person.white[side].vertices).norm(dim=1)


def normals(mesh):
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    return torch.linalg.cross(b - a, c - a)


def test_without_variation_white_stays_and_thickness_is_asked_for(spheres):
    variation = CorticalVariation(**STILL, spread=0.0, thickness=3.0)
    person = vary_cortex(spheres, torch.Generator().manual_seed(0), variation)
    for side in SIDES:
        torch.testing.assert_close(person.white[side].vertices, spheres.white[side].vertices, atol=1e-6, rtol=0)
        torch.testing.assert_close(person.pial[side].vertices, spheres.pial[side].vertices, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limits": (3, 2)},
        {"thickness": 5.0},
        {"scale": (0.0, 1.0)},
        {"scale": (1.1, 1.0)},
        {"fine": -1.0},
        {"turn": 4.0},
    ],
)
def test_senseless_variation_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        CorticalVariation(**wrong)


def test_turn_is_at_most_its_limit(spheres):
    variation = CorticalVariation(**{**STILL, "turn": 0.2})
    for seed in range(4):
        moved = vary_cortex(spheres, torch.Generator().manual_seed(seed), variation).white["lh"].vertices
        still = spheres.white["lh"].vertices
        left, _, right = torch.linalg.svd((moved - moved.mean(0)).T @ (still - still.mean(0)))
        angle = torch.arccos((torch.trace(left @ right) - 1) / 2)
        assert 0 < angle <= 0.2 + 1e-6


def test_size_is_drawn_between_its_limits(spheres):
    variation = CorticalVariation(**{**STILL, "scale": (0.8, 0.9)})
    sizes = [
        vary_cortex(spheres, torch.Generator().manual_seed(seed), variation).white["lh"].vertices.std(0).norm()
        / spheres.white["lh"].vertices.std(0).norm()
        for seed in range(8)
    ]
    assert 0.8 <= min(sizes) < max(sizes) <= 0.9


def test_thickness_varies_within_limits_and_differs_between_hemispheres(spheres):
    variation = CorticalVariation(**STILL, spread=1.0)
    person = vary_cortex(spheres, torch.Generator().manual_seed(0), variation)
    left, right = (thickness(person, side) for side in SIDES)
    wall = thickness(spheres, "lh") < 1e-9
    for values in (left, right):
        assert values[wall].max() < 1e-9
        assert 1.3 < values[~wall].min() < 2.2
        assert 3 < values.max() <= 4.5
    assert torch.corrcoef(torch.stack([left[~wall], right[~wall]]))[0, 1] < 0.6


def test_thickness_does_not_follow_the_deformation(spheres):
    generators = [torch.Generator().manual_seed(4) for _ in range(2)]
    bent, still = (
        vary_cortex(spheres, generator, CorticalVariation(**changes))
        for generator, changes in zip(generators, ({}, {"spread": 0.0}), strict=True)
    )
    torch.testing.assert_close(bent.white["lh"].vertices, still.white["lh"].vertices)
    assert not torch.allclose(bent.pial["lh"].vertices, still.pial["lh"].vertices, atol=0.1)


def test_people_differ_and_seeds_decide(people):
    template, (first, second, _) = people
    again = vary_cortex(template, torch.Generator().manual_seed(0))
    for side in SIDES:
        assert torch.equal(first.white[side].vertices, again.white[side].vertices)
        assert torch.equal(first.pial[side].vertices, again.pial[side].vertices)
        assert (first.white[side].vertices - second.white[side].vertices).norm(dim=1).mean() > 1


def test_thickness_is_that_of_a_cortex(people):
    for person in people[1]:
        for side in SIDES:
            values = thickness(person, side)
            values = values[values > 1]
            assert 2.3 < values.mean() < 3
            assert 0.3 < values.std() < 1
            assert values.max() <= 4.5


def test_nothing_folds_over(people):
    template, found = people
    for person in found:
        for side in SIDES:
            white = normals(person.white[side])
            assert ((white * normals(person.pial[side])).sum(1) < 0).sum() <= 2
            assert ((white * normals(template.white[side])).sum(1) < 0).sum() <= 2


def test_white_stays_within_pial_and_hemispheres_apart(people):
    for person in people[1][:1]:
        points = torch.cat([mesh.vertices for mesh in person.pial.values()])
        low, high = points.amin(0), points.amax(0)
        affine = torch.diag(torch.tensor([2.0, 2, 2, 1], dtype=torch.float64))
        affine[:3, 3] = low
        shape = ((high - low) / 2).ceil().int().tolist()
        white, pial = ([signed_distance(m, shape, affine, band=4.0) for m in kind.values()] for kind in person)
        for inner, outer in zip(white, pial, strict=True):
            assert (outer - inner).max() < 0.2
        assert not ((pial[0] < 0) & (pial[1] < 0)).any()


def test_finer_meshes_lie_where_the_coarse_ones_do(people):
    fine = template_cortex(1)
    assert len(fine.white["lh"].vertices) == 40962
    offset = (fine.white["lh"].vertices[:10242] - people[0].white["lh"].vertices).norm(dim=1)
    assert offset.mean() < 0.5
    assert torch.equal(fine.white["rh"].faces, fine.pial["rh"].faces)


def test_a_person_takes_seconds_at_most(people):
    start = time.perf_counter()
    vary_cortex(people[0], torch.Generator().manual_seed(9))
    assert time.perf_counter() - start < 3
