import math

import pytest
import torch

from stemtune.signal.level import all_finite, decibels, full_scale, peak, quantise, quantise_jointly


def test_decibels_and_peak():
    assert decibels(1.0) == 0
    assert decibels(0.1) == pytest.approx(-20)
    assert decibels(0.0) == -math.inf
    assert peak(torch.tensor([[0.1, -0.7]])) == pytest.approx(0.7)
    assert peak(torch.zeros(2, 0)) == 0


@pytest.mark.parametrize("bits", [16, 24])
def test_integers_survive(bits):
    integers = torch.randint(-full_scale(bits), full_scale(bits), (2, 5000), dtype=torch.int32)
    assert torch.equal(quantise(integers.float() / full_scale(bits), bits=bits), integers)


@pytest.mark.parametrize("bits", [16, 24])
def test_joint_integers_sum_exactly_and_stay_near(bits):
    generator = torch.Generator().manual_seed(0)
    stems = 0.2 * torch.randn(4, 2, 10_000, generator=generator)
    mixture = (stems.sum(dim=0) * full_scale(bits)).round() / full_scale(bits)
    stems = stems + (mixture - stems.sum(dim=0)) / 4
    joint = quantise_jointly(stems, mixture, bits=bits)
    assert torch.equal(joint.sum(dim=0, dtype=torch.int32), quantise(mixture, bits=bits))
    assert (joint - quantise(stems, bits=bits)).abs().max() <= 3
    moved = joint != quantise(stems, bits=bits)
    assert torch.equal(moved.sum(dim=0) <= 1, torch.ones(2, 10_000, dtype=torch.bool))


def test_all_finite():
    assert all_finite(torch.full((2, 10), 3e38))  # whose sum is not
    assert all_finite(torch.zeros(2, 0))
    for bad in (float("nan"), float("inf"), -float("inf")):
        assert not all_finite(torch.tensor([[0.0, bad, 1.0]]))
