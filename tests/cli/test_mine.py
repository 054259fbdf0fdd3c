"""``stemtune train-detector`` and ``mine``: what they say of labels that are missing, silent or learnt from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.cli.main import run

SHORT = ("--steps", "2", "--batch-size", "2", "--workers", "1", "--stems", "drums,vocals,bass")


@pytest.fixture
def held_out(songs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "held out"
    shutil.copytree(songs / "song 0", folder / "other")
    return folder


def silent_songs(folder: Path) -> Path:
    for stem in ("drums", "vocals"):
        path = folder / "silence" / f"{stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros((6 * 8000, 1)), 8000)
    return folder


def test_a_stem_that_no_song_has_is_said_and_left_out(
    songs: Path, held_out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train-detector", str(songs), "--held-out", str(held_out), "-o", str(tmp_path / "d"), *SHORT]) == 0
    told = capsys.readouterr()
    assert "bass: none of the songs to learn from has it" in told.err
    assert "bass: none of the held-out songs has it" in told.out
    assert run(["mine", str(songs), "-d", str(tmp_path / "d"), "-o", str(tmp_path / "out")]) == 1
    assert "a threshold for none of its stems" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("silent_part", ["learnt", "held out"])
def test_songs_that_are_silent_throughout_are_refused(
    songs: Path, held_out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], silent_part: str
) -> None:
    silence = silent_songs(tmp_path / "silent")
    data, checked = (silence, held_out) if silent_part == "learnt" else (songs, silence)
    assert run(["train-detector", str(data), "--held-out", str(checked), "-o", str(tmp_path / "d"), *SHORT]) == 1
    told = capsys.readouterr().err
    assert "silent throughout" in told
    assert "Traceback" not in told
    assert not (tmp_path / "d" / "detector.json").exists()


def test_songs_are_either_learnt_or_held_out(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train-detector", str(songs), "--held-out", str(songs), "-o", str(tmp_path / "d"), *SHORT]) == 2
    assert "song 0 is among the songs to learn from and among those held out" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()
