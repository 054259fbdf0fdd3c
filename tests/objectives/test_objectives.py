"""Objectives: worked by hand, and lowest for the truth."""

import numpy as np
import pytest
import torch

from stemtune.objectives.spectral import MagnitudeMSE, MagnitudeMSEConfig
from stemtune.objectives.waveform import NegativeSNR, NegativeSNRConfig, WaveformL1
from stemtune.signal.stft import stft
from stemtune.types import Batch, Estimate


def batch(*, silent: bool = False) -> Batch:
    sources = torch.randn(2, 3, 1, 2000, generator=torch.Generator().manual_seed(0))
    if silent:
        sources[:, 1] = 0
    return Batch(mixture=sources.sum(dim=1), sources=sources, stems=("a", "b", "c"), sample_rate=8000)


def test_waveform_l1_is_the_mean_absolute_error() -> None:
    truth = batch()
    loss = WaveformL1()(Estimate(sources=truth.sources + 0.25), truth)
    assert float(loss.total) == pytest.approx(0.25, rel=1e-5)


def test_negative_snr_equals_its_formula() -> None:
    truth = batch(silent=True)
    estimate = truth.sources * 0.5 + 0.1
    x, s, e = truth.mixture.numpy(), truth.sources.numpy(), estimate.numpy()
    expected = np.mean(
        [10 * np.log10(np.sum((s[b, k] - e[b, k]) ** 2) / np.sum(x[b] ** 2) + 1e-3) for b in range(2) for k in range(3)]
    )
    loss = NegativeSNR(NegativeSNRConfig(threshold_db=-30.0))(Estimate(sources=estimate), truth)
    assert float(loss.total) == pytest.approx(expected, rel=1e-4)
    assert set(loss.parts) == {"a", "b", "c"}


def test_negative_snr_ends_at_its_threshold_and_survives_silence() -> None:
    truth = batch()
    objective = NegativeSNR(NegativeSNRConfig(threshold_db=-30.0))
    assert float(objective(Estimate(sources=truth.sources), truth).total) == pytest.approx(-30.0, abs=1e-3)
    nothing = Batch(torch.zeros(1, 1, 10), torch.zeros(1, 2, 1, 10), ("a", "b"), 8000)
    guess = torch.zeros(1, 2, 1, 10, requires_grad=True)
    loss = objective(Estimate(sources=guess), nothing).total
    loss.backward()
    assert torch.isfinite(loss)
    assert guess.grad is not None
    assert torch.isfinite(guess.grad).all()


def test_magnitude_mse_is_zero_for_the_truth_and_refuses_what_lacks_magnitudes() -> None:
    truth = batch()
    objective = MagnitudeMSE(MagnitudeMSEConfig(n_fft=256, hop_length=64))
    window = torch.hann_window(256)
    magnitudes = stft(truth.sources, n_fft=256, hop_length=64, window=window).abs()
    assert float(objective(Estimate(sources=truth.sources, magnitudes=magnitudes), truth).total) == 0.0
    louder = objective(Estimate(sources=truth.sources, magnitudes=magnitudes + 2.0), truth)
    assert float(louder.total) == pytest.approx(4.0, rel=1e-5)
    with pytest.raises(ValueError, match=r"needs Estimate\.magnitudes"):
        objective(Estimate(sources=truth.sources), truth)
