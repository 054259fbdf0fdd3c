"""``stemtune compare``: from the command line to a page."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RATE = 8000


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for number in range(2):
        for stem in ("vocals", "other"):
            path = tmp_path / "songs" / f"Song {number}" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, 0.1 * np.random.default_rng([number, len(stem)]).standard_normal((3 * RATE, 2)), RATE)
    return tmp_path / "songs"


def test_a_model_an_oracle_and_the_mixture_become_one_page(stemtune, kazoo: Path, songs: Path, tmp_path: Path):
    arguments = ("compare", "kazoo", "best=oracle-irm", songs, "-o", tmp_path / "out", "--seconds", "2")
    outcome = stemtune(*arguments, "--metrics", "sdr_global")
    assert outcome.code == 0, outcome.err
    page = tmp_path / "out" / "index.html"
    assert outcome.out.startswith(f"{page} (")
    text = page.read_text(encoding="utf-8")
    assert "kazoo beside best, mixture" in text
    assert f"stemtune compare kazoo best=oracle-irm {songs} --metrics=sdr_global" in text
    assert "an oracle, which knows the true stems" in text
    assert text.count("<audio") == 2 * 2 * 4
    assert "kazoo: 1/2 Song 0" in outcome.err
    again = stemtune(*arguments, "--metrics", "sdr_global", "--no-sound", "--title", "Kazoos")
    assert again.err.count("already done") == 6
    assert "<title>Kazoos</title>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["kazo", "SONGS"], 2, "did you mean 'kazoo'?"),
        (["kazoo", "nowhere"], 1, "nowhere"),
        (["SONGS"], 2, "Missing argument"),
        (["kazoo", "SONGS", "--metrics", "sdr"], 2, "the metrics are sdr_global, si_sdr"),
        (["kazoo", "SONGS", "--log", "kazoo"], 2, "--log expects NAME=FILE"),
        (["kazoo", "SONGS", "--log", "x=y"], 2, "a training log of 'x', who takes no part"),
        (["kazoo", "SONGS", "--pattern", "Z*"], 1, "none of its 2 tracks fits"),
        (["kazoo", "SONGS", "--seconds", "0"], 2, "--seconds"),
    ],
)
def test_what_cannot_be_compared_is_one_line(stemtune, kazoo: Path, songs: Path, arguments, code: int, message: str):
    outcome = stemtune("compare", *(str(songs) if argument == "SONGS" else argument for argument in arguments))
    assert outcome.code == code
    assert message in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
