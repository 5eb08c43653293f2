"""Images in one pass: the network of the bridge as a regression."""

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import nn

from monai_cortex.inferers import DirectInferer, DirectPrepareBatch
from monai_cortex.networks.nets import ConditionalUNet


def batch(edge=4):
    generator = torch.Generator().manual_seed(0)
    parts = torch.rand(2, 6, edge, edge, edge, generator=generator) * 2 - 1
    return {"image": parts[:, :1], "source": parts[:, 1:2], "condition": parts[:, 2:]}


def doubled(x, timesteps):
    assert timesteps.tolist() == [0, 0]
    return 2 * x.mean(1, keepdim=True) if x.shape[1] == 1 else 2 * x[:, 1:2]


def test_network_sees_the_fields_alone_at_timestep_zero():
    parts, inferer = batch(), DirectInferer()
    found = inferer(parts["image"], doubled, parts["source"], parts["condition"])
    torch.testing.assert_close(found, 2 * parts["condition"][:, :1])
    torch.testing.assert_close(inferer(parts["image"], doubled, parts["source"]), 2 * parts["source"])


def test_sample_is_the_prediction_clamped():
    parts = batch()
    drawn = DirectInferer().sample(parts["source"], doubled, None, num_inference_steps=3, eta=1.0, generator=None)
    torch.testing.assert_close(drawn, (2 * parts["source"]).clamp(-1, 1))
    assert drawn.max() == 1


def test_label_is_the_image():
    parts = batch()
    image, label, args, kwargs = DirectPrepareBatch()(parts, "cpu")
    assert torch.equal(image, label)
    assert torch.equal(label, parts["image"])
    assert args == ()
    assert set(kwargs) == {"source", "condition"}


def test_trainer_takes_a_step():
    torch.manual_seed(0)
    network = ConditionalUNet(sample=False, channels=(4, 8), local_channels=4)
    before = [p.clone() for p in network.parameters()]
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[batch(16)],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 1e-2),
        loss_function=nn.L1Loss(),
        inferer=DirectInferer(),
        prepare_batch=DirectPrepareBatch(),
        decollate=False,
    )
    trainer.run()
    assert trainer.state.output["loss"].item() == pytest.approx(float(batch(16)["image"].abs().mean()), rel=1e-5)
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
