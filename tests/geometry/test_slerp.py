"""Paths between codes."""

import math

import pytest
import torch

from monai_cortex.geometry.slerp import lerp, slerp

PATHS = pytest.mark.parametrize("path", [lerp, slerp])


@pytest.fixture
def codes():
    return torch.randn(2, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def angle(a, b):
    return torch.acos((a @ b) / (a.norm() * b.norm())).item()


@PATHS
def test_ends(path, codes):
    a, b = codes
    torch.testing.assert_close(path(a, b, 0.0), a)
    torch.testing.assert_close(path(a, b, 1.0), b)


@PATHS
def test_path_to_itself_stays(path, codes):
    torch.testing.assert_close(path(codes[0], codes[0], 0.3), codes[0])


@PATHS
def test_the_way_back_is_the_same(path, codes):
    a, b = codes
    torch.testing.assert_close(path(a, b, 0.3), path(b, a, 0.7))


def test_quarter_circle():
    a, b = torch.eye(3, dtype=torch.float64)[:2]
    third = slerp(2 * a, 2 * b, 1 / 3)
    torch.testing.assert_close(third, third.new_tensor([2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6), 0]))
    torch.testing.assert_close(lerp(2 * a, 2 * b, 1 / 3), third.new_tensor([4 / 3, 2 / 3, 0]))


def test_norm_is_linear_and_constant_for_equal_norms(codes):
    a, b = codes
    for t in (0.1, 0.5, 0.8):
        assert slerp(a, b, t).norm().item() == pytest.approx(((1 - t) * a.norm() + t * b.norm()).item())
        assert slerp(a / a.norm(), b / b.norm(), t).norm().item() == pytest.approx(1)
    half = lerp(a / a.norm(), b / b.norm(), 0.5).norm().item()
    assert half == pytest.approx(math.cos(angle(a, b) / 2))


def test_direction_turns_evenly(codes):
    a, b = codes
    assert angle(a, slerp(a, b, 0.25)) == pytest.approx(angle(a, b) / 4)


def test_turning_space_turns_the_path(codes):
    a, b = codes
    turn = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    torch.testing.assert_close(slerp(a @ turn, b @ turn, 0.4), slerp(a, b, 0.4) @ turn)


def test_parallel_codes_are_joined_by_the_chord(codes):
    a, _ = codes
    torch.testing.assert_close(slerp(a, 3 * a, 0.25), 1.5 * a)
    near = a + 1e-9 * torch.roll(a, 1)
    torch.testing.assert_close(slerp(a, near, 0.5), lerp(a, near, 0.5))


def test_single_precision_near_the_switch(codes):
    a, b = codes.float()
    for gap in (3e-5, 9e-5, 1.1e-4, 3e-4):
        found = slerp(a, a + gap * b, 0.5)
        torch.testing.assert_close(found, a + gap / 2 * b, atol=1e-6, rtol=0)


@PATHS
def test_many_places_and_pairs_at_once(path, codes):
    a, b = codes
    places = torch.linspace(0, 1, 5, dtype=torch.float64)
    along = path(a, b, places)
    assert along.shape == (5, 20)
    torch.testing.assert_close(along[1], path(a, b, 0.25))
    pairs = path(codes, codes.flip(0), 0.25)
    torch.testing.assert_close(pairs[1], path(b, a, 0.25))


def test_codes_without_a_way_are_refused(codes):
    a, b = codes
    with pytest.raises(ValueError, match="antipodal"):
        slerp(a, -2 * a, 0.5)
    with pytest.raises(ValueError, match="zero"):
        slerp(a, 0 * b, 0.5)


@PATHS
@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan")])
def test_places_off_the_path_are_refused(path, codes, t):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        path(*codes, t)


@PATHS
def test_codes_of_two_models_are_refused(path, codes):
    with pytest.raises(ValueError, match="20 and 19"):
        path(codes[0], codes[1, 1:], 0.5)
