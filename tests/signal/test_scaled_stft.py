"""The scaled transform is scipy's, and its inverse gives every sample back."""

import pytest
import torch

from stemtune.signal.scaled_stft import scaled_istft, scaled_num_frames, scaled_stft, sqrt_hann

scipy_signal = pytest.importorskip("scipy.signal")
LENGTHS = (1, 2, 127, 128, 129, 511, 512, 513, 4001, 16000)


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_it_is_scipys(num_samples: int) -> None:
    waveform = torch.randn(2, num_samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = sqrt_hann(512, dtype=torch.float64)
    padded = torch.nn.functional.pad(waveform, (0, max(0, 512 - num_samples)))  # scipy shrinks windows to short signals
    _, _, expected = scipy_signal.stft(padded.numpy(), nperseg=512, noverlap=384, window=window.numpy())
    spectrogram = scaled_stft(waveform, hop_length=128, window=window)
    frames = scaled_num_frames(num_samples, hop_length=128)
    assert spectrogram.shape == (2, 257, frames)
    torch.testing.assert_close(spectrogram, torch.from_numpy(expected)[..., :frames], rtol=0, atol=1e-15)


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_the_inverse_gives_every_sample_back(num_samples: int) -> None:
    waveform = torch.randn(2, 3, num_samples, generator=torch.Generator().manual_seed(0))
    window = sqrt_hann(512)
    spectrogram = scaled_stft(waveform, hop_length=128, window=window)
    again = scaled_istft(spectrogram, hop_length=128, window=window, num_samples=num_samples)
    torch.testing.assert_close(again, waveform, rtol=0, atol=1e-5)


def test_ten_seconds_at_16_khz_have_1251_frames() -> None:
    assert scaled_num_frames(160_000, hop_length=128) == 1251


def test_a_sinusoid_of_amplitude_one_peaks_at_a_half() -> None:
    time = torch.arange(4096) / 16000
    spectrogram = scaled_stft(torch.sin(2 * torch.pi * 1000 * time), hop_length=128, window=sqrt_hann(512))
    assert spectrogram.abs()[:, 10:20].amax() == pytest.approx(0.5, abs=1e-3)
