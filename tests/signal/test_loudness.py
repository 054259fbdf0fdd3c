"""Loudness: the standard's own numbers, and an independent implementation."""

import math

import numpy as np
import pyloudnorm
import pytest
import torch

from stemtune.signal.loudness import integrated_loudness, k_weighting_coefficients


def sine(frequency_hz: float, level_db: float, seconds: float, rate: int, num_channels: int = 1) -> torch.Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (10 ** (level_db / 20) * torch.sin(2 * torch.pi * frequency_hz * time)).float().repeat(num_channels, 1)


def test_filters_are_those_of_the_standard_at_48_khz() -> None:
    """ITU-R BS.1770-4, Tables 1 and 2."""
    shelf, high_pass = k_weighting_coefficients(48000)
    np.testing.assert_allclose(shelf[0], (1.53512485958697, -2.69169618940638, 1.19839281085285), rtol=1e-9)
    np.testing.assert_allclose(shelf[1], (1.0, -1.69065929318241, 0.73248077421585), rtol=1e-9)
    np.testing.assert_allclose(high_pass[0], (1.0, -2.0, 1.0))
    np.testing.assert_allclose(high_pass[1], (1.0, -1.99004745483398, 0.99007225036621), rtol=1e-9)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])  # the shelf is warped a little at low rates
def test_a_sine_at_full_scale_has_minus_three_lufs(rate: int) -> None:
    """BS.1770: 0 dBFS at 997 Hz in one channel is -3.01 LUFS; two channels are 3.01 more."""
    loudness = integrated_loudness(sine(997.0, 0.0, 4.0, rate), sample_rate=rate)
    assert loudness == pytest.approx(-3.01, abs=0.05)
    assert integrated_loudness(sine(997.0, 0.0, 4.0, rate, 2), sample_rate=rate) == pytest.approx(0.0, abs=0.05)


def test_pauses_do_not_count() -> None:
    """EBU Tech 3341, case 3: the relative gate leaves out what is 13 dB below; in stereo at 1 kHz."""
    quiet, loud = (sine(1000.0, level, seconds, 48000, 2) for level, seconds in ((-36.0, 2.0), (-23.0, 12.0)))
    programme = torch.cat([quiet, loud, quiet], dim=1)
    assert integrated_loudness(programme, sample_rate=48000) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_equal_to_pyloudnorm(rate: int, num_channels: int) -> None:
    generator = np.random.default_rng(rate + num_channels)
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    for seconds in (0.5, 1.03, 6.0):
        level = 10 ** (generator.uniform(-60, 0, 40) / 20)
        size = round(seconds * rate)
        envelope = np.repeat(level, size // 40 + 1)[:size, None]
        sound = np.cumsum(generator.standard_normal((size, num_channels)), axis=0) * 1e-3 + generator.standard_normal(
            (size, num_channels)
        )
        sound = (0.1 * envelope * sound).astype(np.float32)
        ours = integrated_loudness(torch.from_numpy(sound.T), sample_rate=rate)
        assert ours == pytest.approx(meter.integrated_loudness(sound), abs=0.002)


def test_silence_has_no_loudness_and_short_sounds_have() -> None:
    assert integrated_loudness(torch.zeros(2, 48000), sample_rate=48000) == -math.inf
    assert integrated_loudness(sine(997.0, -80.0, 1.0, 48000), sample_rate=48000) == -math.inf
    short = integrated_loudness(sine(997.0, -20.0, 0.1, 48000), sample_rate=48000)
    assert short == pytest.approx(-23.0, abs=0.2)
