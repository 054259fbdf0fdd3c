"""Training refuses data that cannot be learnt from before the first step, and says which file is meant."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.cli.main import run
from stemtune.errors import InputError
from stemtune.training import preflight
from stemtune.training.phase import Execution
from stemtune.training.run import train
from tests.training.miniature import RATE, tiny_experiment, tiny_validation

EXECUTION = Execution(device="cpu", num_workers=0)


@pytest.fixture
def copies(songs: Path, tmp_path: Path) -> Path:
    """Three songs that may be spoilt."""
    return Path(shutil.copytree(songs, tmp_path / "copies"))


def noise(seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(6 * RATE)).astype(np.float32)


def spoil(songs: Path, how: str) -> None:
    path = songs / "song 1" / "drums.wav"
    samples, _ = soundfile.read(path, dtype="float32")
    if how == "nan":
        samples[-5] = np.nan
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    elif how == "text":
        path.write_text("hello", encoding="utf-8")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:20_000])
    elif how == "length":
        soundfile.write(path, samples[: RATE * 4], RATE)
    elif how == "rate":
        soundfile.write(path, samples, 2 * RATE)
    elif how == "same":
        shutil.copy(path, path.with_name("vocals.wav"))
    elif how == "mixture":
        soundfile.write(path.with_name("mixture.wav"), noise(1), RATE)
    elif how == "silence":
        for song in songs.iterdir():
            soundfile.write(song / "drums.wav", np.zeros(6 * RATE), RATE)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("nan", r"song 1/drums.wav: sample 47995 of channel 0 is nan"),
        ("text", r"song 1/drums.wav: is text, not audio"),
        ("cut", r"song 1/drums.wav: cut off"),
        ("length", r"song 1/vocals.wav: expected 4.000 s"),
        ("rate", r"song 1/vocals.wav: expected 16000 Hz"),
        ("same", r"song 1 \(vocals\): drums and vocals are the same sound; export both again"),
        ("mixture", r"song 1/mixture.wav: the mixture without its stems is .* dB, where silence was expected; export"),
        ("silence", r"the stem 'drums' is silent from beginning to end in all its 3 recordings"),
    ],
)
def test_broken_data_are_refused(copies: Path, tmp_path: Path, how: str, message: str) -> None:
    spoil(copies, how)
    with pytest.raises(InputError, match=message):
        train(tiny_experiment(copies), tmp_path / "run", execution=EXECUTION, quiet=True)
    assert not list((tmp_path / "run").glob("*/checkpoints/*"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no audio found"):
        train(tiny_experiment(tmp_path / "empty"), tmp_path / "run", execution=EXECUTION, quiet=True)


def test_broken_validation_songs_are_refused(songs: Path, copies: Path, tmp_path: Path) -> None:
    spoil(copies, "nan")
    experiment = tiny_experiment(songs, validation=tiny_validation(copies).override({"pattern": "song 1"}))
    with pytest.raises(InputError, match=r"drums.wav: sample 47995"):
        train(experiment, tmp_path / "run", execution=EXECUTION, quiet=True)


def test_what_was_heard_is_not_heard_again_until_it_changes(
    copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(preflight, "refuse_broken", lambda tracks: heard.extend(track.name for _, track in tracks))
    experiment, folder = tiny_experiment(copies, validation=tiny_validation(copies)), tmp_path / "run"
    preflight.check_data(experiment, folder)
    preflight.check_data(experiment, folder)
    assert heard == ["song 0", "song 1", "song 2"]
    soundfile.write(copies / "song 0" / "drums.wav", noise(2), RATE)
    preflight.check_data(experiment, folder)
    assert len(heard) == 6


def test_a_song_that_lacks_a_stem_is_named(copies: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (copies / "song 1" / "drums.wav").unlink()
    preflight.check_data(tiny_experiment(copies), tmp_path)
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "copies/song 1: no drums, which 2 of 3 songs have; it counts as silent there: add the file" in error


def test_long_checks_are_announced(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "_WORTH_A_WORD_SECONDS", 1.0)
    preflight.check_data(tiny_experiment(songs), tmp_path)
    assert "listening once to all data (0.0 hours of files) before the first step" in capfd.readouterr().err


def test_the_check_can_be_left_out(copies: Path, tmp_path: Path) -> None:
    spoil(copies, "nan")
    execution = EXECUTION.override({"check_data": False, "max_minutes": 1e-9})
    train(tiny_experiment(copies), tmp_path / "run", execution=execution, quiet=True)


def test_the_command_line_says_it_in_one_line(copies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(copies, "nan")
    assert run(["train", "bandnet", "--data", str(copies), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "song 1/drums.wav: sample 47995 of channel 0 is nan" in error
    assert error.count("\n") == 1
