import torch
from torch import nn

from monai_cortex.networks.layers import SharedBatchNorm

ROWS = 7  # of the first process, of 10


def data():
    generator = torch.Generator().manual_seed(2)
    x, weight = (torch.randn(10, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return 50 + x * torch.tensor([1.0, 2.0, 5.0]), weight


def trained(norm, x, weight):
    """Result, gradients of the rows and of the weights, and the statistics of a step."""
    norm = norm.double()
    with torch.no_grad():
        norm.weight.mul_(2)
    x = x.clone().requires_grad_()
    y = norm(x)
    (y * weight).square().sum().backward()
    state = norm.state_dict()
    return y.detach(), x.grad, norm.weight.grad, norm.bias.grad, state["running_mean"], state["running_var"]


def test_one_process_is_as_in_pytorch_bit_by_bit():
    for ours, theirs in zip(trained(SharedBatchNorm(3), *data()), trained(nn.BatchNorm1d(3), *data()), strict=True):
        assert torch.equal(ours, theirs)


def test_processes_share_the_statistics_of_all_rows(in_processes):
    first, second = ([torch.tensor(value).double() for value in part] for part in in_processes(_part))
    expected = trained(nn.BatchNorm1d(3), *data())
    joined = [torch.cat([first[i], second[i]]) for i in (0, 1)]
    summed = [first[i] + second[i] for i in (2, 3)]
    torch.testing.assert_close([*joined, *summed], list(expected[:4]), atol=1e-5, rtol=1e-6)
    for part in (first, second):
        torch.testing.assert_close(part[4:], list(expected[4:]), atol=1e-5, rtol=1e-6)


def _part(rank):
    own = slice(ROWS, None) if rank else slice(ROWS)
    return [value.tolist() for value in trained(SharedBatchNorm(3), *(value[own] for value in data()))]


def test_validation_asks_no_other_process(as_process):
    norm = SharedBatchNorm(3).eval()
    x = torch.randn(4, 3)
    alone = norm(x)
    with as_process(1, 2):
        assert torch.equal(norm(x), alone)
