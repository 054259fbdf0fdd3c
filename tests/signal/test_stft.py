"""The plain transform: its inverse, and the last step of the inverse by itself."""

import pytest
import torch

from stemtune.signal.stft import istft, join_frames, stft


@pytest.mark.filterwarnings("ignore:The length of signal is shorter")
@pytest.mark.parametrize(
    ("n_fft", "hop_length", "num_samples"), [(64, 16, 501), (64, 24, 400), (16, 4, 3), (64, 64, 300)]
)
def test_join_frames_is_the_rest_of_the_inverse(n_fft: int, hop_length: int, num_samples: int) -> None:
    window = torch.hann_window(n_fft + 2, periodic=False)[1:-1] if hop_length == n_fft else torch.hann_window(n_fft)
    waveform = torch.randn(2, 3, 2, num_samples, dtype=torch.float64)
    window = window.double()
    settings = {"n_fft": n_fft, "hop_length": hop_length, "window": window}
    spectrogram = stft(waveform, **settings) * 1.5
    frames = torch.fft.irfft(spectrogram.permute(0, 4, 1, 2, 3), n=n_fft)
    ours = join_frames(frames, hop_length=hop_length, window=window, num_samples=num_samples)
    torch.testing.assert_close(ours, istft(spectrogram, **settings, num_samples=num_samples))
    torch.testing.assert_close(
        join_frames(frames[:, :, 0, 0], hop_length=hop_length, window=window, num_samples=num_samples), ours[:, 0, 0]
    )


def test_the_gradient_of_join_frames() -> None:
    frames = torch.randn(2, 5, 3, 8, dtype=torch.float64, requires_grad=True)
    for hop_length, num_samples in ((2, 8), (3, 13)):
        window = torch.hann_window(8, dtype=torch.float64)

        def added(x: torch.Tensor, hop: int = hop_length, size: int = num_samples) -> torch.Tensor:
            return join_frames(x, hop_length=hop, window=window, num_samples=size)  # noqa: B023

        assert torch.autograd.gradcheck(added, (frames,))
