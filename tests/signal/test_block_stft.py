"""Blocks of frames add up to the transform of the whole signal, and back to the signal."""

import pytest
import torch

from stemtune.signal.block_stft import BlockSTFT
from stemtune.signal.stft import istft, stft


@pytest.mark.parametrize("num_samples", [1, 2, 31, 32, 33, 64, 1000, 1023])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(64, 16), (64, 21)])
def test_blocks_equal_the_whole(num_samples: int, n_fft: int, hop_length: int) -> None:
    waveform = torch.randn(2, 3, num_samples)
    window = torch.hann_window(n_fft)
    transform = BlockSTFT(window, hop_length, num_samples)
    padded, envelope = transform.pad(waveform), transform.envelope()
    rows = torch.zeros(2, 3, transform.num_rows, hop_length)
    spectra = []
    for first in range(0, transform.num_frames, 5):
        spectrum = transform.analyse(padded, first_frame=first, last_frame=min(first + 5, transform.num_frames))
        reached = transform.synthesise(spectrum, first_frame=first, envelope=envelope)
        rows[..., first : first + reached.shape[-2], :] += reached
        spectra.append(spectrum)
    whole = stft(waveform, n_fft=n_fft, hop_length=hop_length, window=window)
    assert transform.num_frames == whole.shape[-1]
    torch.testing.assert_close(torch.cat(spectra, dim=-2).transpose(-1, -2), whole)
    torch.testing.assert_close(transform.crop(rows), waveform, rtol=1e-4, atol=1e-4)


def test_synthesis_of_what_is_no_transform_of_a_signal_equals_istft() -> None:
    window = torch.hann_window(64)
    transform = BlockSTFT(window, 16, 500)
    spectrum = torch.randn(2, transform.num_frames, 33, dtype=torch.complex64)
    ours = transform.crop(transform.synthesise(spectrum, first_frame=0, envelope=transform.envelope()))
    theirs = istft(spectrum.transpose(-1, -2), n_fft=64, hop_length=16, window=window, num_samples=500)
    torch.testing.assert_close(ours, theirs)


def test_half_overlapping_windows_do_not_amplify_the_end() -> None:
    transform = BlockSTFT(torch.hann_window(64), 32, 95)
    spectrum = torch.randn(1, transform.num_frames, 33, dtype=torch.complex64)
    samples = transform.crop(transform.synthesise(spectrum, first_frame=0, envelope=transform.envelope()))
    assert samples[..., -3:].abs().max() < 3 * samples.abs().max()
    assert torch.isfinite(samples).all()
