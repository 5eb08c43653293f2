"""Loss of registrations, against maps whose strain and misfit are known."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.rotation_field import rotate
from monai_cortex.losses.sphere_registration import SphereRegistrationLoss

MESH = icosphere(2)
VERTICES = MESH.vertices.float()
FIELD = torch.zeros(3, 16)


def features(seed, count=2):
    return torch.randn(count, len(VERTICES), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def loss():
    return SphereRegistrationLoss(MESH)


def test_identity_has_no_strain(loss):
    terms = loss.terms(features(0), features(0), VERTICES, FIELD)
    assert not terms.misfit.any()
    assert terms.areal < 1e-9
    assert terms.edge < 1e-9
    assert terms.fold == terms.velocity == 0


def test_scaling_has_the_strain_of_its_logarithm(loss):
    """Lengths times 2 and areas times 4."""
    terms = loss.terms(features(0), features(0), 2 * VERTICES, FIELD)
    assert terms.edge.item() == pytest.approx(1, rel=1e-5)
    assert terms.areal.item() == pytest.approx(4, rel=1e-5)


def test_rotation_costs_nothing(loss):
    moved = VERTICES @ random_rotation(torch.Generator().manual_seed(0)).float().T
    terms = loss.terms(features(0), features(0), moved, FIELD)
    assert max(terms.areal, terms.edge, terms.fold) < 1e-9


def test_misfit_is_the_mean_square_over_the_sphere(loss):
    height = VERTICES[:, 2][None]
    terms = loss.terms(height, torch.zeros_like(height), VERTICES, FIELD)
    assert terms.misfit.item() == pytest.approx(1 / 3, rel=1e-3)


def test_roughness_weighs_degrees_by_their_eigenvalues(loss):
    degrees = harmonic_degrees(3)
    for index in (0, 2, 9):
        field = torch.zeros(3, 16)
        field[1, index] = 0.5
        terms = loss.terms(features(0), features(0), VERTICES, field)
        assert terms.velocity.item() == pytest.approx(0.25 * degrees[index] * (degrees[index] + 1))


def test_mirrored_triangles_count_as_folds(loss):
    terms = loss.terms(features(0), features(0), -VERTICES, FIELD)
    assert terms.fold.item() == pytest.approx(1.05, rel=1e-5)


def test_value_is_the_sum_of_the_formula():
    loss = SphereRegistrationLoss(MESH, kappa=0.3, areal=0.2, edge=0.5, fold=7.0, velocity=0.01, stiffness=0.5)
    moved = rotate(0.2 * features(3, 3).T, VERTICES)
    field = features(4, 3)[:, :16]
    read, carried = features(0), features(1)
    terms = loss.terms(read, carried, moved, field)
    likelihood = 0.3 * sum(math.log(value + 5e-3) for value in terms.misfit.tolist())
    strain = 0.2 * terms.areal + 0.5 * terms.edge + 0.01 * terms.velocity
    expected = likelihood + 0.5 * strain + 7 * terms.fold
    torch.testing.assert_close(loss(read, carried, moved, field), expected)


def pairs():
    return [
        (features(s), features(s + 9), rotate(0.1 * features(s, 3).T, VERTICES), features(s, 3)[:, :16]) for s in (0, 1)
    ]


def together(parts):
    return [torch.stack(part) for part in zip(*parts, strict=True)]


def test_terms_of_a_batch_are_those_of_its_pairs(loss):
    """Any leading dimensions, none included."""
    single = [loss.terms(*pair) for pair in pairs()]
    both = loss.terms(*together(pairs()))
    deeper = loss.terms(*(part[None] for part in together(pairs())))
    for name in both._fields:
        expected = torch.stack([getattr(terms, name) for terms in single])
        torch.testing.assert_close(getattr(both, name), expected)
        torch.testing.assert_close(getattr(deeper, name), expected[None])
    assert both.misfit.shape == (2, 2)
    assert both.areal.shape == both.edge.shape == both.fold.shape == both.velocity.shape == (2,)


def test_loss_of_a_batch_is_the_mean(loss):
    single = torch.stack([loss(*pair) for pair in pairs()])
    assert single[0] != single[1]
    torch.testing.assert_close(loss(*together(pairs())), single.mean())


def test_stiffness_of_each_pair_is_that_of_a_loss_of_its_own(loss):
    """It weighs strain and roughness, neither misfit nor folds."""
    factors = torch.tensor([0.25, 4.0])
    own = [SphereRegistrationLoss(MESH, stiffness=factor)(*pair) for factor, pair in zip(factors, pairs(), strict=True)]
    terms = loss.terms(*together(pairs()))
    torch.testing.assert_close(loss.weigh(terms, factors), torch.stack(own).mean())
    nothing = loss.weigh(terms, 0.0)
    expected = (loss.kappa * (terms.misfit + 5e-3).log().sum(-1) + loss.fold * terms.fold).mean()
    torch.testing.assert_close(nothing, expected)


def test_gradients_are_finite_at_the_identity(loss):
    omega = torch.zeros(len(VERTICES), 3, requires_grad=True)
    loss(features(0), features(1), rotate(omega, VERTICES), FIELD).backward()
    assert omega.grad.isfinite().all()
