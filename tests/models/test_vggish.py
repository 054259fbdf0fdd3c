"""VGGish as a listener."""

import math

import pytest
import torch

from stemtune.config import parse
from stemtune.models.vggish import VGGish, VGGishConfig
from stemtune.signal.mel import LogMel, log_mel

SMALL = {"channels": (2, 2, 3, 3, 4, 4), "hidden_size": 6, "features": 5}


def listener(**changes: object) -> VGGish:
    torch.manual_seed(0)
    return parse(VGGishConfig, SMALL | changes).build().eval()


@pytest.mark.parametrize(("seconds", "frames"), [(0.01, 1), (0.5, 1), (0.98, 1), (1.95, 2), (5.9, 6), (6.0, 6)])
def test_one_frame_per_patch_and_never_none(seconds: float, frames: int) -> None:
    network = listener()
    waveform = 0.1 * torch.randn(2, 2, round(seconds * network.sample_rate))
    with torch.no_grad():
        assert network(waveform).shape == (2, network.width, frames)
    assert network.hop_samples / network.sample_rate == pytest.approx(0.96)


def test_channels_are_averaged_and_examples_are_independent() -> None:
    network = listener()
    waveform = 0.1 * torch.randn(2, 2, 20_000)
    with torch.no_grad():
        features = network(waveform)
        assert torch.allclose(network(waveform.mean(dim=1, keepdim=True)), features, atol=1e-6)
        assert torch.allclose(network(waveform[1:]), features[1:], atol=1e-6)


def test_silence_has_one_description() -> None:
    with torch.no_grad():
        features = listener()(torch.zeros(1, 1, 80_000))
    assert torch.isfinite(features).all()
    assert torch.equal(features, features[..., :1].expand_as(features))


def test_a_tone_lights_up_the_band_that_it_lies_in() -> None:
    settings = LogMel()
    spectrogram = log_mel(torch.sin(2 * math.pi * 1000 * torch.arange(16_000) / 16_000), settings)
    lowest, highest = (1127 * math.log(1 + hz / 700) for hz in (125, 7500))
    place = (1127 * math.log(1 + 1000 / 700) - lowest) / (highest - lowest) * (settings.num_bands + 1) - 1
    assert int(spectrogram.mean(dim=-1).argmax()) in {math.floor(place), math.ceil(place)}


def test_no_frames_of_too_little() -> None:
    assert log_mel(torch.zeros(3, 399), LogMel()).shape == (3, 64, 0)
    assert log_mel(torch.zeros(3, 400), LogMel()).shape == (3, 64, 1)
