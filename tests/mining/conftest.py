"""A tiny detector that calls everything silent or nothing, and a library with all that can be wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.mining.detector import DetectorFile, save_detector
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import SilenceDetectorConfig

STEMS = ("drums", "vocals", "other")


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says "silent" everywhere; has no threshold for ``other``."""
    torch.manual_seed(0)
    config = SilenceDetectorConfig(stems=STEMS, width=2, hidden_size=4, lstm_layers=1)
    network = config.build()
    torch.nn.init.constant_(network.decide.bias, 5.0)
    folder = tmp_path_factory.mktemp("detector")
    threshold = Threshold(probability=0.6, precision=1.0, recall=1.0, num_windows=1000, num_songs=3)
    thresholds = {"drums": threshold, "vocals": threshold, "other": None}
    save_detector(folder, network, DetectorFile(config=config, thresholds=thresholds))
    return folder


def noise(
    path: Path, seconds: float, *, seed: int = 0, channels: int = 2, rate: int = 16000, gain: float = 0.1
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = gain * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))
    soundfile.write(path, samples.astype(np.float32), rate, subtype="PCM_16")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    noise(root / "a" / "good.wav", 7)
    noise(root / "a" / "quiet end.flac", 6, seed=1, channels=1)
    noise(root / "b.wav", 8, seed=2, rate=44100)
    noise(root / "short.wav", 2, seed=3)
    noise(root / "six.wav", 6, seed=4, channels=6)
    noise(root / "silent.wav", 6, gain=0.0)
    (root / "z").mkdir()
    (root / "z" / "copy.wav").write_bytes((root / "a" / "good.wav").read_bytes())
    (root / "text.mp3").write_text("this is not music\n")
    (root / "drm.m4a").write_bytes(b"\0\0\0\x20ftypM4P \0\0\0\0" + bytes(range(256)) * 20)
    (root / "empty.ogg").write_bytes(b"")
    (root / "cover.jpg").write_bytes(b"\xff\xd8")
    return root
