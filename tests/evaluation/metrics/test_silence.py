"""Energies where the reference or the estimate is silent, by hand and with what cannot be measured."""

import inspect
import math

import numpy as np
import pytest
import torch

from stemtune.errors import InputError
from stemtune.evaluation.metrics import energy_at_predicted_silence, predicted_energy_at_silence
from stemtune.evaluation.metrics.silence import energy_at_silence

RATE = 10


def sounds() -> tuple[torch.Tensor, torch.Tensor]:
    """An estimate and a reference of two stems, five seconds each and half a second more."""
    reference, estimate = torch.full((2, 2, 55), 0.5), torch.full((2, 2, 55), 0.25)
    reference[0, :, 10:30] = 0
    estimate[0, :, 20:40] = 0
    return estimate, reference


def test_frames_are_told_apart_by_what_is_silent_in_them():
    estimate, reference = sounds()
    found = energy_at_silence(estimate=estimate, reference=reference, sample_rate=RATE)
    leak, missed = 10 * math.log10(20 * 0.0625), 10 * math.log10(20 * 0.25)
    nan = math.nan
    expected = [[nan, leak, -120, nan, nan], [nan] * 5]
    np.testing.assert_allclose(found.predicted_at_silence.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(found.missed.numpy(), [[nan, nan, nan, missed, nan], [nan] * 5], atol=1e-6)


def test_means_over_frames_and_nan_for_a_stem_without_any():
    estimate, reference = sounds()
    leaks = predicted_energy_at_silence(estimate=estimate, reference=reference, sample_rate=RATE)
    misses = energy_at_predicted_silence(estimate=estimate, reference=reference, sample_rate=RATE)
    assert leaks[0].item() == pytest.approx((10 * math.log10(1.25) - 120) / 2)
    assert misses[0].item() == pytest.approx(10 * math.log10(5))
    assert leaks[1].isnan()
    assert misses[1].isnan()


def test_more_leakage_is_more_energy():
    reference = torch.zeros(1, 1, 50)
    leaks = [
        predicted_energy_at_silence(estimate=torch.full((1, 1, 50), gain), reference=reference, sample_rate=RATE)
        for gain in (0.0, 1e-4, 1e-2, 1.0)
    ]
    np.testing.assert_allclose(torch.cat(leaks).numpy(), [-120, -70, -30, 10], atol=1e-4)


def test_a_threshold_takes_coding_noise_for_silence():
    estimate, reference = sounds()
    reference[0, :, 10:30] = 1e-4
    options = {"estimate": estimate, "reference": reference, "sample_rate": RATE}
    assert energy_at_silence(**options).predicted_at_silence.isnan().all()
    found = energy_at_silence(**options, silent_below_dbfs=-70.0)
    assert found.predicted_at_silence[0].isnan().tolist() == [True, False, False, True, True]
    assert found.missed[0].isnan().tolist() == [True, True, True, False, True]


def test_opposite_channels_are_not_silent_here():
    reference = torch.cat([torch.ones(1, 1, 20), -torch.ones(1, 1, 20)], dim=1)
    found = energy_at_silence(estimate=reference, reference=reference, sample_rate=RATE)
    assert found.predicted_at_silence.isnan().all()


def test_frames_of_another_length():
    estimate, reference = sounds()
    options = {"sample_rate": RATE, "window_seconds": 2.0, "hop_seconds": 1.0}
    found = energy_at_silence(estimate=estimate, reference=reference, **options)
    assert found.missed.shape == (2, 4)
    assert found.predicted_at_silence[0].isnan().tolist() == [True, False, True, True]


@pytest.mark.parametrize("metric", [predicted_energy_at_silence, energy_at_predicted_silence, energy_at_silence])
def test_what_cannot_be_measured_is_refused(metric):
    estimate, reference = sounds()
    with pytest.raises(InputError, match="a sample rate must be positive"):
        metric(estimate=estimate, reference=reference, sample_rate=0)
    estimate[1, 0, 2] = math.nan
    with pytest.raises(InputError, match="the estimate of stem 1 holds samples that are not finite"):
        metric(estimate=estimate, reference=reference, sample_rate=RATE)


def test_other_shapes_are_refused():
    estimate, reference = sounds()
    with pytest.raises(InputError, match="same stems, channels and samples"):
        # unwrapped, since the shape checker that is on in tests would refuse it first
        inspect.unwrap(energy_at_silence)(estimate=estimate[:1], reference=reference, sample_rate=RATE)
