"""A model that is small enough to be saved in every test, and a place for models that is nobody's."""

from pathlib import Path

import pytest
import torch

from stemtune.hub import ModelCard, Score, TrainingData, save_model
from stemtune.models.bandnet import BandNetConfig
from stemtune.models.base import Separator


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("STEMTUNE_HOME", str(home))
    return home


@pytest.fixture
def separator() -> Separator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BandNetConfig(
            stems=("kazoo", "rest"), sample_rate=8000, n_fft=64, hop_length=16, bands=((4, 2), (3, 8), (1, 1)),
            width=8, dilations=(1,), mixing_groups=2, chunk_seconds=0.5,
        )  # fmt: skip
        return config.build().eval()


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        name="kazoo",
        licence="CC-BY-4.0",
        description="Separates kazoos from everything else.",
        training_data=(
            TrainingData(corpus="Kazoo hour", licence="CC0-1.0", minutes=60.0),
            TrainingData(corpus="Street | bands", licence="CC-BY-4.0", minutes=30.0, stems=("rest",)),
        ),
        recipe="stemtune train kazoo",
        commit="0123abc",
        scores=(
            Score(
                stem="kazoo", definition="sdr_global", value=6.5, mixture_baseline=-1.25, data="Unheard", num_tracks=3
            ),
        ),
        intended_use="Rehearsal.",
        limits=("Vuvuzelas are taken for kazoos.",),
    )


@pytest.fixture
def folder(separator: Separator, card: ModelCard, tmp_path: Path) -> Path:
    save_model(separator, tmp_path / "kazoo", card)
    return tmp_path / "kazoo"
