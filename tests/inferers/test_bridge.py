"""Training and sampling of the bridge: what networks are given, and what is drawn with them."""

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import nn

from monai_cortex.inferers import BridgeInferer, BridgePrepareBatch
from monai_cortex.networks.nets import ConditionalUNet
from monai_cortex.networks.schedulers import BrownianBridgeScheduler

SHAPE = (2, 1, 4, 4, 4)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(edge=4):
    shape = (2, 1, edge, edge, edge)
    return {
        "image": normal(0, *shape).clamp(-1, 1),
        "source": normal(1, *shape).clamp(-1, 1),
        "condition": normal(2, 2, 4, edge, edge, edge),
    }


class Witness(nn.Module):
    """Predicts a fixed difference and keeps what it was shown."""

    def __init__(self, answer=None):
        super().__init__()
        self.answer, self.shown, self.times = answer, [], []

    def forward(self, x, timesteps):
        self.shown.append(x)
        self.times.append(timesteps)
        return torch.zeros_like(x[:, :1]) if self.answer is None else self.answer


def test_network_sees_sample_source_and_condition_in_this_order():
    parts, scheduler, network = batch(), BrownianBridgeScheduler(), Witness()
    noise, times = normal(3, *SHAPE), torch.tensor([10, 900])
    BridgeInferer(scheduler)(parts["image"], network, noise, times, parts["source"], parts["condition"])
    noisy = scheduler.add_noise(parts["image"], noise, times, parts["source"])
    torch.testing.assert_close(network.shown[0], torch.cat([noisy, parts["source"], parts["condition"]], dim=1))
    assert network.times[0].tolist() == [10, 900]


@pytest.mark.parametrize(("source", "condition", "channels"), [(True, True, 6), (False, True, 5), (True, False, 2)])
def test_channels_that_the_network_sees(source, condition, channels):
    parts, network = batch(), Witness()
    inferer = BridgeInferer(BrownianBridgeScheduler(), use_source_concat=source)
    given = parts["condition"] if condition else None
    inferer(parts["image"], network, normal(3, *SHAPE), torch.tensor([10, 900]), parts["source"], given)
    inferer.sample(parts["source"], network, given, num_inference_steps=2)
    assert {x.shape[1] for x in network.shown} == {channels}


@pytest.mark.parametrize("first_step", ["renoise", "as_reference"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_oracle_draws_the_image(first_step, steps, eta):
    parts = {name: part.double() for name, part in batch().items()}
    inferer = BridgeInferer(BrownianBridgeScheduler(), first_step=first_step)
    network = Witness(parts["source"] - parts["image"])
    drawn = inferer.sample(parts["source"], network, None, steps, eta)
    torch.testing.assert_close(drawn, parts["image"], atol=1e-12, rtol=0)
    assert len(network.shown) == steps


def test_sampling_starts_at_the_source_and_ends_at_timestep_zero():
    parts, network = batch(), Witness()
    BridgeInferer(BrownianBridgeScheduler()).sample(parts["source"], network)
    assert torch.equal(network.shown[0][:, :1], parts["source"])
    assert [times.unique().tolist() for times in network.times] == [
        [t] for t in (999, 874, 749, 624, 499, 374, 249, 124, 1, 0)
    ]
    assert {tuple(times.shape) for times in network.times} == {(2,)}


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_first_step_draws_from_the_bridge_of_the_first_estimate(eta):
    count = 200_000
    source, network = torch.full((1, 1, count), -0.6).double(), Witness(torch.full((1, 1, count), -0.9).double())
    _, way = BridgeInferer(BrownianBridgeScheduler()).sample(
        source, network, None, 10, eta, torch.Generator().manual_seed(0), save_intermediates=True, intermediate_steps=1
    )
    second = network.shown[1][0, 0]
    m = 0.001 + 0.998 * 874 / 999
    variance = 2 * m * (1 - m)
    assert float(second.mean()) == pytest.approx((1 - m) * 0.3 - m * 0.6, abs=4 * (variance / count) ** 0.5)
    assert float(second.var()) == pytest.approx(variance, rel=4 * (2 / count) ** 0.5)
    assert any(torch.equal(second, sample[0, 0]) for sample in way)


def test_reference_start_without_noise_has_no_variance():
    parts, network = batch(), Witness()
    inferer = BridgeInferer(BrownianBridgeScheduler(), first_step="as_reference")
    draws = [inferer.sample(parts["source"], network, None, 10, 0.0) for _ in range(2)]
    assert torch.equal(*draws)
    other = BridgeInferer(BrownianBridgeScheduler(), first_step="renoise")
    shown = len(network.shown)
    other.sample(parts["source"], network, None, 10, 0.0, torch.Generator().manual_seed(1))
    assert not torch.equal(network.shown[1], network.shown[shown + 1])


class PerfectNetwork(nn.Module):
    """Best prediction of y - x0 for normal x0: what a trained network tends to."""

    def __init__(self, scheduler, mean=0.2, variance=0.25):
        super().__init__()
        self.scheduler, self.mean, self.variance = scheduler, mean, variance

    def forward(self, x, timesteps):
        sample, source = x[:, :1], x[:, 1:2]
        m, delta = (float(table[int(timesteps[0])]) for table in (self.scheduler.m, self.scheduler.delta))
        gain = self.variance * (1 - m) / ((1 - m) ** 2 * self.variance + delta)
        return source - self.mean - gain * (sample - (1 - m) * self.mean - m * source)


@pytest.mark.parametrize(("eta", "share"), [(1.0, 0.414), (0.5, 0.516), (0.0, 0.533)])
def test_perfect_network_draws_the_known_share_of_the_variance(eta, share):
    count, scheduler = 100_000, BrownianBridgeScheduler()
    source = torch.full((1, 1, count), -0.6).double()
    generator = torch.Generator().manual_seed(0)
    drawn = BridgeInferer(scheduler).sample(source, PerfectNetwork(scheduler), None, 10, eta, generator)
    assert float(drawn.var()) / 0.25 == pytest.approx(share, rel=4 * (2 / count) ** 0.5 + 1e-3)
    assert float(drawn.mean()) == pytest.approx(0.2, abs=4 * (share * 0.25 / count) ** 0.5)


def test_equal_generators_draw_equal_images_whatever_the_global_state_is():
    parts, inferer, draws = batch(), BridgeInferer(BrownianBridgeScheduler()), []
    for seed, other in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(other)
        network = PerfectNetwork(inferer.scheduler)
        draws.append(inferer.sample(parts["source"], network, generator=torch.Generator().manual_seed(seed)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_intermediates_are_as_far_apart_as_asked():
    parts = batch()
    for apart, kept in ((1, 10), (5, 2)):
        drawn, way = BridgeInferer(BrownianBridgeScheduler()).sample(
            parts["source"], Witness(), save_intermediates=True, intermediate_steps=apart
        )
        assert len(way) == kept
        assert {tuple(sample.shape) for sample in way} == {SHAPE}
    assert drawn.shape == SHAPE


def test_batches_carry_the_target_not_the_noise():
    parts, scheduler = batch(), BrownianBridgeScheduler()
    image, target, args, kwargs = BridgePrepareBatch(scheduler)(parts, "cpu")
    assert torch.equal(image, parts["image"])
    torch.testing.assert_close(target, parts["source"] - parts["image"])
    assert args == ()
    assert set(kwargs) == {"noise", "timesteps", "source", "condition"}
    assert kwargs["noise"].shape == SHAPE
    assert kwargs["timesteps"].dtype == torch.int64


def test_timesteps_of_batches_are_uniform():
    torch.manual_seed(0)
    many = {name: torch.zeros(20_000, 1, 1, 1, 1) for name in ("image", "source")}
    _, _, _, kwargs = BridgePrepareBatch(BrownianBridgeScheduler(10))(many)
    counts = kwargs["timesteps"].bincount(minlength=10)
    assert len(counts) == 10
    assert (counts - 2000).abs().max() < 5 * 2000**0.5
    assert kwargs["condition"] is None


def test_trainer_takes_a_step():
    torch.manual_seed(0)
    network, scheduler = ConditionalUNet(channels=(4, 8), local_channels=4), BrownianBridgeScheduler()
    before = [p.clone() for p in network.parameters()]
    losses = []
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[batch(16)],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 1e-2),
        loss_function=lambda found, target: losses.append((found - target).abs().mean()) or losses[-1],
        inferer=BridgeInferer(scheduler),
        prepare_batch=BridgePrepareBatch(scheduler),
        decollate=False,
    )
    trainer.run()
    parts = batch(16)
    assert losses[0].item() == pytest.approx(float((parts["source"] - parts["image"]).abs().mean()), rel=1e-5)
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_other_modes_and_first_steps_are_refused():
    with pytest.raises(ValueError, match="skip"):
        BridgeInferer(BrownianBridgeScheduler(), first_step="skip")
    parts = batch()
    with pytest.raises(NotImplementedError, match="crossattn"):
        BridgeInferer(BrownianBridgeScheduler())(
            parts["image"], Witness(), parts["image"], torch.tensor([1, 2]), parts["source"], mode="crossattn"
        )
