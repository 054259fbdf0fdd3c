"""Miniatures of the study's corpora, and of its scale."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from stemtune.recipes.bugler2020.scales import LAPTOP, Scale

RATE = 16000
LAPTOP_SETS: Mapping[str, tuple[str, ...]] = {
    "real/songs": ("vocals", "accompaniment"),
    "real/karaoke": ("vocals", "accompaniment"),
    "pop": ("drums", "bass", "other"),
    "drums/train": ("kick", "snare", "cymbals"),
    "drums/test": ("kick", "snare", "cymbals"),
    "choir/train": ("male", "female"),
    "choir/test": ("male", "female"),
    "chorales/train": ("violin", "clarinet", "saxophone", "bassoon"),
    "chorales/test": ("violin", "clarinet", "saxophone", "bassoon"),
}


def tiny_scale(**changes: object) -> Scale:
    """A network of a few thousand parameters, two steps of everything."""
    settings: dict[str, object] = {
        "hidden_size": 4,
        "num_layers": 1,
        "pretrain_steps": 2,
        "finetune_steps": 2,
        "batch_size": 2,
        "segment_seconds": 0.5,
        "excerpt_seconds": 0.7,
        "headline_seeds": [0],
        "glance_every_steps": 1,
        "num_excerpts": 3,
        "num_glance_excerpts": 2,
    }
    return LAPTOP.override(settings | changes)


def write_song(
    folder: Path, stems: Sequence[str], *, seconds: float = 2.0, suffix: str = ".wav", seed: int = 0
) -> None:
    """A tone and noise of its own for each stem; what is called ``mixture`` is the sum of the others."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    folder.mkdir(parents=True, exist_ok=True)
    total = np.zeros(time.size, dtype=np.float32)
    for number, stem in enumerate(sorted(stems, key=lambda name: name == "mixture")):
        tone = np.sin(2 * np.pi * 300 * (number + 1) * time) + 0.1 * generator.standard_normal(time.size)
        samples = total if stem == "mixture" else (0.1 * tone).astype(np.float32)
        total = total + samples
        soundfile.write(
            folder / f"{stem}{suffix}",
            samples,
            RATE,
            subtype=None if suffix == ".flac" else "FLOAT",
        )


def write_laptop_sets(folder: Path) -> None:
    """What `preparing` makes, in small."""
    for seed, (name, stems) in enumerate(LAPTOP_SETS.items()):
        for song in ("a", "b"):
            write_song(folder / name / f"song-{song}", stems, seed=seed)
