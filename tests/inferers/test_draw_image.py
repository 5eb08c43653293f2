"""Sampling in place of a forward pass."""

import torch
from monai.engines import SupervisedEvaluator

from monai_cortex.inferers import BridgeInferer, DirectPrepareBatch, DrawImage
from monai_cortex.networks.schedulers import BrownianBridgeScheduler

SOURCE = torch.linspace(-1, 1, 64).reshape(1, 1, 4, 4, 4)


class Network(torch.nn.Module):
    def forward(self, x, timesteps):
        return 0.5 * x[:, 1:2] - 0.1 * x[:, :1]


def draw(seed, state):
    torch.manual_seed(state)
    inferer = DrawImage(BridgeInferer(BrownianBridgeScheduler()), seed, num_inference_steps=3)
    return inferer(torch.zeros(1), Network(), source=SOURCE, noise="not looked at")


def test_equal_seeds_draw_equal_images():
    assert torch.equal(draw(1, 5), draw(1, 6))
    assert not torch.equal(draw(1, 5), draw(2, 5))


def test_each_call_draws_with_the_same_noise():
    inferer = DrawImage(BridgeInferer(BrownianBridgeScheduler()), num_inference_steps=3)
    assert torch.equal(*(inferer(torch.zeros(1), Network(), SOURCE) for _ in range(2)))


def test_images_are_those_of_the_sampler():
    sampler = BridgeInferer(BrownianBridgeScheduler())
    expected = sampler.sample(SOURCE, Network(), None, 3, 0.5, torch.Generator().manual_seed(4))
    assert torch.equal(DrawImage(sampler, 4, num_inference_steps=3, eta=0.5)(SOURCE, Network(), SOURCE), expected)


def test_evaluator_draws():
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{"image": SOURCE, "source": SOURCE}],
        network=Network(),
        inferer=DrawImage(BridgeInferer(BrownianBridgeScheduler()), num_inference_steps=3),
        prepare_batch=DirectPrepareBatch(),
        decollate=False,
    )
    evaluator.run()
    assert evaluator.state.output["pred"].shape == SOURCE.shape
