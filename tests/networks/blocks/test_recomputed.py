import copy

import torch
from torch import nn

from monai_cortex.networks.blocks.recomputed import recompute


class Block(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))


def kept(network, x):
    """Numbers that a forward pass keeps, and the gradients."""
    sizes = []

    def count(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        result = network(x)
    result.square().sum().backward()
    return sum(sizes), result.detach(), [parameter.grad.clone() for parameter in network.parameters()]


def test_less_is_kept_and_nothing_else_changes():
    torch.manual_seed(0)
    plain = nn.Sequential(Block(), Block())
    network, x = copy.deepcopy(plain), torch.randn(50, 4)
    recompute(network, Block)
    assert network.state_dict().keys() == plain.state_dict().keys()
    expected = kept(plain, x)
    for one in (network, copy.deepcopy(network)):  # averages of weights are copies
        one.zero_grad()
        found = kept(one, x)
        assert found[0] < expected[0] / 2
        assert torch.equal(found[1], expected[1])
        assert all(torch.equal(a, b) for a, b in zip(found[2], expected[2], strict=True))


def test_a_copy_has_weights_of_its_own():
    network = nn.Sequential(Block())
    recompute(network, Block)
    other, x = copy.deepcopy(network), torch.randn(3, 4)
    with torch.no_grad():
        before = other(x)
        network[0][0].weight.zero_()
        assert torch.equal(other(x), before)
