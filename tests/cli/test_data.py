"""``stemtune data check`` as a user meets it: a table, one line per finding, and the exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

RATE = 8000
Run = Callable[..., Any]


def noise(seed: int, *, minutes: float = 0.1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, round(minutes * 60 * RATE), generator=generator)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for song in range(2):
        for index, stem in enumerate(("vocals", "drums")):
            path = tmp_path / "songs" / f"song{song}" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, noise(10 * song + index, minutes=0.6).T.numpy(), RATE)
    return tmp_path / "songs"


def test_a_good_data_set_exits_with_0(stemtune: Run, songs: Path) -> None:
    outcome = stemtune("data", "check", songs)
    assert outcome.code == 0, outcome.out + outcome.err
    assert "2 tracks" in outcome.out
    assert "0 errors, 0 warnings, 0 notes: fit for training" in outcome.out
    assert outcome.err == ""


def test_an_error_exits_with_1_and_one_line(stemtune: Run, songs: Path) -> None:
    (songs / "song1" / "vocals.wav").write_text("hello", encoding="utf-8")
    outcome = stemtune("data", "check", songs)
    assert outcome.code == 1
    lines = [line for line in outcome.out.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "song1 (vocals)" in lines[0]
    assert "vocals.wav" in lines[0]
    assert "not fit for training yet" in outcome.out


def test_warnings_count_only_when_strict(stemtune: Run, songs: Path) -> None:
    (songs / "song1" / "vocals.wav").unlink()
    outcome = stemtune("data", "check", songs)
    assert outcome.code == 0
    assert "warning: song1 (vocals): expected this stem" in outcome.out
    assert stemtune("data", "check", songs, "--strict").code == 1


def test_json_is_all_that_is_printed(stemtune: Run, songs: Path) -> None:
    outcome = stemtune("data", "check", songs, "--json")
    assert outcome.code == 0
    told = json.loads(outcome.out)
    assert told["num_tracks"] == 2
    assert told["active_minutes"]["drums"] == pytest.approx(1.2, abs=0.01)
    (songs / "song0" / "drums.wav").write_bytes(b"")
    outcome = stemtune("data", "check", songs, "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["counts"]["error"] > 0


def test_every_track_and_every_finding_on_request(stemtune: Run, songs: Path) -> None:
    for index in range(8):
        path = songs / f"more{index}" / "vocals.wav"
        path.parent.mkdir()
        soundfile.write(path, noise(100 + index).T.numpy(), RATE)
        soundfile.write(path.with_name("drums.wav"), torch.zeros(1, 6 * 60 * RATE // 60).T.numpy(), RATE)
    short, long = stemtune("data", "check", songs), stemtune("data", "check", songs, "--tracks")
    assert short.out.count("the file is silent") == 5
    assert "3 more of warning silent" in short.out
    assert long.out.count("the file is silent") == 8
    assert "more7" in long.out


def test_nothing_found_is_an_error(stemtune: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = stemtune("data", "check", tmp_path / "empty")
    assert outcome.code == 1
    assert "no audio found" in outcome.out
    outcome = stemtune("data", "check", tmp_path / "nowhere")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.count("\n") == 1


def test_names_cannot_smuggle_markup(stemtune: Run, songs: Path) -> None:
    (songs / "song1").rename(songs / "[bold]song")
    outcome = stemtune("data", "check", songs, "--tracks")
    assert outcome.code == 0
    assert "[bold]song" in outcome.out
