"""Adversarial training of the network that draws in one pass."""

import pytest
import torch
from monai.networks.nets import PatchDiscriminator
from torch import nn

from monai_cortex.errors import ConfigError
from monai_cortex.inferers import DirectInferer, DirectPrepareBatch, ImageTranslationTrainer, PatchScores
from monai_cortex.losses import DiscriminatorLoss, GeneratorLoss
from monai_cortex.networks.nets import ConditionalUNet


def batch(edge=16):
    parts = torch.rand(2, 6, edge, edge, edge, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return {"image": parts[:, :1], "source": parts[:, 1:2], "condition": parts[:, 2:]}


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    generator = ConditionalUNet(sample=False, channels=(4, 8), local_channels=4)
    discriminator = PatchDiscriminator(3, 4, in_channels=generator.in_channels + 1, num_layers_d=2, norm="INSTANCE")
    before = {net: [p.clone() for p in net.parameters()] for net in (generator, discriminator)}
    optimizers = [torch.optim.Adam(net.parameters(), 1e-2) for net in (generator, discriminator)]
    trainer = ImageTranslationTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[batch()],
        prepare_batch=DirectPrepareBatch(),
        g_network=generator,
        g_optimizer=optimizers[0],
        g_loss_function=GeneratorLoss(0.01),
        recon_loss_function=nn.L1Loss(),
        g_inferer=DirectInferer(),
        d_network=discriminator,
        d_optimizer=optimizers[1],
        d_loss_function=DiscriminatorLoss(),
        d_inferer=PatchScores(),
        decollate=False,
    )
    trainer.run()
    return trainer, generator, discriminator, optimizers, before


def test_both_networks_learn(trained):
    _, *networks, _, before = trained
    for network in networks:
        pairs = zip(before[network], network.parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)
        assert all(p.isfinite().all() for p in network.parameters())


def test_loss_of_the_iteration_is_told(trained):
    """The generator gives 0 at first: L1 to the image, and a little of the discriminator's opinion."""
    loss = float(trained[0].state.output["loss"])
    reconstruction = float(batch()["image"].abs().mean())
    assert reconstruction - 1e-5 <= loss < reconstruction + 0.1


def test_trainer_looks_like_a_supervised_one(trained):
    trainer, generator, _, optimizers, _ = trained
    assert trainer.network is generator
    assert trainer.optimizer is optimizers[0]
    assert isinstance(trainer.loss_function, nn.L1Loss)


def test_state_of_the_engine_holds_numbers_only(trained):
    assert all(isinstance(value, int | float) or value is None for value in trained[0].state_dict().values())


def test_scores_are_those_of_the_last_layer(trained):
    parts, discriminator = batch(), trained[2].eval()
    with torch.no_grad():
        found = PatchScores()(parts["image"], discriminator, parts["source"], parts["condition"])
        joined = torch.cat([parts["image"], parts["source"], parts["condition"]], dim=1)
        assert torch.equal(found, discriminator(joined)[-1])
    assert found.shape[:2] == (2, 1)


def test_several_processes_are_refused(as_process):
    with as_process(0, 2), pytest.raises(ConfigError, match="adversarial training is not shared"):
        ImageTranslationTrainer()
