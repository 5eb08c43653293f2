"""Conditional diffusion from noise."""

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import nn

from monai_cortex.inferers import NoiseDiffusionInferer, NoiseDiffusionPrepareBatch
from monai_cortex.networks.nets import ConditionalUNet

SHAPE = (2, 1, 4, 4, 4)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(edge=4):
    shape = (2, 1, edge, edge, edge)
    image, source = (normal(seed, *shape).clamp(-1, 1) for seed in (0, 1))
    return {"image": image, "source": source, "condition": normal(2, 2, 4, edge, edge, edge)}


class TrueNoise(nn.Module):
    """Knows the image, and so the noise in each sample."""

    def __init__(self, inferer, image):
        super().__init__()
        self.scheduler, self.image, self.channels = inferer.scheduler, image, set()

    def forward(self, x, timesteps, context=None):
        self.channels.add(x.shape[1])
        alpha = self.scheduler.alphas_cumprod[timesteps].reshape(-1, 1, 1, 1, 1)
        return (x[:, :1] - alpha.sqrt() * self.image) / (1 - alpha).sqrt()


@pytest.mark.parametrize("steps", [2, 10, 250])
def test_true_noise_draws_the_image(steps):
    parts, inferer = batch(), NoiseDiffusionInferer()
    network = TrueNoise(inferer, parts["image"])
    drawn = inferer.sample(parts["source"], network, parts["condition"], steps)
    torch.testing.assert_close(drawn, parts["image"], atol=2e-4, rtol=0)
    assert network.channels == {6}


def test_training_predicts_the_noise_in_noisy_images():
    parts, inferer = batch(), NoiseDiffusionInferer()
    image, target, args, kwargs = NoiseDiffusionPrepareBatch()(parts, "cpu")
    assert args == ()
    assert torch.equal(target, kwargs["noise"])
    found = inferer(image, TrueNoise(inferer, parts["image"]), **kwargs)
    torch.testing.assert_close(found, target, atol=1e-2, rtol=1e-2)


def test_timesteps_of_batches_are_those_of_training():
    many = {name: torch.zeros(5000, 1, 1, 1, 1) for name in ("image", "source")}
    times = NoiseDiffusionPrepareBatch(7)(many)[3]["timesteps"]
    assert times.unique().tolist() == list(range(7))


def test_start_is_noise_of_the_generator():
    parts, inferer, draws = batch(), NoiseDiffusionInferer(), []
    network = ConditionalUNet(channels=(4, 8), local_channels=0)
    for seed, state in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(state)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            drawn = inferer.sample(parts["source"], network, parts["condition"], 3, 1.0, generator=generator)
        draws.append(drawn)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].shape == SHAPE
    assert draws[0].abs().max() <= 1


def test_trainer_takes_a_step():
    torch.manual_seed(0)
    network = ConditionalUNet(channels=(4, 8), local_channels=4)
    before = [p.clone() for p in network.parameters()]
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[batch(16)],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 1e-2),
        loss_function=nn.L1Loss(),
        inferer=NoiseDiffusionInferer(),
        prepare_batch=NoiseDiffusionPrepareBatch(),
        decollate=False,
    )
    trainer.run()
    assert trainer.state.output["loss"].item() == pytest.approx((2 / torch.pi) ** 0.5, abs=0.05)
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
