"""Checks every annotated shape of the package while the tests run, and keeps torch to one thread."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from jaxtyping import install_import_hook

install_import_hook("stemtune", "beartype.beartype")

import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs of six seconds: a high tone that comes and goes, and noise bursts."""
    rate = 8000
    root = tmp_path_factory.mktemp("songs")
    time = np.arange(6 * rate) / rate
    for number in range(3):
        generator = np.random.default_rng(number)
        tone = 0.2 * np.sin(2 * np.pi * (1500 + 200 * number) * time) * (np.sin(time * 2 + number) > 0)
        bursts = 0.2 * generator.standard_normal(time.size) * ((time * 4) % 1 < 0.2)
        for stem, samples in {"vocals": tone, "drums": bursts}.items():
            path = root / f"song {number}" / f"{stem}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT")
    return root
