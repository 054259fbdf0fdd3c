"""A sound checks its shape, and is saved and loaded in one line."""

from pathlib import Path

import pytest
import torch

from stemtune.data.sound import Sound
from stemtune.data.writer import Encoding
from stemtune.errors import OutputError, UsageError

from .conftest import noise


def test_measures() -> None:
    sound = Sound(torch.zeros(2, 22_050), 44_100)
    assert (sound.num_channels, sound.num_samples, sound.duration_seconds) == (2, 22_050, 0.5)
    assert Sound(torch.zeros(1, 0), 8_000).duration_seconds == 0


def test_a_sound_may_hold_anything_that_a_model_says() -> None:
    assert Sound(torch.full((1, 3), torch.nan), 8_000).num_samples == 3


def test_no_channels() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        Sound(torch.zeros(0, 5), 44_100)


def test_no_rate() -> None:
    with pytest.raises(ValueError, match="positive sample rate"):
        Sound(torch.zeros(1, 5), 0)


def test_save_and_load(tmp_path: Path) -> None:
    sound = Sound(noise(5_000, 2), 44_100)
    path = sound.save(tmp_path / "new" / "a.wav", encoding=Encoding("wav", "float32"))
    loaded = Sound.load(str(path))
    assert loaded.sample_rate == 44_100
    assert torch.equal(loaded.samples, sound.samples)


def test_save_takes_the_format_from_the_name(tmp_path: Path) -> None:
    sound = Sound(noise(5_000), 48_000)
    beginnings = {"a.wav": b"RIFF", "a.FLAC": b"fLaC", "a.ogg": b"OggS", "a.opus": b"OggS", "a.m4a": b"\0\0\0"}
    for name, beginning in beginnings.items():
        assert sound.save(tmp_path / name).read_bytes().startswith(beginning)


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.mkv"])
def test_unknown_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"use one of \.wav, \.flac"):
        Sound(noise(5), 44_100).save(tmp_path / name)


def test_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no samples to write"):
        Sound(torch.zeros(2, 0), 44_100).save(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_gradients_and_doubles_are_saved_too(tmp_path: Path) -> None:
    samples = noise(100).double().requires_grad_()
    assert Sound.load(Sound(samples, 8_000).save(tmp_path / "a.wav")).num_samples == 100
