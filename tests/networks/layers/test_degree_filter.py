import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.rotation import harmonic_rotation, random_rotation
from monai_cortex.networks.layers import DegreeFilter, DegreeScale
from monai_cortex.networks.layers.degree_filter import degree_anchors

DEGREE = 7
COUNT = (DEGREE + 1) ** 2
DEGREES = harmonic_degrees(DEGREE)


@pytest.fixture
def turn():
    matrix = harmonic_rotation(random_rotation(torch.Generator().manual_seed(3)), DEGREE, even=False).float()
    return lambda coefficients: coefficients @ matrix.T


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomized(module, seed=0):
    """All parameters drawn anew, those that start at zero too."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return module


@torch.no_grad()
def test_anchors_interpolate_linearly():
    weights = degree_anchors(7, spacing=3)
    assert weights.shape == (8, 4)
    expected = torch.arange(8.0)
    torch.testing.assert_close(weights @ torch.tensor([0.0, 3.0, 6.0, 9.0]), expected)
    torch.testing.assert_close(weights[4], torch.tensor([0, 2 / 3, 1 / 3, 0]))


@pytest.mark.parametrize("degree", [0, 1, 4, 5, 6, 20])
@pytest.mark.parametrize("spacing", [1, 2, 5])
def test_anchors_add_up_to_one_and_all_have_something_to_say(degree, spacing):
    weights = degree_anchors(degree, spacing)
    torch.testing.assert_close(weights.sum(1), torch.ones(degree + 1))
    assert ((weights > 0).sum(1) <= 2).all()
    assert (weights.sum(0) > 0).all()


@torch.no_grad()
def test_filter_is_its_matrix_at_the_anchors_and_the_mean_between():
    layer, x = DegreeFilter(2, 3, 6, spacing=2), normal(0, 4, 2, 49)
    kernels = {d: layer.weight[d // 2] if d % 2 == 0 else layer.weight[d // 2 : d // 2 + 2].mean(0) for d in range(7)}
    found, degrees = layer(x), harmonic_degrees(6)
    for index, degree in enumerate(degrees.tolist()):
        torch.testing.assert_close(found[..., index], x[..., index] @ kernels[degree].T, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_filter_commutes_with_rotations(turn):
    layer, x = DegreeFilter(2, 3, DEGREE), normal(1, 2, 2, COUNT)
    torch.testing.assert_close(layer(turn(x)), turn(layer(x)), atol=1e-5, rtol=0)
    assert (layer(turn(x)) - layer(x)).abs().max() > 0.1


@torch.no_grad()
def test_filter_keeps_the_variance_at_the_anchors():
    torch.manual_seed(0)
    x = normal(2, 20, 100, 36)
    found = DegreeFilter(100, 100, 5)(x)
    for degree in (0, 5):
        assert found[..., harmonic_degrees(5) == degree].var().item() == pytest.approx(1, rel=0.1)


def test_zero_filter_starts_as_nothing_and_learns():
    layer = DegreeFilter(2, 3, DEGREE, zero=True)
    found = layer(normal(3, 1, 2, COUNT))
    assert found.shape == (1, 3, COUNT)
    assert not found.any()
    found.square().sum().backward()
    (layer(normal(3, 1, 2, COUNT)) - 1).square().sum().backward()
    assert layer.weight.grad.abs().min() > 0


@torch.no_grad()
def test_scale_starts_as_the_identity():
    x = normal(4, 2, 3, COUNT)
    assert torch.equal(DegreeScale(3, DEGREE, 5)(x, normal(5, 2, 5)), x)


@torch.no_grad()
def test_scale_multiplies_degrees_and_adds_a_constant():
    layer = randomized(DegreeScale(2, 5, 3))
    x, condition = normal(6, 4, 2, 36), normal(7, 4, 3)
    numbers = layer.linear(condition).view(4, 2, 3)
    found, degrees = layer(x, condition), harmonic_degrees(5)
    for index, degree in enumerate(degrees.tolist()):
        share = degree / 5
        gain = 1 + (1 - share) * numbers[..., 1] + share * numbers[..., 2]
        expected = x[..., index] * gain + (numbers[..., 0] if degree == 0 else 0)
        torch.testing.assert_close(found[..., index], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_scale_commutes_with_rotations(turn):
    layer, x, condition = randomized(DegreeScale(2, DEGREE, 3)), normal(8, 2, 2, COUNT), normal(9, 2, 3)
    torch.testing.assert_close(layer(turn(x), condition), turn(layer(x, condition)), atol=1e-4, rtol=0)
