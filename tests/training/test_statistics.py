"""Mean and deviation of a network's input."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.errors import ConfigError
from stemtune.models.xumx import XUMX, XUMXConfig
from stemtune.training.statistics import measure_statistics, take_statistics
from tests.training.miniature import RATE, tiny_model, tiny_phase


def test_they_are_those_of_all_frames_of_all_mixtures(songs: Path) -> None:
    frames: list[np.ndarray] = []
    for song in sorted(songs.iterdir()):
        mixture = sum(soundfile.read(song / f"{stem}.wav")[0] for stem in ("vocals", "drums"))
        padded = np.pad(mixture, 128, mode="reflect")
        window = np.hanning(257)[:256]
        frames += [np.abs(np.fft.rfft(padded[i : i + 256] * window)) for i in range(0, len(padded) - 255, 64)]
    mean, deviation = measure_statistics(tiny_phase(songs).data, n_fft=256, hop_length=64)
    np.testing.assert_allclose(mean, np.mean(frames, axis=0), rtol=1e-3, atol=1e-5)
    expected = np.std(frames, axis=0)
    np.testing.assert_allclose(deviation, np.maximum(expected, 1e-4 * expected.max()), rtol=1e-3, atol=1e-4)


def test_a_network_begins_with_a_normalised_input(songs: Path) -> None:
    network = XUMXConfig(
        stems=("vocals", "drums"), sample_rate=RATE, channels=1, n_fft=256, hop_length=64, num_bins=100, hidden_size=8
    ).build()
    take_statistics(network, tiny_phase(songs).data)
    mean, deviation = measure_statistics(tiny_phase(songs).data, n_fft=256, hop_length=64)
    assert isinstance(network, XUMX)
    for stem in range(2):
        assert torch.equal(network.networks[stem].encoder.input_mean, -mean[:100])
        assert torch.equal(network.networks[stem].encoder.input_scale, 1 / deviation[:100])


def test_other_networks_are_refused(songs: Path) -> None:
    with pytest.raises(ConfigError, match="a BandNet has no mean and scale"):
        take_statistics(tiny_model().build(), tiny_phase(songs).data)
