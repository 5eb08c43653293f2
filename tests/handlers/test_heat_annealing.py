import pytest
import torch
from ignite.engine import Engine, Events

from monai_cortex.handlers import HeatAnnealing
from monai_cortex.inferers import ScoreGuidedRegistration
from monai_cortex.networks.nets import SpectralScoreNet, SphericalWarpNet


class Warm(torch.nn.Module):
    heat = 7.0


def heats(handler, network, epochs=4, length=5):
    """What the network's heat is in each iteration."""
    seen = []
    engine = Engine(lambda *_: seen.append(network.heat))
    handler.attach(engine)
    engine.run(range(length), max_epochs=epochs)
    return seen


def test_heat_falls_as_a_parabola_to_nothing_at_three_quarters():
    network = Warm()
    expected = [0.08 * max(0, 1 - step / 15) ** 2 for step in range(20)]
    assert heats(HeatAnnealing(network, 0.08), network) == pytest.approx(expected)
    assert expected[0] == 0.08
    assert expected[15:] == [0] * 5


def test_no_heat_is_none_from_the_start():
    network = Warm()
    assert heats(HeatAnnealing(network, 0.0), network) == [0] * 20


@pytest.mark.parametrize("wrap", [torch.nn.DataParallel, lambda n: torch.nn.DataParallel(torch.nn.DataParallel(n))])
def test_network_in_a_wrapper_is_reached(wrap):
    network = Warm()
    seen = heats(HeatAnnealing(wrap(network), 0.05), network)
    assert seen[0] == 0.05
    assert seen[-1] == 0


def test_validation_sees_sharp_maps():
    """Smooth ones agree better, and validations at different times could not be compared."""
    options = {"degree": 4, "level": 2, "channels": (4, 4)}
    warp = SphericalWarpNet(field_degree=2, **options)
    network = ScoreGuidedRegistration(SpectralScoreNet(**options), warp, 4, 2, passes=1, reverse_steps=1)
    maps = torch.randn(2, 1, 1, 162, generator=torch.Generator().manual_seed(0))
    read = {}
    for heat in (0.0, 0.1):
        network.heat = heat
        for training in (False, True):
            read[heat, training] = network.train(training)(*maps).steps[-1].read.detach()
    torch.testing.assert_close(read[0.1, False], read[0.0, False], atol=1e-6, rtol=0)
    assert (read[0.1, True] - read[0.0, True]).abs().max() > 0.1


def test_resumed_training_goes_on_where_it_was():
    network, whole = Warm(), Warm()
    engine, seen = Engine(lambda *_: seen.append(network.heat)), []
    HeatAnnealing(network).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED(once=2), engine.terminate)
    engine.run(range(5), max_epochs=4)
    state = engine.state_dict()
    again = Engine(lambda *_: seen.append(network.heat))
    HeatAnnealing(network).attach(again)
    again.load_state_dict({**state, "iteration": 10, "max_epochs": 4, "epoch_length": 5})
    again.run(range(5))
    assert seen == pytest.approx(heats(HeatAnnealing(whole), whole))
