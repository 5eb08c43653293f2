"""Registration of items: the single pass, the refinement after it, and the score at a later time."""

import math

import pytest
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.networks.schedulers import DDPMScheduler
from torch import nn

from monai_cortex.errors import ConfigError
from monai_cortex.inferers import ImageRegistrar, RefinementLevel, RefinementOptions
from monai_cortex.networks.nets import FSDiffRegNet

SHAPE = (16, 16, 8)
SHIFT = torch.tensor([1.0, -0.5, 0.25]).view(3, 1, 1, 1)
OPTIONS = {"levels": [[[2, 2, 1], 5, 3]]}


def item():
    chance = torch.Generator().manual_seed(0)
    affine = torch.diag(torch.tensor([1.5, 1.5, 3.0, 1.0], dtype=torch.float64))
    images = {name: 2 * torch.rand(1, *SHAPE, generator=chance) - 1 for name in ("fixed_image", "moving_image")}
    return {name: MetaTensor(image, affine=affine) for name, image in images.items()} | {"valid": torch.ones(1, *SHAPE)}


def shifting():
    """A network whose every field is the shift."""
    torch.manual_seed(0)
    network = FSDiffRegNet(width=4, multipliers=(1, 2))
    for layer in (*(head.blend for head in network.heads), network.field_head[2]):
        nn.init.zeros_(layer.weight)
        layer.bias.data = SHIFT.flatten().clone()
    return network.eval()


class Knowing(nn.Module):
    """Computes the noise from what it is shown, which needs no training and no moving image."""

    def __init__(self):
        super().__init__()
        self.kept = DDPMScheduler(2000, "linear_beta", beta_start=1e-6, beta_end=1e-2).alphas_cumprod
        self.idle = nn.Parameter(torch.zeros(()))

    def forward(self, moving, fixed, noisy, timesteps):
        kept = self.kept[timesteps].view(-1, 1, 1, 1, 1)
        return {"score": (noisy - kept.sqrt() * fixed) / (1 - kept).sqrt(), "ddf": torch.zeros(1, 3, *SHAPE)}


def test_single_pass_gives_the_network_s_field_and_its_inverse():
    found = ImageRegistrar(refine=False).register(item(), shifting())
    torch.testing.assert_close(found.ddf, SHIFT.expand(3, *SHAPE))
    torch.testing.assert_close(found.inverse, -SHIFT.expand(3, *SHAPE), atol=2e-3, rtol=0)
    assert found.network_ddf is None
    assert found.score.shape == (1, *SHAPE)
    assert found.network_s > 0 == found.refine_s


def test_refinement_starts_from_the_network_and_keeps_its_field():
    found = ImageRegistrar(options=OPTIONS).register(item(), shifting())
    torch.testing.assert_close(found.network_ddf, SHIFT.expand(3, *SHAPE))
    moved = (found.ddf - SHIFT).abs()
    assert 0.01 < moved.max() < 2
    assert found.refine_s > 0


def test_refinement_alone_needs_no_network():
    found = ImageRegistrar(use_network=False, options=OPTIONS).register(item(), None)
    assert found.ddf.abs().max() > 0.01
    assert found.network_ddf is None
    assert found.score is None
    assert found.network_s == 0


def test_what_is_not_image_does_not_matter():
    pair, fields = item(), []
    pair["valid"][:, 11:] = 0
    for extra in (0, 0.5):
        pair["fixed_image"][:, 11:] += extra
        fields.append(ImageRegistrar(use_network=False, options=OPTIONS).register(pair, None).ddf)
    torch.testing.assert_close(*fields)


def test_ideal_score_is_next_to_nothing_at_time_zero():
    found = ImageRegistrar(refine=False).register(item(), Knowing())
    fixed = item()["fixed_image"].as_tensor()
    torch.testing.assert_close(found.score, 5.0e-4 * fixed, atol=1e-4, rtol=0)


def test_score_of_a_later_time_is_the_mean_size_of_the_noise():
    """Of normal noise the square root of 2 / pi at each voxel, the better the more draws."""
    draws = {}
    for number in (1, 64):
        found = ImageRegistrar(refine=False, score_time=500, score_draws=number).register(item(), Knowing())
        draws[number] = found.score
        assert found.score.mean().item() == pytest.approx(math.sqrt(2 / math.pi), abs=0.05)
    spread = math.sqrt(1 - 2 / math.pi)
    assert draws[1].std().item() == pytest.approx(spread, rel=0.1)
    assert draws[64].std().item() == pytest.approx(spread / 8, rel=0.1)


def test_seed_decides_on_the_score_and_leaves_the_world_alone():
    state = torch.get_rng_state()
    maps = [
        ImageRegistrar(refine=False, score_time=500, score_draws=1, seed=seed).register(item(), Knowing()).score
        for seed in (0, 0, 1)
    ]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_evaluator_of_monai_registers_each_pair_of_a_batch():
    outputs = []
    registrar = ImageRegistrar(refine=False)
    evaluator = SupervisedEvaluator("cpu", [[item(), item()]], shifting(), iteration_update=registrar, decollate=False)
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: outputs.extend(engine.state.output))
    evaluator.run()
    assert len(outputs) == 2
    for output in outputs:
        torch.testing.assert_close(output["registration"].ddf, SHIFT.expand(3, *SHAPE))


def test_nothing_to_do_is_refused():
    with pytest.raises(ConfigError, match="nothing moves the image"):
        ImageRegistrar(use_network=False, refine=False)
    with pytest.raises(ConfigError, match="nothing moves the image"):
        ImageRegistrar(refine=False).register(item(), None)


def test_words_of_a_command_line_switch():
    assert ImageRegistrar(refine="False").register(item(), shifting()).refine_s == 0
    assert ImageRegistrar(use_network=False, refine="true", options=OPTIONS).refine
    with pytest.raises(ConfigError, match="refine is neither on nor off"):
        ImageRegistrar(refine="svf")


def test_options_of_the_refinement_have_their_names():
    registrar = ImageRegistrar(options=OPTIONS | {"mode": "disp", "smooth": 7, "learning_rate": 0.5})
    assert registrar.mode == "disp"
    assert registrar.options == RefinementOptions((RefinementLevel((2, 2, 1), 5, 3),), 7, 0.5)
    assert ImageRegistrar().options == RefinementOptions()
    with pytest.raises(ConfigError, match="levles"):
        ImageRegistrar(options={"levles": []})


@pytest.mark.parametrize("time", [-1, 2000])
def test_times_beyond_the_schedule_are_refused(time):
    with pytest.raises(ConfigError, match=f"score_time {time}"):
        ImageRegistrar(score_time=time)
