"""``stemtune evaluate``: the table with its definitions and baselines, and the files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RATE = 8000


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for number, song in enumerate(("First [song]", "Second")):
        folder = tmp_path / "songs" / song
        folder.mkdir(parents=True)
        for stem in ("vocals", "drums", "other"):
            noise = np.random.default_rng([number, len(stem)]).standard_normal((2000, 2))
            sf.write(folder / f"{stem}.wav", 0.1 * noise, RATE)
    return tmp_path / "songs"


def test_a_model_s_scores_are_printed_with_definition_and_baseline(stemtune, kazoo: Path, songs: Path):
    outcome = stemtune("evaluate", "kazoo", songs)
    assert outcome.code == 0, outcome.err
    assert "sdr_global: 10 log10" in outcome.out
    assert "MDX definition" in outcome.out
    assert "mixture, dB" in outcome.out
    rows = [line.split() for line in outcome.out.splitlines() if "sdr_global" in line and "│" in line]
    assert [row[3] for row in rows] == ["vocals", "other", "(mean)"]
    assert "First [song]" in outcome.err
    assert "1/2" in outcome.err


def test_a_folder_of_estimates_is_recognised(stemtune, songs: Path):
    outcome = stemtune("evaluate", songs, songs, "--metrics", "sdr_global", "--tracks")
    assert outcome.code == 0, outcome.err
    assert "First [song]" in outcome.out
    assert "si_sdr" not in outcome.out
    assert outcome.out.count("drums") == 3


def test_the_report_and_the_pictures_are_written(stemtune, kazoo: Path, songs: Path, tmp_path: Path):
    out = tmp_path / "scores"
    outcome = stemtune("evaluate", kazoo, songs, "--out", out, "--pictures", "--metrics", "sdr_global")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in out.iterdir()) == [
        "First [song].png", "Second.png", "scores.csv", "scores.json", "scores.md", "tracks",
    ]  # fmt: skip
    with (out / "scores.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 4
    assert json.loads((out / "scores.json").read_text())["subject"] == str(kazoo)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["kazo", "SONGS"], 2, "did you mean 'kazoo'?"),
        (["kazoo", "nowhere"], 1, "nowhere"),
        (["kazoo", "SONGS", "--split", "test"], 2, "no split 'test'"),
        (["kazoo", "SONGS", "--metrics", "sdr"], 2, "the metrics are sdr_global, si_sdr"),
        (["kazoo", "SONGS", "--pictures"], 2, "add --out"),
        (["kazoo", "SONGS", "--overlap", "2"], 2, "overlap"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(stemtune, kazoo: Path, songs: Path, arguments, code: int, message: str):
    outcome = stemtune("evaluate", *(str(songs) if argument == "SONGS" else argument for argument in arguments))
    assert outcome.code == code
    assert message in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1


def test_bss_eval_is_printed_with_its_rule_and_writes_museval_s_files(stemtune, songs: Path, tmp_path: Path):
    for song in (songs / "First [song]", songs / "Second"):
        for path in song.iterdir():
            sf.write(path, 0.1 * np.random.default_rng(len(path.stem)).standard_normal((2 * RATE, 1)), RATE)
    arguments = ("evaluate", "mixture", songs, "--metrics", "bss_eval_v4", "-o", tmp_path / "out", "--no-baseline")
    outcome = stemtune(*arguments)
    assert outcome.code == 0, outcome.err
    assert "median over frames, then median over tracks (rule museval)" in outcome.out
    assert outcome.out.count("(all)") == 4
    assert "museval" not in outcome.out.rpartition("Higher is better")[2]
    assert len(list((tmp_path / "out" / "museval" / "test").glob("*.json"))) == 2
    again = stemtune(*arguments, "--rule", "mdx")
    assert "rule mdx" in again.out
    assert again.err.count("already done") == 2


def test_the_mixture_is_evaluated_like_a_model_and_gains_nothing(stemtune, songs: Path):
    outcome = stemtune("evaluate", "mixture", songs, "--metric", "sdr_global", "--pattern", "F*")
    assert outcome.code == 0, outcome.err
    assert "1/1 First [song]" in outcome.err
    rows = [line.split() for line in outcome.out.splitlines() if "sdr_global" in line and "│" in line]
    assert {row[9] for row in rows} == {"+0.00"}
