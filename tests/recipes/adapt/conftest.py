"""Small songs of tones and bursts, and a small base model that knows neither of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from stemtune.hub import ModelCard, save_model
from stemtune.training.phase import Execution
from tests.training.miniature import RATE, tiny_model

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=2)

Sounds = Mapping[str, NDArray[np.float64]]
Write = Callable[[str, Sounds], Path]


def sounds(number: int, seconds: float = 10.0, rate: int = RATE) -> dict[str, NDArray[np.float64]]:
    """Two stems of one song: a tone of its own, and bursts of noise."""
    generator = np.random.default_rng(number)
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.2 * np.sin(2 * np.pi * (900 + 130 * number) * time) * (1 + 0.5 * np.sin(3 * time + number))
    bursts = 0.2 * generator.standard_normal(time.size) * ((time * 3 + 0.1 * number) % 1 < 0.4)
    return {"sitar": tone, "tabla": bursts}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a song's files; returns the folder of all songs."""
    root = tmp_path / "stems"

    def keep(name: str, stems: Sounds, rate: int = RATE) -> Path:
        for stem, samples in stems.items():
            path = root / name / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT")
        return root

    return keep


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with other stems."""
    folder = tmp_path_factory.mktemp("base") / "base"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tiny_model().override({"stems": ["vocals", "drums", "bass"]}).build()
    save_model(model, folder, ModelCard(name="tiny-base", licence="MIT", description="Knows nothing."))
    return folder
