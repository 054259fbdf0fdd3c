"""snr and sd_sdr by hand, as properties, and beside si_sdr."""

import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemtune.errors import InputError
from stemtune.evaluation.metrics import sd_sdr, si_sdr, snr


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_worked_by_hand():
    reference = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    estimate = torch.tensor([[[1.0, 0.0], [0.0, 1.5]]])  # errors 1 and 0.5
    left, right = 10 * math.log10(4 / 1), 10 * math.log10(1 / 0.25)
    assert snr(estimate=estimate, reference=reference).item() == pytest.approx((left + right) / 2)
    left, right = 10 * math.log10(1 / 1), 10 * math.log10(2.25 / 0.25)
    assert sd_sdr(estimate=estimate, reference=reference).item() == pytest.approx((left + right) / 2)


@settings(max_examples=30, deadline=None)
@given(level_db=st.floats(-60, 60), seed=st.integers(0, 99))
def test_noise_at_a_known_level_gives_that_snr(level_db: float, seed: int):
    reference, error = noise(1, 1, 400, seed=seed), noise(1, 1, 400, seed=seed + 100)
    error = error * (reference.norm() / error.norm()) * 10 ** (-level_db / 20)
    assert snr(estimate=reference + error, reference=reference).item() == pytest.approx(level_db, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.01, 100), seed=st.integers(0, 99), zero_mean=st.booleans())
def test_sd_sdr_is_snr_plus_the_level_and_at_most_si_sdr(gain: float, seed: int, zero_mean: bool):
    reference = noise(2, 1, 300, seed=seed) + 0.1
    estimate = gain * (reference + 0.3 * noise(2, 1, 300, seed=seed + 100))
    options = {"estimate": estimate, "reference": reference, "zero_mean": zero_mean}
    level, e, s = sd_sdr(**options) - snr(**options), estimate, reference
    if zero_mean:
        e, s = e - e.mean(dim=2, keepdim=True), s - s.mean(dim=2, keepdim=True)
    alpha = (e * s).sum(dim=(1, 2)) / s.square().sum(dim=(1, 2))
    torch.testing.assert_close(level, 20 * torch.log10(alpha.abs()), rtol=0, atol=1e-9)
    assert (sd_sdr(**options) <= si_sdr(**options) + 1e-9).all()


def test_a_wrong_level_costs_both_but_silence_only_sd_sdr():
    reference = noise(1, 2, 500)
    for gain in (0.5, 2.0):
        estimate = gain * reference
        assert snr(estimate=estimate, reference=reference).item() == pytest.approx(-20 * math.log10(abs(gain - 1)))
        expected = 20 * math.log10(gain / abs(gain - 1))
        assert sd_sdr(estimate=estimate, reference=reference).item() == pytest.approx(expected)
    silence = torch.zeros_like(reference)
    assert snr(estimate=silence, reference=reference).tolist() == [0.0]
    assert sd_sdr(estimate=silence, reference=reference).tolist() == [-math.inf]


@pytest.mark.parametrize("metric", [snr, sd_sdr])
def test_perfection_silence_nothing_and_values_that_are_no_numbers(metric):
    reference = noise(2, 2, 100)
    assert metric(estimate=reference, reference=reference).tolist() == [math.inf] * 2
    reference[0], reference[1, 0] = 0, 0
    estimate = noise(2, 2, 100, seed=1)
    found = metric(estimate=estimate, reference=reference)
    assert math.isnan(found[0].item())
    assert found[1].item() == metric(estimate=estimate[1:, 1:], reference=reference[1:, 1:]).item()
    assert metric(estimate=torch.zeros(1, 1, 0), reference=torch.zeros(1, 1, 0)).isnan().all()
    estimate[1, 1, 3] = math.nan
    assert metric(estimate=estimate, reference=reference)[1].isnan()


@pytest.mark.parametrize("metric", [snr, sd_sdr, si_sdr])
def test_what_does_not_fit_is_refused(metric):
    # unwrapped, since the shape checker that is on in tests would refuse it first
    with pytest.raises(InputError, match="same stems, channels and samples"):
        inspect.unwrap(metric)(estimate=torch.zeros(1, 1, 4), reference=torch.zeros(1, 2, 4))
    with pytest.raises(InputError, match="must be positive"):
        metric(estimate=noise(1, 1, 4), reference=noise(1, 1, 4), sample_rate=0)
    assert (
        metric(estimate=noise(1, 1, 4).numpy(), reference=noise(1, 1, 4).numpy(), sample_rate=8000).item() == math.inf
    )
