"""Soundfonts: found by name, checked before use, and never on both sides of a split."""

import ctypes.util
from pathlib import Path

import numpy as np
import pytest

from stemtune.data.rendering import fluidsynth
from stemtune.data.rendering.fluidsynth import play_channels
from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.soundfonts import check_soundfont, find_soundfont, known_soundfont, presets_of
from stemtune.data.rendering.timbres import check_independence, soundfont_at, timbre_set
from stemtune.errors import InputError, UsageError
from tests.data.rendering.conftest import needs_fluidsynth
from tests.data.rendering.tiny import write_oneshots, write_soundfont


def test_presets_are_read_without_the_samples(soundfont: Path) -> None:
    assert presets_of(soundfont) == {(0, 0), (128, 0)}


def test_what_is_no_soundfont_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.sf2"
    path.write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    with pytest.raises(InputError, match=r"song\.sf2: expected a soundfont"):
        check_soundfont(path)
    with pytest.raises(InputError, match=r"none\.sf2: expected a soundfont; it cannot be read"):
        check_soundfont(tmp_path / "none.sf2")


def test_a_soundfont_that_was_cut_short(tmp_path: Path, soundfont: Path) -> None:
    path = tmp_path / "short.sf2"
    path.write_bytes(soundfont.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"short\.sf2: expected a complete soundfont"):
        soundfont_at(str(path))


def test_missing_soundfonts_name_their_package() -> None:
    with pytest.raises(InputError, match="musescore-general-soundfont-small"):
        find_soundfont("MuseScore_General_Lite.sf3")
    with pytest.raises(InputError, match=r"path of an \.sf2 file"):
        find_soundfont("no_such_font")


def test_licences_of_known_and_unknown_soundfonts(soundfont: Path) -> None:
    assert known_soundfont(Path("FluidR3_GM.sf2")).may_train_released_weights
    assert not known_soundfont(Path("TimGM6mb.sf2")).may_train_released_weights
    assert known_soundfont(soundfont).licence == "unknown"
    assert known_soundfont(Path("MuseScore_General_Lite.sf3")).family == known_soundfont(Path("FluidR3_GM.sf2")).family


def test_training_and_test_share_no_sound(soundfont: Path, other_soundfont: Path, tmp_path: Path) -> None:
    kit, copy = write_oneshots(tmp_path / "kit"), write_oneshots(tmp_path / "copy")
    learn = timbre_set(soundfonts=[str(soundfont)], kits=[str(kit)])
    check_independence(learn, timbre_set(soundfonts=[str(other_soundfont)]))
    with pytest.raises(UsageError, match="shares its recordings"):
        check_independence(learn, timbre_set(soundfonts=[str(soundfont)]))
    with pytest.raises(UsageError, match="both sides"):
        check_independence(learn, timbre_set(soundfonts=[str(other_soundfont)], kits=[str(copy)]))


def test_kits_may_be_soundfonts(soundfont: Path, tmp_path: Path) -> None:
    timbres = timbre_set(soundfonts=[], kits=[str(soundfont), str(write_oneshots(tmp_path / "kit"))])
    assert [font.path for font in timbres.drum_soundfonts] == [soundfont]
    assert [kit.path.name for kit in timbres.kits] == ["kit"]
    with pytest.raises(InputError, match="no such folder"):
        timbre_set(soundfonts=[], kits=[str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no audio in it"):
        timbre_set(soundfonts=[], kits=[str(tmp_path / "empty")])


def notes(channel: int, pitch: int, *starts: float) -> list[Event]:
    return [
        event
        for start in starts
        for event in (
            Event(start, "note_on", channel, pitch, 100),
            Event(start + 0.2, "note_off", channel, pitch),
        )
    ]


@needs_fluidsynth
def test_channels_add_up_and_are_alone(soundfont: Path) -> None:
    both = sorted([*notes(0, 69, 0.1, 0.5), *notes(20, 60, 0.3)], key=lambda event: event.seconds)
    sound = play_channels(both, soundfont=soundfont, num_channels=21, num_samples=SAMPLE_RATE)
    assert sound.shape == (21, 2, SAMPLE_RATE)
    assert not sound[1:20].any()
    alone = play_channels(notes(0, 69, 0.1, 0.5), soundfont=soundfont, num_channels=1, num_samples=SAMPLE_RATE)
    np.testing.assert_allclose(sound[0], alone[0], atol=1e-6)
    spectrum = np.abs(np.fft.rfft(alone[0, 0]))
    assert abs(int(spectrum.argmax()) - 440) <= 2
    assert not sound[0, :, : int(0.09 * SAMPLE_RATE)].any()
    again = play_channels(both, soundfont=soundfont, num_channels=21, num_samples=SAMPLE_RATE)
    np.testing.assert_array_equal(sound, again)


@needs_fluidsynth
def test_a_shorter_release_changes_only_what_follows_the_end_of_a_note(soundfont: Path) -> None:
    tones = notes(0, 69, 0.1)  # until 0.3 s
    long, short = (
        play_channels(tones, soundfont=soundfont, num_channels=1, num_samples=SAMPLE_RATE, release_timecents=timecents)
        for timecents in (12_000.0, 0.0)
    )
    held, after = slice(0, int(0.3 * SAMPLE_RATE) // 64 * 64), slice(int(0.31 * SAMPLE_RATE), None)
    np.testing.assert_array_equal(long[..., held], short[..., held])
    assert np.square(short[..., after]).sum() < 0.5 * np.square(long[..., after]).sum()


@needs_fluidsynth
def test_drum_channels_play_kits(tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "kit.sf2")
    sound = play_channels(
        notes(0, 38, 0.0), soundfont=font, num_channels=1, num_samples=4410, drum_channels=frozenset({0})
    )
    assert sound.any()


@needs_fluidsynth
def test_a_soundfont_that_fluidsynth_refuses(tmp_path: Path) -> None:
    path = tmp_path / "odd.sf2"
    path.write_bytes(b"RIFF\x04\0\0\0sfbk")
    with pytest.raises(InputError, match=r"odd\.sf2: expected a soundfont that FluidSynth can read"):
        play_channels([], soundfont=path, num_channels=1, num_samples=64)


def test_missing_fluidsynth_names_the_package(monkeypatch: pytest.MonkeyPatch, soundfont: Path) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: None)
    fluidsynth._library.cache_clear()
    try:
        with pytest.raises(InputError, match="apt-get install fluidsynth"):
            play_channels([], soundfont=soundfont, num_channels=1, num_samples=64)
    finally:
        fluidsynth._library.cache_clear()
