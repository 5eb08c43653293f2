"""Folding by the mirror planes, against its definition vertex by vertex."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.octants import Octants, fold, harmonic_parities, mirror_octants, unfold
from monai_cortex.geometry.rotation import random_rotation

OCTAHEDRON = torch.cat([torch.eye(3), -torch.eye(3)]).double()
CUBE = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3) / math.sqrt(3)
FLIPS = torch.tensor([[-1.0 if o >> axis & 1 else 1.0 for axis in range(3)] for o in range(8)], dtype=torch.float64)
SIGNS = torch.tensor([[(-1.0) ** (o & p).bit_count() for o in range(8)] for p in range(8)], dtype=torch.float64)
SEEDS = st.integers(0, 2**31)
LEVELS = pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
SYMMETRIC = pytest.mark.parametrize("symmetric", [True, False])
RARELY = settings(deadline=None, max_examples=20)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, *shape):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def sphere(level, symmetric):
    vertices = icosphere(level).vertices
    return vertices if symmetric else vertices @ random_rotation(generator(level))


def without_symmetry(vertices):
    index, multiplicity = mirror_octants(vertices)
    everyone = torch.arange(len(vertices))
    return torch.equal(index, everyone[None]) and torch.equal(multiplicity.long(), torch.ones_like(everyone))


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_representatives_are_counted_in_closed_form(level):
    index, multiplicity = mirror_octants(icosphere(level).vertices)
    vertices, planes = 10 * 4**level + 2, 3 * (2**level - 1)
    generic = (vertices - 12 * (2**level - 1) - 6) // 8
    assert index.shape == (8, generic + planes + 3)
    assert multiplicity.shape == (generic + planes + 3,)
    assert {m: int((multiplicity == m).sum()) for m in (1, 2, 4)} == {1: generic, 2: planes, 4: 3}


@pytest.mark.parametrize(("vertices", "each"), [(OCTAHEDRON, [4] * 3), (CUBE, [1]), (icosphere(0).vertices, [2] * 3)])
def test_platonic_solids_have_their_octants(vertices, each):
    index, multiplicity = mirror_octants(vertices)
    assert index.shape == (8, len(each))
    assert multiplicity.tolist() == each


@LEVELS
def test_index_leads_to_the_mirror_images(level):
    vertices = icosphere(level).vertices
    index, multiplicity = mirror_octants(vertices)
    assert index.dtype == torch.int64
    representatives = vertices[index[0]]
    assert representatives.min() >= -1e-9
    torch.testing.assert_close(vertices[index], FLIPS[:, None] * representatives, atol=1e-9, rtol=0)
    for column, count in zip(index.T.tolist(), multiplicity.tolist(), strict=True):
        assert column.count(column[0]) == count
        assert len(set(column)) == 8 / count


@given(seed=SEEDS, level=st.integers(0, 3))
@RARELY
def test_every_vertex_has_one_representative_in_any_numbering(seed, level):
    vertices = icosphere(level).vertices
    index, multiplicity = mirror_octants(vertices[torch.randperm(len(vertices), generator=generator(seed))])
    assert torch.equal(index.unique(), torch.arange(len(vertices)))
    assert (8 / multiplicity).sum().item() == len(vertices)
    assert torch.equal(
        index.flatten().bincount().sort().values, multiplicity.repeat_interleave(8 // multiplicity.long()).sort().values
    )


@given(seed=SEEDS)
@RARELY
def test_turned_spheres_have_no_symmetry(seed):
    assert without_symmetry(icosphere(2).vertices @ random_rotation(generator(seed)))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_mirror_planes_are_not_enough(axis):
    """Turned about one axis of two-fold symmetry the sphere keeps that plane alone, v -> -v included."""
    c, s = math.cos(0.3), math.sin(0.3)
    turn = torch.eye(3, dtype=torch.float64)
    others = [a for a in range(3) if a != axis]
    turn[others[0], others[0]], turn[others[0], others[1]] = c, -s
    turn[others[1], others[0]], turn[others[1], others[1]] = s, c
    assert without_symmetry(icosphere(2).vertices @ turn)


def test_one_vertex_out_of_place_breaks_the_symmetry():
    vertices = icosphere(2).vertices.clone()
    vertices[100] = torch.nn.functional.normalize(vertices[100] + 1e-3, dim=0)
    assert without_symmetry(vertices)
    assert without_symmetry(icosphere(2).vertices[:-1])


def test_rounding_does_not_break_the_symmetry():
    vertices = icosphere(3).vertices
    assert mirror_octants(vertices + 1e-13 * normal(0, *vertices.shape)).images.shape == (8, 93)
    assert mirror_octants(vertices.float()).images.shape == (8, 93)


@pytest.mark.parametrize("degree", [0, 1, 2, 7, 20])
def test_harmonics_change_sign_under_reflections_as_their_parity_says(degree):
    points = torch.nn.functional.normalize(normal(0, 20, 3), dim=1)
    parities = harmonic_parities(degree)
    assert not parities.is_floating_point()
    assert parities.shape == ((degree + 1) ** 2,)
    values = real_harmonics(points, degree)
    for flip, sign in zip(FLIPS, SIGNS.T, strict=True):
        torch.testing.assert_close(real_harmonics(points * flip, degree), sign[parities] * values, atol=1e-12, rtol=0)


@pytest.mark.parametrize("degree", [2, 8, 20, 40])
def test_parities_share_the_harmonics_in_closed_form(degree):
    half = degree // 2
    sizes = harmonic_parities(degree).bincount(minlength=8).tolist()
    assert sizes[0] == (half + 1) * (half + 2) // 2
    assert sizes[1:7] == [half * (half + 1) // 2] * 6
    assert sizes[7] == (half - 1) * half // 2


def test_coordinates_are_odd_along_their_own_axis():
    assert harmonic_parities(1).tolist() == [0, 2, 4, 1]


@pytest.mark.parametrize("degree", [4, 9])
def test_harmonics_of_different_parity_are_orthogonal_on_the_mesh(degree):
    vertices = icosphere(2).vertices
    basis, parities = real_harmonics(vertices, degree), harmonic_parities(degree)
    gram = basis.T @ basis / len(vertices)
    assert gram[parities[:, None] != parities].abs().max() < 1e-14


@given(seed=SEEDS, level=st.integers(0, 3))
@RARELY
def test_fold_is_the_signed_sum_over_the_octants(seed, level):
    octants = mirror_octants(icosphere(level).vertices)
    values, scale = normal(seed, 3, 10 * 4**level + 2), normal(seed + 1, octants.images.shape[1])
    expected = torch.einsum("po,nor->pnr", SIGNS, values[:, octants.images]) * scale
    result = fold(values, octants, scale)
    assert result.shape == (8, 3, octants.images.shape[1])
    torch.testing.assert_close(result, expected, atol=1e-12, rtol=0)


@given(seed=SEEDS, level=st.integers(0, 3))
@RARELY
def test_unfold_is_the_signed_sum_over_the_parities(seed, level):
    octants = mirror_octants(icosphere(level).vertices)
    representatives = octants.images.shape[1]
    folded, scale = normal(seed, 8, 2, representatives), normal(seed + 1, representatives)
    expected = torch.zeros(2, 10 * 4**level + 2, dtype=torch.float64)
    spread = torch.einsum("po,pnr->nor", SIGNS, folded * scale)
    expected.index_add_(1, octants.images.flatten(), spread.flatten(1))
    torch.testing.assert_close(unfold(folded, octants, scale), expected, atol=1e-12, rtol=0)


@SYMMETRIC
@given(seed=SEEDS)
@RARELY
def test_unfold_is_the_adjoint_of_fold(symmetric, seed):
    octants = mirror_octants(sphere(2, symmetric))
    values, scale = normal(seed, 3, 162), normal(seed + 1, octants.images.shape[1])
    folded = fold(values, octants, scale)
    test = normal(seed + 2, *folded.shape)
    product = (folded * test).sum().item()
    assert (values * unfold(test, octants, scale)).sum().item() == pytest.approx(product, rel=1e-11, abs=1e-11)


@LEVELS
def test_unfold_by_the_multiplicity_is_eight_times_the_inverse(level):
    octants = mirror_octants(icosphere(level).vertices)
    values = normal(level, 2, 10 * 4**level + 2)
    ones = torch.ones(octants.images.shape[1], dtype=torch.float64)
    folded = fold(values, octants, ones)
    torch.testing.assert_close(unfold(folded, octants, 1 / octants.multiplicity), 8 * values, atol=1e-12, rtol=0)


def test_a_harmonic_folds_into_its_own_parity_alone():
    vertices = icosphere(3).vertices
    octants, parities = mirror_octants(vertices), harmonic_parities(6)
    values = real_harmonics(vertices, 6)
    folded = fold(values.T.contiguous(), octants, torch.ones(93, dtype=torch.float64))
    expected = torch.zeros(8, 49, 93, dtype=torch.float64)
    expected[parities, torch.arange(49)] = 8 * values[octants.images[0]].T
    torch.testing.assert_close(folded, expected, atol=1e-12, rtol=0)


def test_reflected_values_fold_with_the_sign_of_each_parity():
    vertices = icosphere(2).vertices
    octants = mirror_octants(vertices)
    values, scale = normal(0, 2, 162), normal(1, 27)
    image = torch.empty(162, dtype=torch.int64)
    for o in range(8):
        image[octants.images] = octants.images[[o ^ other for other in range(8)]]
        expected = SIGNS[:, o, None, None] * fold(values, octants, scale)
        torch.testing.assert_close(fold(values[:, image], octants, scale), expected, atol=1e-12, rtol=0)


def test_without_symmetry_values_are_scaled_and_nothing_else():
    octants = mirror_octants(sphere(1, symmetric=False))
    values, scale = normal(0, 3, 42), normal(1, 42)
    torch.testing.assert_close(fold(values, octants, scale), (values * scale)[None], atol=1e-15, rtol=0)
    torch.testing.assert_close(unfold(values[None], octants, scale), values * scale, atol=1e-15, rtol=0)


@SYMMETRIC
@pytest.mark.parametrize("level", [0, 1])
def test_gradients_agree_with_differences(level, symmetric):
    octants = mirror_octants(sphere(level, symmetric))
    representatives = octants.images.shape[1]
    scale = normal(0, representatives)
    values = normal(1, 2, 10 * 4**level + 2).requires_grad_()
    folded = normal(2, len(octants.images), 2, representatives).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: fold(v, octants, scale), (values,))
    assert torch.autograd.gradcheck(lambda h: unfold(h, octants, scale), (folded,))
    assert torch.autograd.gradgradcheck(lambda v: fold(v, octants, scale).square(), (values,))


@SYMMETRIC
def test_results_keep_the_precision_and_do_not_care_for_strides(symmetric):
    octants = mirror_octants(sphere(2, symmetric))
    scale = normal(0, octants.images.shape[1])
    values = normal(1, 162, 4)
    single = fold(values.T.float(), octants, scale.float())
    assert single.dtype == torch.float32
    assert unfold(single, octants, scale.float()).dtype == torch.float32
    expected = fold(values.T.contiguous(), octants, scale)
    torch.testing.assert_close(fold(values.T, octants, scale), expected, atol=0, rtol=0)
    torch.testing.assert_close(single.double(), expected, atol=1e-4, rtol=1e-4)
    mixed = expected.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(unfold(mixed, octants, scale), unfold(expected, octants, scale), atol=0, rtol=0)


@SYMMETRIC
def test_no_values_fold_into_nothing(symmetric):
    octants = mirror_octants(sphere(1, symmetric))
    scale = normal(0, octants.images.shape[1])
    folded = fold(normal(0, 0, 42), octants, scale)
    assert folded.shape == (len(octants.images), 0, octants.images.shape[1])
    assert unfold(folded, octants, scale).shape == (0, 42)


@pytest.mark.parametrize("count", [10, 41])
def test_too_few_values_are_refused(count):
    octants = mirror_octants(icosphere(1).vertices)
    with pytest.raises((ValueError, IndexError)):
        fold(normal(0, 2, count), octants, normal(1, 9))


def test_too_few_scales_are_refused():
    octants = mirror_octants(icosphere(1).vertices)
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        fold(normal(0, 2, 42), octants, normal(1, 8))


def test_octants_are_named():
    octants = mirror_octants(icosphere(1).vertices)
    assert isinstance(octants, Octants)
    assert octants == (octants.images, octants.multiplicity)
