"""Attention in harmonic space: what commutes with rotations, what starts as nothing, what never mixes."""

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.networks.layers import SpectralCrossAttention

DEGREE = 6
COUNT = (DEGREE + 1) ** 2
DEGREES = harmonic_degrees(DEGREE)
KINDS = pytest.mark.parametrize("kind", ["degree", "gate"])


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(kind, trained=True):
    """Trained: the last filter, which starts at zero, is drawn at random too."""
    torch.manual_seed(0)
    module = SpectralCrossAttention(3, 4, DEGREE, kind).double()
    if trained and kind != "none":
        torch.nn.init.normal_(module.project.weight)
    return module


@KINDS
@pytest.mark.parametrize("seed", range(3))
@torch.no_grad()
def test_attention_commutes_with_rotations(kind, seed):
    rotation = random_rotation(torch.Generator().manual_seed(seed))
    matrix = harmonic_rotation(rotation, DEGREE, even=False).T
    features, context = normal(seed, 2, 3, COUNT), normal(seed + 9, 2, 4, COUNT)
    attend = layer(kind)
    there, turned = attend(features @ matrix, context @ matrix), attend(features, context) @ matrix
    torch.testing.assert_close(there, turned, atol=1e-10, rtol=0)
    single = attend.float()(*((x @ matrix).float() for x in (features, context)))
    torch.testing.assert_close(single, turned.float(), atol=1e-5 * turned.abs().max().item(), rtol=0)
    assert (turned - features @ matrix).norm() > 0.1 * features.norm()


@KINDS
@torch.no_grad()
def test_attention_starts_as_the_identity(kind):
    features = normal(0, 2, 3, COUNT)
    assert torch.equal(layer(kind, trained=False)(features, normal(1, 2, 4, COUNT)), features)


@KINDS
def test_attention_leaves_its_start(kind):
    module = layer(kind, trained=False)
    (module(normal(0, 2, 3, COUNT), normal(1, 2, 4, COUNT)) ** 2).sum().backward()
    assert module.project.weight.grad.abs().max() > 0


def test_none_leaves_the_features_alone_and_has_nothing_to_learn():
    features, module = normal(0, 2, 3, COUNT), layer("none")
    assert module(features, normal(1, 2, 4, COUNT)) is features
    assert not list(module.parameters())


@KINDS
@torch.no_grad()
def test_values_of_other_degrees_never_enter(kind):
    """Only what is the same for all directions may cross degrees: a context of one degree adds to that one alone."""
    for degree in (0, 2, DEGREE):
        context = normal(1, 2, 4, COUNT) * (degree == DEGREES)
        added = layer(kind)(normal(0, 2, 3, COUNT), context) - normal(0, 2, 3, COUNT)
        assert added[..., degree == DEGREES].abs().min() > 0
        assert not added[..., degree != DEGREES].any()


@torch.no_grad()
def test_degrees_attend_on_their_own():
    """Other degrees of features and context may be anything; gates see the powers of all."""
    features, context = normal(0, 1, 3, COUNT), normal(1, 1, 4, COUNT)
    other = [x + normal(2, *x.shape) * (DEGREES != 3) for x in (features, context)]
    attend, gate = layer("degree"), layer("gate")
    kept = DEGREES == 3
    torch.testing.assert_close(attend(*other)[..., kept], attend(features, context)[..., kept], atol=1e-12, rtol=0)
    assert (gate(*other)[..., kept] - gate(features, context)[..., kept]).abs().max() > 1e-3


@torch.no_grad()
def test_degree_attention_is_the_formula_for_one_degree():
    attend, degree = layer("degree"), 2
    features, context, part = normal(0, 1, 3, COUNT), normal(1, 1, 4, COUNT), slice(4, 9)
    query, key = attend.query(features)[0, :, part], attend.key(context)[0, :, part]
    query, key = (x / (x.square().mean() + 1e-6).sqrt() for x in (query, key))
    weights = torch.softmax(query @ key.T / 5**0.5, 1)
    gathered = torch.zeros(1, 3, COUNT).double()
    gathered[0, :, part] = weights @ attend.value(context)[0, :, part]
    expected = features + attend.project(gathered)
    found = attend(features, context)
    torch.testing.assert_close(found[..., degree == DEGREES], expected[..., degree == DEGREES], atol=1e-12, rtol=0)


@torch.no_grad()
def test_gate_is_a_gain_for_each_degree_and_channel():
    """Gains that are all one leave the filtered context."""
    gate = layer("gate")
    torch.nn.init.zeros_(gate.gain.weight)
    torch.nn.init.ones_(gate.gain.bias)
    features, context = normal(0, 1, 3, COUNT), normal(1, 1, 4, COUNT)
    torch.testing.assert_close(gate(features, context), features + gate.project(gate.value(context)))


@torch.no_grad()
def test_degree_attention_does_not_care_how_strong_queries_and_keys_are():
    features, context = normal(0, 1, 3, COUNT), normal(1, 1, 4, COUNT)
    attend = layer("degree")
    once = attend(features, context) - features
    twice = attend(10 * features, context) - 10 * features
    torch.testing.assert_close(once, twice, atol=1e-4, rtol=0)


@KINDS
def test_empty_context_adds_nothing_and_has_finite_gradients(kind):
    features = normal(0, 1, 3, COUNT)
    context = torch.zeros(1, 4, COUNT).double().requires_grad_()
    found = layer(kind)(features, context)
    assert torch.equal(found, features)
    found.sum().backward()
    assert context.grad.isfinite().all()


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="degree, gate, none, got 'coefficient'"):
        SpectralCrossAttention(3, 4, DEGREE, "coefficient")
