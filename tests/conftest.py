import pytest
import torch


@pytest.fixture
def double_precision():
    """Modules are built in float64, their operators too."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(previous)
