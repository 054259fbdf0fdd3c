"""The corpus of the default model, on miniature scores and recordings that the test makes itself."""

import csv
import json
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("mido", reason="the corpus recipe needs mido")
pytest.importorskip("scipy", reason="the corpus recipe needs scipy")

from stemtune.data.rendering.beats import Stroke, pattern
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.hits import DRUM_KINDS, synthetic_hit
from stemtune.data.rendering.oscillators import hertz, oscillator
from stemtune.data.rendering.samples import pitch_of_file
from stemtune.data.rendering.scores import Event, Note
from stemtune.data.rendering.singing import VOICES, sing
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.errors import InputError
from stemtune.recipes.default_model.archives import extract_scores
from stemtune.recipes.default_model.bands import make_band, stem_of_channels
from stemtune.recipes.default_model.corpus import CorpusPlan, build_corpus, main, summary
from stemtune.recipes.default_model.drums import play_on_hits
from stemtune.recipes.default_model.pieces import Piece, make_pieces, read_sources
from stemtune.recipes.default_model.real import read_manifest, real_pieces
from stemtune.recipes.default_model.render import renderer_is_installed
from stemtune.recipes.default_model.scores import read_events, write_events
from stemtune.recipes.default_model.synthesis import make_bass

needs_renderer = pytest.mark.skipif(
    not renderer_is_installed(), reason="fluidsynth with FluidR3_GM.sf2 is not installed here"
)
COLUMNS = ["corpus", "split", "track", "stem", "path", "licence", "may_train_released_weights"]


def tone(seconds: float = 0.2) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def note(start: float, length: float, pitch: int, *, channel: int, part: str = "") -> list[Event]:
    return [
        Event(start, "note_on", channel, pitch, 100, part),
        Event(start + length, "note_off", channel, pitch, 0, part),
    ]


def band_score(path: Path, *, seconds: float = 12.0) -> Path:
    """Drums, a bass, a piano: four notes a second each."""
    events = [
        Event(0.0, "program_change", 0, 0),
        Event(0.0, "program_change", 1, 33),
    ]
    for index in range(int(seconds * 4)):
        events += note(index / 4, 0.2, 36 if index % 2 else 42, channel=9, part="PIANO")
        events += note(index / 4, 0.2, 40, channel=1, part="PIANO")
        events += note(index / 4, 0.2, 64 + index % 5, channel=0, part="PIANO")
    write_events(sorted(events, key=lambda event: event.seconds), path)
    return path


def write_manifest(data: Path, rows: list[tuple[str, str, str, str]]) -> None:
    """Rows of (corpus, track, stem, may train); each file is a short tone."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for corpus, track, stem, verdict in rows:
            path = data / corpus / track / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(), SAMPLE_RATE)
            writer.writerow([corpus, "train", track, stem, path.relative_to(data), "CC0-1.0", verdict])


def test_manifest_rows_that_may_not_train_released_weights_are_never_returned(tmp_path: Path) -> None:
    write_manifest(
        tmp_path,
        [
            ("eir_stems", "3.Sodium", "vocals", "yes"),
            ("eir_stems", "2.Lithium", "vocals", "yes"),
            ("mir1k", "amy_1", "vocals", "no"),
            ("trackswitch_song", "song", "drums", "yes"),
            ("medley_solos", "solo", "flute", "yes"),
            ("instruments", "note", "violins", ""),
        ],
    )
    assert [row.track for row in read_manifest(tmp_path)] == ["3.Sodium"]


def test_a_manifest_without_verdicts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("corpus,path\neir_stems,a.ogg\n", encoding="utf-8")
    with pytest.raises(InputError, match="may_train_released_weights"):
        read_manifest(tmp_path)
    with pytest.raises(InputError, match="--data"):
        read_manifest(tmp_path / "nowhere")


def test_songs_whose_other_carries_the_bass_give_vocals_and_drums_only(tmp_path: Path) -> None:
    rows = [(song, stem) for song in ("1.Hydrogen", "3.Sodium") for stem in ("vocals", "drums", "other")]
    write_manifest(tmp_path, [("eir_stems", song, stem, "yes") for song, stem in rows])
    pieces = {piece.name: piece for piece in real_pieces(read_manifest(tmp_path))}
    assert sorted(pieces) == ["eir-hydrogen-drums", "eir-hydrogen-vocals", "eir-sodium"]
    assert pieces["eir-sodium"].kind == "song"
    assert set(pieces["eir-sodium"].make()) == {"vocals", "drums", "other"}


def constant(value: float, stems: tuple[str, ...] = ("drums", "bass")) -> dict[str, np.ndarray]:
    return {stem: np.full(1000, value, dtype=np.float32) for stem in stems}


def test_pieces_are_made_once_and_recorded(tmp_path: Path) -> None:
    song = Piece("one", "song", partial(constant, 0.5), "here", "CC0-1.0")
    pool = Piece("two", "pool", partial(constant, 0.25, ("vocals",)), "here", "CC0-1.0")
    sources = make_pieces([song, pool], tmp_path, num_workers=1)
    paths = {"train/songs/one/drums.wav", "train/songs/one/bass.wav", "train/pools/vocals/two.wav"}
    assert {source.path for source in sources} == paths
    assert soundfile.info(tmp_path / "train/songs/one/drums.wav").subtype == "PCM_16"
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in paths}
    refuses = Piece("one", "song", partial(pytest.fail, "made again"), "here", "CC0-1.0")
    assert set(make_pieces([refuses, pool], tmp_path, num_workers=1)) == set(sources) == set(read_sources(tmp_path))
    assert before == {path: (tmp_path / path).stat().st_mtime_ns for path in paths}
    (tmp_path / "train/pools/vocals/two.wav").unlink()
    assert len(make_pieces([song, pool], tmp_path, num_workers=1)) == 3
    assert "CC0-1.0" in summary(sources)


def test_loud_stems_get_one_common_gain_and_nan_is_refused(tmp_path: Path) -> None:
    stems = {"drums": np.full(1000, 2.0, dtype=np.float32), "bass": np.full(1000, 1.0, dtype=np.float32)}
    make_pieces([Piece("loud", "song", partial(dict, stems), "here", "CC0-1.0")], tmp_path, num_workers=1)
    drums, bass = (soundfile.read(tmp_path / f"train/songs/loud/{stem}.wav")[0] for stem in ("drums", "bass"))
    assert drums.max() < 1
    np.testing.assert_allclose(drums, 2 * bass, atol=1e-4)
    with pytest.raises(InputError, match="finite"):
        make_pieces([Piece("bad", "pool", partial(constant, np.nan), "", "")], tmp_path, num_workers=1)


def test_scores_survive_writing_and_reading(tmp_path: Path) -> None:
    events = [Event(0.0, "program_change", 3, 33), *note(0.5, 0.25, 40, channel=3), Event(1.0, "pitchwheel", 3, 0, 200)]
    write_events(events, tmp_path / "a.mid")
    assert [(round(e.seconds, 3), e.kind, e.number, e.value) for e in read_events(tmp_path / "a.mid")] == [
        (0, "program_change", 33, 0),
        (0.5, "note_on", 40, 100),
        (0.75, "note_off", 40, 0),
        (1, "pitchwheel", 0, 200),
    ]
    (tmp_path / "b.mid").write_bytes(b"no score")
    with pytest.raises(InputError, match="parse"):
        read_events(tmp_path / "b.mid")


def test_only_known_archives_are_unpacked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of the score archives"):
        extract_scores(tmp_path, tmp_path, "slakh")


def test_notes_are_dealt_to_stems_by_channel_program_name_and_register() -> None:
    def group(channel: int, program: int, pitch: int, part: str = "", chord: bool = False) -> list[Note]:
        return [
            Note(i * 0.5 + 0.001 * c, 0.4, pitch + 4 * c, 90, channel, program, part)
            for i in range(10)
            for c in range(3 if chord else 1)
        ]

    notes = [
        *group(9, 0, 36),
        *group(0, 33, 40),
        *group(1, 0, 45, part="Base"),
        *group(2, 81, 36),
        *group(3, 30, 40, chord=True),
        *group(4, 125, 60),
        *group(5, 117, 50),
    ]
    stems = {channel: stem for (channel, _), stem in stem_of_channels(notes).items()}
    assert stems == {9: "drums", 0: "bass", 1: "bass", 2: "bass", 3: "other", 5: "drums"}


def test_oscillators_are_in_tune_and_hardly_alias() -> None:
    spectrum = np.abs(np.fft.rfft(oscillator("saw", np.full(SAMPLE_RATE, 1000.0)) * np.hanning(SAMPLE_RATE)))
    assert int(spectrum.argmax()) == 1000
    partials = np.zeros(len(spectrum), dtype=bool)
    for k in range(1, 22):
        partials[1000 * k - 3 : 1000 * k + 4] = True
    assert spectrum[~partials].max() < 0.02 * spectrum[1000]


@pytest.mark.parametrize("kind", DRUM_KINDS)
def test_synthetic_hits_end_and_do_not_clip(kind: str) -> None:
    hit = synthetic_hit(kind, np.random.default_rng(1))
    assert np.abs(hit).max() == pytest.approx(0.9, abs=1e-3)
    assert np.abs(hit[-50:]).max() < 0.05


def test_strokes_sound_where_they_are_written() -> None:
    strokes = [Stroke(0.5, "kick", 1.0), Stroke(1.0, "snare", 0.5)]
    samples = play_on_hits(strokes, {}, 2 * SAMPLE_RATE, np.random.default_rng(0))
    assert not samples[:, : SAMPLE_RATE // 2].any()
    assert np.abs(samples[:, SAMPLE_RATE // 2 :]).max() > 0.05
    assert all(stroke.kind in DRUM_KINDS and 0 <= stroke.seconds < 9 for stroke in pattern(9.0, generator_of(0, "x")))


def test_a_singer_sings_the_pitch_and_rests_where_the_melody_rests() -> None:
    notes = [Note(0.2, 1.6, 57, 100)]
    samples = sing(notes, 3 * SAMPLE_RATE, VOICES["tenor"], np.random.default_rng(3))
    held = samples[int(0.8 * SAMPLE_RATE) : int(1.7 * SAMPLE_RATE)]
    lags = np.correlate(held[:8000], held[:4000], mode="valid")
    period = 100 + int(lags[100:600].argmax())
    assert SAMPLE_RATE / period == pytest.approx(float(hertz(57.0)), rel=0.06)
    assert held.std() > 0.02
    assert samples[int(2.5 * SAMPLE_RATE) :].std() < 0.01 * held.std()


def test_the_same_seed_gives_the_same_bass() -> None:
    first, again, other = (make_bass(None, name="a", seed=seed, seconds=2.0)["bass"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.isfinite(first).all()


@pytest.mark.parametrize(
    ("name", "pitch"), [("a3_f_rr1_cnd", 69), ("chorus-female-as4-PB-loop", 70), ("1st-violins-sus-cs6", 85)]
)
def test_pitches_of_recorded_notes(name: str, pitch: int) -> None:
    assert pitch_of_file(Path(f"{name}.ogg")) == pitch


@needs_renderer
def test_a_band_is_rendered_stem_by_stem(tmp_path: Path) -> None:
    path = band_score(tmp_path / "band.mid")
    stems = make_band(path, name="band", duration_seconds=2.0, seed=0)
    assert set(stems) == {"drums", "bass", "other"}
    assert all(samples.shape[-1] == 2 * SAMPLE_RATE and samples.std() > 0.001 for samples in stems.values())
    again = make_band(path, name="band", duration_seconds=2.0, seed=0)
    np.testing.assert_array_equal(stems["other"], again["other"])


@needs_renderer
def test_a_miniature_corpus_is_built_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "corpus"
    write_manifest(
        data,
        [
            ("eir_stems", "3.Sodium", "vocals", "yes"),
            ("eir_stems", "3.Sodium", "bass", "yes"),
            ("drum_oneshots/x/kick", "bd", "bd", "no"),
        ],
    )
    (data / "midi").mkdir()
    score = band_score(tmp_path / "score.mid", seconds=24.0)
    for archive in ("freedoom", "simutrans", "mma", "groove", "pop909"):
        with tarfile.open(data / "midi" / f"{archive}.tar.xz", "w:xz") as file:
            file.add(score, arcname=f"{archive}/score.mid")
    plan = CorpusPlan(
        max_band_songs=1, band_seconds=1.0, num_kit_drums=1, num_oneshot_drums=0, num_programmed_drums=1,
        num_basses=1, num_others=0, num_phrases=1, num_vocals=0,
    )  # fmt: skip
    sources = build_corpus(data, out, plan=plan)
    assert {"eir-sodium", "freedoom-score", "mma-score", "beat-000", "synth-bass-000"} <= {s.piece for s in sources}
    for source in sources:
        info = soundfile.info(out / source.path)
        assert (info.samplerate, info.frames) == (SAMPLE_RATE, round(source.seconds * SAMPLE_RATE))
    assert len(json.loads((out / "sources.json").read_text(encoding="utf-8"))) == len(sources)
    assert build_corpus(data, out, plan=plan) == sources
    assert main(["--data", str(tmp_path / "nowhere"), "--out", str(out)]) == 1
    assert "--data" in capsys.readouterr().err
