import torch

from monai_cortex.geometry.hemisphere import hemispheric_graph
from monai_cortex.networks.layers import HemisphericalConv
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory


def test_layout_round_trip_keeps_every_value_in_its_place():
    x = torch.arange(2 * 3 * 4 * 5 * 6 * 7.0).view(2, 3, 4, 5, 6, 7)
    memory = to_memory(x)
    assert memory.shape == (4, 2, 5, 6, 7, 3)
    assert memory[3, 1, 4, 5, 6, 2] == x[1, 2, 3, 4, 5, 6]
    assert torch.equal(from_memory(memory), x)


def test_what_is_laid_out_already_is_not_copied():
    memory = torch.rand(4, 2, 5, 6, 7, 3)
    assert to_memory(from_memory(memory)).data_ptr() == memory.data_ptr()


def test_layers_hand_on_that_layout():
    graph = hemispheric_graph(1)
    y = HemisphericalConv(2, 3, graph)(torch.rand(1, 2, 6, 2, 2, 2))
    assert to_memory(y).data_ptr() == y.data_ptr()
