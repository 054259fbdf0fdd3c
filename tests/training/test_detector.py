"""A detector's training goes on as if it had not been killed."""

from pathlib import Path

import pytest
import torch

from stemtune.data.datasets import open_dataset
from stemtune.errors import ConfigError
from stemtune.mining.features import TrackTask, prepare
from stemtune.models.silence_detector import SilenceDetectorConfig
from stemtune.training.detector import DetectorTraining, train_detector
from tests.mining.conftest import noise

STEMS = ("drums", "bass")
TINY = SilenceDetectorConfig(stems=STEMS, width=2, hidden_size=4, lstm_layers=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("songs")
    for number, stem in enumerate(STEMS):
        noise(root / "song" / f"{stem}.wav", 8, seed=number, channels=1)
    return list(prepare([TrackTask(track, STEMS) for track in open_dataset(root)], root / "prepared"))


def trained(prepared: list[Path], folder: Path, *, steps: int, **changes: object) -> dict[str, torch.Tensor]:
    training = DetectorTraining(detector=TINY, steps=steps, batch_size=2, learning_rate=0.01).override(changes)
    return train_detector(training, prepared, folder, checkpoint_every_steps=2).state_dict()


def differs(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, other[name]) for name, value in one.items())


def test_killed_and_gone_on_with_it_is_the_same(prepared: list[Path], tmp_path: Path) -> None:
    whole = trained(prepared, tmp_path / "whole", steps=6)
    half = trained(prepared, tmp_path / "parts", steps=4)
    assert differs(half, whole)
    assert not differs(trained(prepared, tmp_path / "parts", steps=6), whole)


def test_another_rate_is_another_training(prepared: list[Path], tmp_path: Path) -> None:
    trained(prepared, tmp_path, steps=2)
    with pytest.raises(ConfigError, match="checkpoints of another training"):
        trained(prepared, tmp_path, steps=4, learning_rate=0.02)
