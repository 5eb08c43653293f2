"""The joint loss, against its parts."""

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import rotate
from monai_cortex.inferers.score_guided_registration import GuidedRegistration, GuidedStep
from monai_cortex.losses import GuidedRegistrationLoss, ScoreMatchingLoss, SphereRegistrationLoss

MESH = icosphere(2)
VERTICES = MESH.vertices.float()
BASIS = real_harmonics(VERTICES, 3)
TERMS = {"misfit", "areal", "edge", "fold", "velocity"}


def step(seed, size=0.1, batch=2):
    """A pass with a smooth field and maps that do not agree."""
    generator = torch.Generator().manual_seed(seed)
    field = size * torch.randn(batch, 3, 16, generator=generator)
    moved = rotate(torch.einsum("vn,bin->bvi", BASIS, field), VERTICES.expand(batch, -1, -1))
    return GuidedStep(field, moved, *torch.randn(2, batch, 1, len(VERTICES), generator=generator))


def found(*steps, stiffness=(0.5, 2.0)):
    prediction, target = torch.randn(2, 2, 1, 25, generator=torch.Generator().manual_seed(9))
    return GuidedRegistration(list(steps), torch.tensor(stiffness), prediction, target)


def of_pass(one, stiffness=(0.5, 2.0), **weights):
    """Misfit and distortion of one pass; the terms of the whole batch, each pair with its stiffness."""
    loss = SphereRegistrationLoss(MESH, **weights)
    return loss.weigh(loss.terms(one.read, one.moving, one.moved, one.field), torch.tensor(stiffness))


def test_loss_is_the_sum_of_its_parts():
    """Score matching, and passes that count half of the next one."""
    steps, weights = [step(seed) for seed in range(3)], {"edge": 2.0, "velocity": 0.1}
    result = found(*steps)
    expected = 0.7 * ScoreMatchingLoss()(result.prediction, result.target)
    for one, share in zip(steps, (0.25, 0.5, 1.0), strict=True):
        expected = expected + share * of_pass(one, **weights)
    loss = GuidedRegistrationLoss(2, score=0.7, **weights)
    torch.testing.assert_close(loss(result, None), expected)
    torch.testing.assert_close(loss(result), expected)


def test_later_passes_weigh_more():
    good, bad = step(0, 0.01), step(1, 0.5)
    loss = GuidedRegistrationLoss(2, score=0.0)
    gain = loss(found(good, bad)) - loss(found(bad, good))
    torch.testing.assert_close(gain, 0.5 * (of_pass(bad) - of_pass(good)))
    assert gain > 0


def test_each_pair_has_its_stiffness():
    one = step(3)
    pairs = [GuidedStep(*(part[i : i + 1] for part in one)) for i in range(2)]
    expected = (of_pass(pairs[0], (0.5,)) + of_pass(pairs[1], (2.0,))) / 2
    loss = GuidedRegistrationLoss(2, score=0.0)
    torch.testing.assert_close(loss(found(one)), expected)
    assert loss(found(one, stiffness=(2.0, 2.0))) > loss(found(one, stiffness=(0.5, 0.5)))


def test_latest_holds_the_unweighted_terms_of_the_last_pass():
    first, last = step(0), step(1)
    result = found(first, last)
    loss = GuidedRegistrationLoss(2, score=3.0, edge=7.0)
    assert loss.latest == {}
    loss(result)
    assert set(loss.latest) == TERMS | {"score"}
    torch.testing.assert_close(loss.latest["score"], ScoreMatchingLoss()(result.prediction, result.target))
    plain = SphereRegistrationLoss(MESH)
    terms = plain.terms(last.read, last.moving, last.moved, last.field)._asdict()
    for name in TERMS:
        torch.testing.assert_close(loss.latest[name], terms[name].mean())
    assert not any(value.requires_grad for value in loss.latest.values())
    without = GuidedRegistrationLoss(2, score=0.0)
    without(result)
    assert set(without.latest) == TERMS


def test_gradient_reaches_the_field_of_every_pass_and_the_score():
    steps = []
    for seed in range(2):
        one = step(seed)
        field = one.field.requires_grad_()
        moved = rotate(torch.einsum("vn,bin->bvi", BASIS, field), VERTICES.expand(2, -1, -1))
        steps.append(one._replace(field=field, moved=moved, read=one.read.requires_grad_()))
    result = found(*steps)
    result.prediction.requires_grad_()
    GuidedRegistrationLoss(2)(result).backward()
    for leaf in (result.prediction, *(leaf for one in steps for leaf in (one.field, one.read))):
        assert leaf.grad.isfinite().all()
        assert leaf.grad.any()


def test_unknown_weights_are_refused():
    with pytest.raises(TypeError, match="shear"):
        GuidedRegistrationLoss(2, shear=1.0)
