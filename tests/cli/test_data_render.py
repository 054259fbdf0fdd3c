"""``stemtune data render`` as a user meets it: a corpus and its summary, or one line that says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data.rendering.conftest import needs_fluidsynth
from tests.data.rendering.tiny import band_midi, write_chorales, write_soundfont

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("fonts")
    learn = write_soundfont(folder / "learn.sf2")
    judge = write_soundfont(folder / "judge.sf2", partials=(1.0, 0.0, 0.5))
    return ["--soundfont", str(learn), "--test-soundfont", str(judge)]


@needs_fluidsynth
def test_a_corpus_of_ones_own_scores(stemtune: Run, tmp_path: Path, fonts: list[str]) -> None:
    for number in range(2):
        band_midi(tmp_path / "midi" / f"song{number}.mid", bars=8)
    (tmp_path / "midi" / "broken.mid").write_bytes(b"not a score")
    band_midi(tmp_path / "midi" / "solo.mid", with_bass=False)
    command = ["data", "render", "bands", tmp_path / "midi", "-o", tmp_path / "out", "--songs", 4, "--seconds", 12,
               "--splits", "100/0/0", "-j", 1, *fonts]  # fmt: skip
    outcome = stemtune(*command)
    assert outcome.code == 0, outcome.err
    assert "bass, drums, other" in outcome.out
    assert "licences: CC0-1.0; unknown" in outcome.out or "licences: unknown" in outcome.out
    assert "broken.mid: expected a MIDI file" in outcome.out
    assert "solo.mid: has nothing for the stem bass, which the mapping requires" in outcome.out
    record = json.loads((tmp_path / "out" / "corpus.json").read_text())
    assert record["complete"] is True
    assert sorted(song["name"] for song in record["songs"]) == ["midi-song0", "midi-song1"]
    assert sorted(skipped["name"] for skipped in record["skipped"]) == ["midi-broken", "midi-solo"]
    assert record["licence"]["may_train_released_weights"] is False
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", "corpus.json", "train"}
    other = stemtune(*command, "--seed", 1)
    assert other.code == 1
    assert "holds another corpus (seed 0 instead of 1)" in other.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["bands"], 2, "no scores given for bands"),
        (["bands", "nowhere"], 1, "nowhere: no such file or folder; expected scores"),
        (["bands", "empty"], 1, "no MIDI file in it"),
        (["bands", "midi", "--soundfont", "text.sf2"], 1, "text.sf2: expected a soundfont"),
        (["bands", "midi", "--soundfont", "missing.sf2"], 1, "missing.sf2: no such soundfont here"),
        (["bands", "midi", "--splits", "1/2"], 2, "--splits '1/2': expected the shares"),
        (["bands", "midi", "--splits", "-1/1/1"], 2, "must not be negative"),
        (["bands", "midi", "--stems", "two.json"], 2, "goes to two stems"),
        (["bands", "midi", "--stems", "nothing"], 2, "no mapping 'nothing'"),
        (["bands", "midi", "--songs", "1", "--hours", "1"], 2, "not both"),
        (["chorales", "c.json", "--instruments", "violin,flute"], 2, "four different instruments"),
        (["chorales", "c.json", "--instruments", "violin,flute,oboe,kazoo"], 2, "unknown instrument 'kazoo'"),
        (["chorales", "text.sf2"], 1, "expected chorales, a JSON object"),
        (["drums", "midi", "--kits", "empty"], 1, "no audio in it"),
        (["pop", "midi"], 1, "expected the tracks MELODY, BRIDGE, PIANO as in POP909"),
    ],
)
@needs_fluidsynth
def test_what_cannot_be_rendered_costs_one_line(
    stemtune: Run,
    tmp_path: Path,
    fonts: list[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    band_midi(tmp_path / "midi" / "song.mid")
    write_chorales(tmp_path / "c.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.sf2").write_text("words", encoding="utf-8")
    (tmp_path / "two.json").write_text('{"stems": {"a": {"drums": true}, "b": {"drums": true}}}', encoding="utf-8")
    if "--soundfont" in arguments:
        fonts = fonts[2:]
    outcome = stemtune("data", "render", *arguments, "-o", "out", "-j", 1, *fonts)
    assert outcome.code == code, outcome.out + outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not list(tmp_path.rglob("*.flac"))


def test_one_soundfont_cannot_be_on_both_sides(stemtune: Run, tmp_path: Path, fonts: list[str]) -> None:
    band_midi(tmp_path / "midi" / "song.mid")
    outcome = stemtune(
        "data", "render", "bands", tmp_path / "midi", "-o", tmp_path / "out", "--soundfont", fonts[1],
        "--test-soundfont", fonts[1],
    )  # fmt: skip
    assert outcome.code == 2
    assert "learn.sf2 shares its recordings with learn.sf2" in outcome.err


def test_a_folder_with_other_files_is_left_alone(stemtune: Run, tmp_path: Path, fonts: list[str]) -> None:
    band_midi(tmp_path / "midi" / "song.mid")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work", encoding="utf-8")
    outcome = stemtune("data", "render", "bands", tmp_path / "midi", "-o", tmp_path / "out", *fonts)
    assert outcome.code == 1
    assert "holds other files (thesis.txt) and no corpus.json; choose a new folder" in outcome.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
