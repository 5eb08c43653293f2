"""What is computed on a GPU is what is computed on the CPU. ``--device cpu`` runs the tests without a GPU."""

import copy

import pytest
import torch
from torch import Tensor, nn


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/gpu/" in item.path.as_posix():
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device(request):
    """The device of ``--device``; skips where it is a GPU and there is none."""
    name = request.config.getoption("--device")
    if name.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device(name)


@pytest.fixture(autouse=True)
def full_precision(device):  # noqa: ARG001 (asked for first, so that a skipped test changes nothing)
    """Convolutions keep all bits, some of which GPUs leave out where they are allowed to."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def _moved(value, place):
    if isinstance(value, nn.Module):
        return copy.deepcopy(value).to(place)
    if isinstance(value, Tensor):
        value = value.detach().to(place, copy=True)
        return value.requires_grad_(value.is_floating_point())
    if isinstance(value, dict):
        return {name: _moved(part, place) for name, part in value.items()}
    return type(value)(*(_moved(part, place) for part in value)) if hasattr(value, "_fields") else value


def _tensors(value):
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _results(function, inputs, place):
    """Results, and gradients of a fixed mixture of them in all inputs and parameters."""
    function, *inputs = (_moved(value, place) for value in (function, *inputs))
    results = _tensors(function(*inputs))
    assert all(result.device.type == torch.device(place).type for result in results)
    mixture = sum(
        (result.double() * torch.linspace(1, 2, result.numel(), dtype=torch.float64).view(result.shape).to(place)).sum()
        for result in results
        if result.requires_grad
    )
    parameters = list(function.parameters()) if isinstance(function, nn.Module) else []
    leaves = [leaf for leaf in (*_tensors(inputs), *parameters) if leaf.requires_grad]
    gradients = torch.autograd.grad(mixture, leaves, allow_unused=True) if isinstance(mixture, Tensor) else ()
    return [*results, *(gradient for gradient in gradients if gradient is not None)]


@pytest.fixture
def agree(device):
    """Call a function or module on the CPU and on the device; results and gradients must agree."""

    def compare(function, *inputs, tolerance=1e-6):
        expected, found = (_results(function, inputs, place) for place in ("cpu", device))
        assert len(found) == len(expected) > 0
        for one, other in zip(found, expected, strict=True):
            assert other.isfinite().all()
            scale = max(float(other.detach().abs().max()), 1e-12)
            torch.testing.assert_close(one.detach().cpu(), other.detach(), rtol=0, atol=tolerance * scale)

    return compare


@pytest.fixture(scope="session")
def normal():
    """Unit normal numbers in float64, by seed and shape; drawn on the CPU, so that every device gets the same."""
    return lambda seed, *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()
