"""Songs of a quarter of a second."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.small_songs import SAMPLES, noise, write


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two songs; the second has no drums, and its bass is silent."""
    root = tmp_path / "songs"
    for number, stem in enumerate(("vocals", "drums", "bass")):
        write(root / "First" / f"{stem}.wav", noise(number))
    write(root / "Second" / "vocals.wav", noise(10))
    write(root / "Second" / "other.wav", noise(11))
    write(root / "Second" / "bass.wav", np.zeros((SAMPLES, 2)))
    return root
