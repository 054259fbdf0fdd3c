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
    lines = outcome.out.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == ["error: Files that cannot be read (1)"]
    assert "  - song1/vocals.wav: is text, not audio; give an audio or video file such as wav, flac, mp3, m4a" in lines
    assert "not fit for training yet" in outcome.out


def test_warnings_count_only_when_strict(stemtune: Run, songs: Path) -> None:
    (songs / "song1" / "vocals.wav").unlink()
    outcome = stemtune("data", "check", songs)
    assert outcome.code == 0
    assert "warning: Songs without a stem that others have (1)" in outcome.out
    assert "song1 (vocals): no vocals, which 1 of 2 songs have" in outcome.out
    assert stemtune("data", "check", songs, "--strict").code == 1


def test_json_is_all_that_is_printed(stemtune: Run, songs: Path) -> None:
    outcome = stemtune("data", "check", songs, "--json")
    assert outcome.code == 0
    told = json.loads(outcome.out)
    assert told["schema_version"] == 1
    assert len(told["tracks"]) == 2
    assert told["active_minutes"][""]["drums"] == pytest.approx(1.2, abs=0.01)
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
    assert short.out.count("every sample is zero") == 5
    assert "3 more silent; --tracks shows them all" in short.out
    assert long.out.count("every sample is zero") == 8
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


def test_reports_to_keep(stemtune: Run, songs: Path, tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("audit.json", "audit.md", "audit.png")]
    outcome = stemtune("data", "check", songs, *(part for file in kept for part in ("--save", file)))
    assert outcome.code == 0, outcome.err
    assert json.loads(kept[0].read_text())["counts"]["error"] == 0
    assert kept[1].read_text().startswith("# Audit of ")
    assert "| vocals | 2 | 1.2 |" in kept[1].read_text()
    assert kept[2].read_bytes().startswith(b"\x89PNG")
    outcome = stemtune("data", "check", songs, "--save", tmp_path / "audit.doc")
    assert (outcome.code, outcome.out) == (2, "")
    assert "expected a name ending in .json, .md, .png, .svg, .pdf" in outcome.err


def test_several_data_sets_as_splits(stemtune: Run, songs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (songs / "song1").rename(other / "song1")
    soundfile.write(other / "song1" / "drums.wav", 0.5 * noise(1, minutes=0.6).T.numpy(), RATE)
    outcome = stemtune("data", "check", f"train={songs}", f"test={other}")
    assert outcome.code == 1
    assert "error: The same sound on both sides of a split (1)" in outcome.out
    assert "s of test (from 0:00.0) are also in" in outcome.out


def test_headers_only_on_request(stemtune: Run, songs: Path) -> None:
    outcome = stemtune("data", "check", songs, "--quick")
    assert outcome.code == 0
    assert "0 errors, 0 warnings, 0 notes: fit for training" in outcome.out
