import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.metrics.equivariance import equivariance_error
from monai_cortex.networks.nets import SpectralUNet

DEGREE = 8
COUNT = (DEGREE + 1) ** 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(channels=(4, 6, 8), trained=True, **options):
    torch.manual_seed(0)
    module = SpectralUNet(2, **{"degree": DEGREE, "level": 3, **options}, channels=channels)
    for parameter in module.parameters() if trained else ():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8), [3, 3, 3, 3]])
@pytest.mark.parametrize("degree", [7, 8])
@torch.no_grad()
def test_coefficients_of_any_depth_come_back_with_the_first_width(channels, degree):
    x = normal(0, 3, 2, (degree + 1) ** 2)
    found = network(channels, degree=degree)(x, normal(1, 3))
    assert found.shape == (3, channels[0], (degree + 1) ** 2)
    assert found.isfinite().all()


def test_levels_halve_the_degree():
    module = network()
    assert module.counts == [81, 25, 9]
    assert [block.transform.degree for block in module.down] == [8, 4, 2]
    assert [block.transform.degree for block in module.up] == [4, 8]


@torch.no_grad()
def test_only_low_degrees_go_down():
    """Below the first level there is nothing of degrees above L / 2, which cross by the first level alone."""
    module, seen = network((4, 6)), []
    module.down[1].register_forward_hook(lambda block, inputs, result: seen.append(inputs[0]))
    module(normal(0, 1, 2, COUNT), torch.zeros(1))
    assert seen[0].shape == (1, 4, 25)


@torch.no_grad()
def test_number_matters_and_each_has_its_own():
    module, x, number = network(), normal(0, 2, 2, COUNT), torch.tensor([0.0, -5.0])
    both = module(x, number)
    assert (both - module(x, number.flip(0))).abs().max() > 1e-3
    for index in range(2):
        single = module(x[index : index + 1], number[index : index + 1])
        torch.testing.assert_close(both[index : index + 1], single, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_network_commutes_with_rotations_but_for_what_the_meshes_cannot_hold(seed):
    matrix = harmonic_rotation(random_rotation(torch.Generator().manual_seed(seed)), DEGREE, even=False).float().T
    x = normal(seed, 2, 2, COUNT) / (1 + (harmonic_degrees(DEGREE) / 3.0) ** 2)
    modules = [network(level=level) for level in (3, 4)]
    errors = [
        equivariance_error(lambda c, m=module: m(c, torch.zeros(2)), x, lambda c: c @ matrix).item()
        for module in modules
    ]
    assert errors[0] < 0.01
    assert errors[1] < 0.4 * errors[0]


@torch.no_grad()
def test_untrained_network_is_linear_up_to_its_normalization():
    """All blocks start as their shortcuts."""
    module, x, y = network(trained=False), normal(0, 1, 2, COUNT), normal(1, 1, 2, COUNT)
    t = torch.zeros(1)
    torch.testing.assert_close(module(x + 2 * y, t), module(x, t) + 2 * module(y, t), atol=1e-4, rtol=1e-4)


def test_everything_learns():
    module = network()
    module(normal(0, 2, 2, COUNT), normal(1, 2)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in module.parameters())


def test_no_channels_and_coarse_meshes_are_refused():
    with pytest.raises(ValueError, match="at least one level"):
        network(())
    with pytest.raises(ValueError, match="81 coefficients, the mesh 42 vertices"):
        network(level=1)
