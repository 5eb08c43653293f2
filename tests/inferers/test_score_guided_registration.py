"""Registration by both networks at a tiny size: what it is before training, and what its parts do."""

import math

import pytest
import torch

from monai_cortex.geometry.feature_spectrum import feature_power
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.inferers import FieldOfPair, ScoreGuidedRegistration
from monai_cortex.networks.nets import SpectralScoreNet, SphericalWarpNet

LEVEL, DEGREE, FIELD = 3, 8, 4
COUNT = (DEGREE + 1) ** 2
MESH, COARSE = icosphere(LEVEL), icosphere(LEVEL - 1)
DEGREES = harmonic_degrees(DEGREE)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def registration(trained=False, **options):
    """Before training, or with what starts at zero drawn at random."""
    torch.manual_seed(0)
    score, warp = SpectralScoreNet(1, 1, DEGREE, LEVEL, (4, 4)), SphericalWarpNet(1, DEGREE, FIELD, LEVEL, (4, 4))
    for parameter in (*score.parameters(), *warp.parameters()) if trained else ():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return ScoreGuidedRegistration(score, warp, DEGREE, LEVEL, **{"passes": 2, "reverse_steps": 3, **options}).eval()


@pytest.fixture(scope="module")
def pair():
    """Two fixed maps of degrees up to 6, and both as two known warps of 4 degrees show them: unit mean square."""
    coefficients = torch.randn(2, COUNT, generator=generator(1), dtype=torch.float64) * (DEGREES > 1) * (DEGREES < 7)
    coefficients *= math.sqrt(4 * math.pi) / coefficients.norm(dim=1, keepdim=True)
    places = [random_warp(MESH, math.radians(4), generator(seed), degree=3) for seed in (2, 3)]
    fixed = coefficients @ real_harmonics(MESH.vertices, DEGREE).T
    moving = torch.stack([real_harmonics(p, DEGREE) @ c for p, c in zip(places, coefficients, strict=True)])
    return fixed[:, None].float(), moving[:, None].float()


def last(found):
    return found.steps[-1]


@pytest.mark.parametrize("guidance", ["score", "shuffled", "zero"])
@torch.no_grad()
def test_nothing_moves_before_training(pair, guidance):
    fixed, moving = pair
    found = registration(guidance=guidance)(fixed, moving)
    assert len(found.steps) == 2
    for step in found.steps:
        assert step.field.shape == (2, 3, 25)
        assert not step.field.any()
        torch.testing.assert_close(step.moved, COARSE.vertices.float().expand(2, -1, -1), atol=1e-6, rtol=0)
        torch.testing.assert_close(step.read, fixed[..., :162], atol=0.01, rtol=0)


@torch.no_grad()
def test_maps_are_low_passed_without_their_mean_and_of_unit_power(pair):
    """A map of degree 14, twice one of degree 3, a constant: only the middle is left."""
    high = real_harmonics(MESH.vertices, 14)[:, 14 * 14 + 20].float()
    low = real_harmonics(MESH.vertices, 3)[:, 11].float()
    maps = (high + 2 * low + 5).expand(2, 1, -1)
    found = last(registration()(maps, maps))
    expected = (math.sqrt(4 * math.pi) * low[:162]).expand(2, 1, -1)
    torch.testing.assert_close(found.moving, expected, atol=0.05, rtol=0)
    torch.testing.assert_close(found.read, expected, atol=0.05, rtol=0)


@torch.no_grad()
def test_heat_smooths_the_maps_of_the_misfit_alone(pair):
    module, seen = registration(trained=True).train(), []
    module.warp_net.register_forward_hook(lambda net, inputs, result: seen.append(inputs))
    cold = last(module(*pair, generator=generator()))
    module.heat = 0.05
    warm = last(module(*pair, generator=generator()))
    torch.testing.assert_close(cold.field, warm.field)
    for before, after in zip(seen[0], seen[2], strict=True):
        assert torch.equal(before, after)
    coefficients = module.fine_transform(pair[1]) * torch.exp(-0.05 * DEGREES * (DEGREES + 1)) * (DEGREES > 0)
    expected = module.transform.inverse(
        coefficients * (4 * math.pi / coefficients.square().sum(-1, keepdim=True)) ** 0.5
    )
    torch.testing.assert_close(warm.moving, expected, atol=1e-4, rtol=0)
    assert (warm.moving - cold.moving).abs().max() > 0.1


@torch.no_grad()
def test_second_pass_sees_the_maps_as_the_first_field_aligns_them(pair):
    """Where nothing moved, it sees what the first one saw."""
    module, seen = registration(passes=3), []
    module.warp_net.register_forward_hook(lambda net, inputs, result: seen.append(inputs))
    module(*pair)
    assert len(seen) == 3
    torch.testing.assert_close(seen[1][0], seen[0][0], atol=0.05, rtol=0)
    assert torch.equal(seen[1][1], seen[0][1])


@torch.no_grad()
def test_whitened_coefficients_are_those_of_the_map_in_units_of_the_population(pair):
    fixed, _ = pair
    module = registration()
    whitened = module.whiten(fixed + 3)
    assert not whitened[..., 0].any()
    values = module.fine_transform.inverse(whitened * feature_power(DEGREE).sqrt()[DEGREES].float())
    torch.testing.assert_close(values, fixed, atol=0.02, rtol=0)


@torch.no_grad()
def test_zero_guidance_ignores_the_score_network(pair):
    module = registration(trained=True, guidance="zero")
    before = last(module(*pair, generator=generator())).field
    for parameter in module.score_net.parameters():
        torch.nn.init.normal_(parameter)
    assert torch.equal(last(module(*pair, generator=generator(1))).field, before)


@torch.no_grad()
def test_guidance_changes_the_field(pair):
    fields = {
        kind: last(registration(trained=True, guidance=kind)(*pair, generator=generator())).field
        for kind in ("score", "shuffled", "zero")
    }
    size = fields["score"].norm()
    for first, second in (("score", "shuffled"), ("score", "zero"), ("shuffled", "zero")):
        assert (fields[first] - fields[second]).norm() > 1e-3 * size


@torch.no_grad()
def test_shuffled_guidance_is_that_of_the_other_pair(pair):
    module = registration(trained=True)
    target, source = (module.whiten(values) for values in pair)
    straight = module.embed(target, source, generator())
    module.guidance = "shuffled"
    assert torch.equal(module.embed(target, source, generator()), straight.flip(0))
    with pytest.raises(ValueError, match="two pairs"):
        module(pair[0][:1], pair[1][:1])


@torch.no_grad()
def test_equal_seeds_give_equal_bits_and_others_do_not(pair):
    module = registration(trained=True)
    first, same, other = (last(module(*pair, generator=generator(seed))) for seed in (0, 0, 1))
    for name in first._fields:
        assert torch.equal(getattr(first, name), getattr(same, name))
    assert not torch.equal(first.field, other.field)


@torch.no_grad()
def test_stiffness_matters_and_is_one_by_default(pair):
    module = registration(trained=True)
    plain, one, two = (module(*pair, s, generator()) for s in (None, torch.ones(2), torch.tensor([1.0, 4.0])))
    assert torch.equal(last(plain).field, last(one).field)
    assert torch.equal(plain.stiffness, torch.ones(2))
    torch.testing.assert_close(last(two).field[0], last(one).field[0], atol=1e-5, rtol=0)
    assert (last(two).field[1] - last(one).field[1]).norm() > 1e-3 * last(one).field[1].norm()


def test_gradient_reaches_both_networks_in_each_way(pair):
    """The score network learns from the field through its embedding, and from score matching through its head."""
    module = registration(trained=True).train()
    found = module(*pair, generator=generator())
    assert found.prediction.shape == found.target.shape == (2, 1, COUNT)
    (last(found).read - last(found).moving).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in module.warp_net.parameters())
    assert all(parameter.grad.abs().max() > 0 for parameter in module.score_net.body.parameters())
    assert module.score_net.head.weight.grad is None
    found = module(*pair, generator=generator())
    (found.prediction - found.target).square().mean().backward()
    assert module.score_net.head.weight.grad.abs().max() > 0


@torch.no_grad()
def test_outside_of_training_there_is_no_score_to_match(pair):
    found = registration()(*pair)
    assert found.prediction is None
    assert found.target is None


def test_a_few_steps_on_known_warps_lower_the_misfit_and_move_the_right_way(pair):
    module = registration(passes=1, reverse_steps=1)
    optimizer, misfits = torch.optim.Adam(module.parameters(), 3e-2), []
    truth = torch.stack([random_warp(COARSE, math.radians(4), generator(seed), degree=3) for seed in (2, 3)]).float()
    for _ in range(40):
        step = last(module(*pair, generator=generator()))
        misfit = (step.read - step.moving).square().mean()
        optimizer.zero_grad()
        misfit.backward()
        optimizer.step()
        misfits.append(misfit.item())
    assert misfits[-1] < 0.2 * misfits[0]
    start = arc_angle(COARSE.vertices.float().expand(2, -1, -1), truth).mean()
    assert arc_angle(step.moved.detach(), truth).mean() < 0.6 * start


@torch.no_grad()
def test_field_of_a_pair_is_that_of_the_last_pass(pair):
    module = registration(trained=True, guidance="zero")
    found = FieldOfPair(module)(torch.cat(pair, 1))
    assert torch.equal(found, last(module(*pair)).field)


def test_other_guidance_is_refused():
    with pytest.raises(ValueError, match="score, shuffled, zero, got 'none'"):
        registration(guidance="none")


def test_drawn_maps_keep_the_coarse_form_and_differ_in_detail(pair):
    module = registration()
    drawn = [module.redraw(*pair, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=1e-2)
    first, kept = (module.whiten(maps)[..., 1:4] for maps in (drawn[0], pair[0]))
    share = torch.exp(torch.tensor(-2 * module.start))
    assert (first - kept).abs().max() < 6 * (1 - share**2).sqrt()  # degree 1 has hardly diffused


def test_processes_draw_their_rows_of_one_batch(pair, as_process):
    def found(rows):
        module = registration(trained=True).train()
        torch.manual_seed(0)
        result = module(*(maps[rows] for maps in pair))
        return torch.cat([last(result).field.flatten(1), result.prediction.flatten(1), result.target.flatten(1)], 1)

    whole = found(slice(2))
    for rank in range(2):
        with as_process(rank, 2):
            torch.testing.assert_close(found(slice(rank, rank + 1)), whole[rank : rank + 1], atol=1e-5, rtol=1e-4)
