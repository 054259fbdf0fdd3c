"""Sounds of a quarter of a second, on disk."""

from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 8000
SAMPLES = 2000


def noise(seed: int, *, samples: int = SAMPLES, channels: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((samples, channels))


def write(path: Path, samples: np.ndarray, *, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, rate, subtype=subtype)
    return path
