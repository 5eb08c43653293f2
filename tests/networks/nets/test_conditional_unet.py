"""The network that draws images from distance fields."""

import pytest
import torch

from monai_cortex.networks.nets import ConditionalUNet

SMALL = {"channels": (4, 8), "local_channels": 4}
PUBLISHED = {
    "channels": (64, 128, 192, 256),
    "attention_levels": (False, False, False, True),
    "local_channels": 0,
    "unet_options": {"num_res_blocks": 2, "norm_num_groups": 32, "num_head_channels": 64, "resblock_updown": True},
}


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({}, 6),
        ({"source": False}, 5),
        ({"aux": ()}, 2),
        ({"aux": ("pial", "white"), "sample": False}, 3),
        ({"sample": False}, 5),
    ],
)
def test_inputs_are_counted(options, channels):
    network = ConditionalUNet(**options, **SMALL)
    assert network.in_channels == channels
    assert network(torch.randn(2, channels, 8, 8, 8), torch.tensor([3, 900])).shape == (2, 1, 8, 8, 8)


@pytest.mark.parametrize("local", [0, 4])
def test_output_is_zero_at_first(local):
    torch.manual_seed(0)
    network = ConditionalUNet(channels=(4, 8), local_channels=local)
    assert not network(torch.randn(1, 6, 8, 8, 8), torch.tensor([500])).any()


def test_published_network_has_its_size():
    """Counted without memory for its weights."""
    with torch.device("meta"):
        network = ConditionalUNet(**PUBLISHED)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(62.1e6, rel=1e-3)


@pytest.mark.parametrize("attention", [(False, False), (False, True)])
def test_all_weights_learn(attention):
    torch.manual_seed(0)
    network = ConditionalUNet(**SMALL, attention_levels=attention)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    x, target = torch.randn(1, 6, 8, 8, 8), torch.randn(1, 1, 8, 8, 8)
    for _ in range(3):  # the last layer is zero at first, and nothing gets past it
        optimizer.zero_grad()
        (network(x, torch.tensor([500])) - target).square().mean().backward()
        optimizer.step()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []
    silent = [name for name, p in network.named_parameters() if not p.grad.any()]
    assert silent == []


def test_output_depends_on_time_and_on_each_channel():
    torch.manual_seed(0)
    network = ConditionalUNet(**SMALL)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.3)
    network.eval()
    x = torch.randn(1, 6, 8, 8, 8)
    with torch.no_grad():
        first = network(x, torch.tensor([10]))
        assert not torch.equal(first, network(x, torch.tensor([900])))
        assert torch.equal(network(x), network(x, torch.tensor([0])))
        for channel in range(6):
            other = x.clone()
            other[:, channel] += 1
            assert not torch.equal(first, network(other, torch.tensor([10])))


@pytest.mark.parametrize(
    ("switch", "tolerance"), [("half_precision", 3e-2), ("channels_last", 1e-5), ("checkpointing", 1e-6)]
)
def test_switches_change_the_cost_and_not_the_result(switch, tolerance):
    torch.manual_seed(0)
    plain = ConditionalUNet(**SMALL)
    for parameter in plain.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    network, x = ConditionalUNet(**SMALL, unet_options={switch: True}), torch.randn(1, 6, 8, 8, 8)
    network.load_state_dict(plain.state_dict())
    found = []
    for one in (plain, network):
        result = one(x, torch.tensor([500]))
        result.square().mean().backward()
        found.append(torch.cat([result.flatten(), *(p.grad.flatten() for p in one.parameters())]).detach())
    assert found[1].dtype == torch.float32
    assert (found[0] - found[1]).norm() < tolerance * found[0].norm()
    assert torch.equal(*found) or switch != "checkpointing"
    assert switch != "half_precision" or not torch.equal(*found)
    layout = network.local[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert layout == (switch == "channels_last")
