"""The same sound under two names: found through gain, coding, resampling, cutting and company, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from stemtune.data.audit import audit
from stemtune.data.audit.landmarks import FINGERPRINT_RATE, LandmarkFinder, hash_landmarks
from stemtune.data.audit.matching import find_candidates
from tests.data.audit_songs import RATE, kinds, messages, rhythm, song, write, write_song

MELODY_RATE = 22050


def melody(seed: int, seconds: float = 12.0) -> np.ndarray:
    """Decaying tones with overtones at random times and pitches: music enough to have landmarks."""
    generator = np.random.default_rng(seed)
    samples = np.zeros(round(seconds * MELODY_RATE))
    for _ in range(round(seconds * 8)):
        start, pitch = generator.integers(len(samples) - 2000), 110 * 2 ** (generator.integers(40) / 12)
        time = np.arange(min(round(0.6 * MELODY_RATE), len(samples) - start)) / MELODY_RATE
        tone = sum(np.sin(2 * np.pi * pitch * overtone * time) / overtone for overtone in range(1, 6))
        samples[start : start + len(time)] += 0.1 * tone * np.exp(-5 * time)
    return samples.astype(np.float32)


def softer(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".wav"), -0.1 * samples, MELODY_RATE)


def as_vorbis(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".ogg"), samples, MELODY_RATE, compression_level=0.8)


def as_mp3(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".mp3"), samples, MELODY_RATE, compression_level=0.9)


def resampled(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".wav"), soxr.resample(samples, MELODY_RATE, 48000), 48000)


def cut(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".wav"), samples[round(4.321 * MELODY_RATE) : round(9 * MELODY_RATE)], MELODY_RATE)


def in_stereo(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".wav"), np.stack([samples, 0.3 * samples], axis=1), MELODY_RATE)


def in_company(samples: np.ndarray, path: Path) -> None:
    soundfile.write(path.with_suffix(".wav"), samples + melody(77), MELODY_RATE)


@pytest.mark.parametrize("change", [softer, as_vorbis, as_mp3, resampled, cut, in_stereo, in_company])
def test_the_same_sound_is_found_again(tmp_path: Path, change: Callable[[np.ndarray, Path], None]) -> None:
    for split, seeds in (("train", (1, 2, 3)), ("test", (4, 5))):
        (tmp_path / split / "piano").mkdir(parents=True)
        for seed in seeds:
            soundfile.write(tmp_path / split / "piano" / f"{seed}.wav", melody(seed), MELODY_RATE)
    report = audit([tmp_path], layout="stems")
    assert not report.shared_audio
    change(melody(2), tmp_path / "test" / "piano" / "copy")
    report = audit([tmp_path], layout="stems")
    assert [(one.first_track, one.second_track) for one in report.shared_audio] == [
        ("test/piano/copy", "train/piano/2")
    ]
    assert {(severity, kind) for severity, kind, _, _ in kinds(report) if kind == "leakage"} == {("error", "leakage")}
    shared = report.shared_audio[0]
    assert not shared.is_exact
    lag = shared.second_start_seconds - shared.first_start_seconds
    assert lag == pytest.approx(4.321 if change is cut else 0.0, abs=0.03)
    assert shared.seconds == pytest.approx(4.7 if change is cut else 12.0, abs=2.5)
    assert report.groups == (("test/piano/copy", "train/piano/2"),)


@pytest.mark.parametrize(
    ("seconds", "other_split", "severity", "kind"),
    [
        (3.5, "test", "warning", "shared_notes"),  # a loop, or a sampler's note: less than 5 s and less than half
        (3.5, "train", "note", "shared_notes"),
        (7.0, "test", "error", "leakage"),
        (7.0, "train", "note", "shared_audio"),
    ],
)
def test_a_short_passage_is_no_leakage(
    tmp_path: Path, seconds: float, other_split: str, severity: str, kind: str
) -> None:
    first, second = melody(1, 20.0), melody(2, 20.0)
    passage = slice(round(6 * MELODY_RATE), round((6 + seconds) * MELODY_RATE))
    second[passage] = first[passage]
    for split, name, samples in (("train", "a", first), (other_split, "b", second)):
        (tmp_path / split / "piano").mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / split / "piano" / f"{name}.wav", samples, MELODY_RATE)
    report = audit([tmp_path], layout="stems")
    (shared,) = report.shared_audio
    assert shared.is_fleeting is (kind == "shared_notes")
    assert shared.seconds == pytest.approx(seconds, abs=1.5)
    found = [(finding.severity, finding.kind) for finding in report.findings if finding.kind != "little_sound"]
    assert found == [(severity, kind)]
    assert bool(report.groups) is (kind != "shared_notes")
    assert report.passes() is (severity != "error")


def test_half_of_a_short_file_is_no_mere_note(tmp_path: Path) -> None:
    first = melody(1, 20.0)
    for split, samples in (("train", first), ("test", first[: round(4 * MELODY_RATE)])):
        (tmp_path / split / "piano").mkdir(parents=True)
        soundfile.write(tmp_path / split / "piano" / f"{split}.wav", samples, MELODY_RATE)
    report = audit([tmp_path], layout="stems")
    assert [finding.kind for finding in report.findings if finding.severity == "error"] == ["leakage"]


def test_the_same_audio_under_two_names(tmp_path: Path) -> None:
    first, second = song(1), song(2)
    write_song(tmp_path / "train" / "a", first)
    write_song(tmp_path / "train" / "b", {"vocals": 0.5 * first["vocals"], "drums": second["drums"]})
    write_song(tmp_path / "train" / "c", {"vocals": 0.7 * second["drums"], "drums": second["drums"]})
    write_song(tmp_path / "test" / "d", {"vocals": rhythm(seed=77), "drums": 0.3 * first["drums"]})
    report = audit([tmp_path])
    found = {(f.severity.value, f.kind, f.track, f.stem) for f in report.findings if f.kind != "little_sound"}
    assert found == {
        ("note", "shared_audio", "train/b", "vocals"),
        ("note", "shared_audio", "train/c", "drums"),
        ("error", "identical_stems", "train/c", "vocals"),
        ("error", "leakage", "train/a", "drums"),
    }
    assert set(report.groups) == {("test/d", "train/a", "train/b", "train/c")}


def test_a_whole_song_twice_is_a_duplicate(tmp_path: Path) -> None:
    write_song(tmp_path / "a", song(1))
    write_song(tmp_path / "b", song(1))
    report = audit([tmp_path])
    assert {(severity, kind, track) for severity, kind, track, _ in kinds(report)} == {("warning", "duplicate", "b")}
    assert messages(report, "duplicate") == ["this has the same samples as a (drums); likewise vocals"]


def test_a_stem_may_be_the_mixture_where_all_others_are_silent(tmp_path: Path) -> None:
    solo = rhythm()
    write_song(tmp_path / "song", {"vocals": solo, "drums": torch.zeros_like(solo)}, mixture=solo)
    assert kinds(audit([tmp_path])) == {("warning", "silent", "song", "drums")}


def test_leakage_is_seen_in_a_table(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", rhythm(seed=1))
    write(tmp_path / "b.wav", 0.4 * rhythm(seed=1))
    table = "track,stem,path,split\nA,vocals,a.wav,train\nB,vocals,b.wav,valid\n"
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    report = audit([tmp_path / "table.csv"])
    assert {(kind, severity) for severity, kind, _, _ in kinds(report)} == {("leakage", "error")}
    assert [track.split for track in report.tracks] == ["train", "valid"]


def test_data_sets_given_as_splits(tmp_path: Path) -> None:
    write_song(tmp_path / "mine" / "a", song(1))
    write_song(tmp_path / "theirs" / "b", {**song(2), "drums": 0.5 * song(1)["drums"]})
    apart = audit([f"train={tmp_path / 'mine'}", f"test={tmp_path / 'theirs'}"])
    assert ("error", "leakage", "b", "drums") in kinds(apart)
    assert "mine/a (drums" in messages(apart, "leakage")[0]
    together = audit([tmp_path / "mine", tmp_path / "theirs"])
    assert ("warning", "shared_audio", "b", "drums") in kinds(together)


def test_unrelated_noise_and_silence_share_nothing(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "noise" / f"{number}.wav", rhythm(seed=number))
    write(tmp_path / "noise" / "silence1.wav", torch.zeros(1, RATE))
    write(tmp_path / "noise" / "silence2.wav", torch.zeros(1, RATE))
    assert not audit([tmp_path], layout="stems").shared_audio


def test_two_recordings_of_the_same_tone_are_not_the_same(tmp_path: Path) -> None:
    time = np.arange(4 * MELODY_RATE) / MELODY_RATE
    for number in range(2):
        generator = np.random.default_rng(number)
        phase = np.cumsum(generator.standard_normal(len(time))) * 2e-3
        tone = sum(np.sin(overtone * (2 * np.pi * 220 * time + phase)) / overtone for overtone in range(1, 9))
        (tmp_path / "flute").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "flute" / f"{number}.wav", 0.1 * tone, MELODY_RATE)
    assert not audit([tmp_path], layout="stems").shared_audio


@pytest.mark.parametrize("block", [1000, 44100, 100_000])
def test_landmarks_do_not_depend_on_the_blocks(block: int) -> None:
    samples = melody(1)[None]
    found = []
    for length in (block, samples.shape[1]):
        finder = LandmarkFinder(MELODY_RATE)
        for start in range(0, samples.shape[1], length):
            finder.add(samples[:, start : start + length])
        found.append(finder.finish())
    assert len(found[0]) == pytest.approx(len(found[1]), rel=0.01)  # the resampler rounds otherwise
    common = set(map(tuple, found[0].tolist())) & set(map(tuple, found[1].tolist()))
    assert len(common) > 0.98 * len(found[1])
    assert found[0][:, 0].max() < 12 * FINGERPRINT_RATE / 256


def test_silence_has_no_landmarks_and_short_sounds_have_no_hashes() -> None:
    finder = LandmarkFinder(44100)
    finder.add(np.zeros((2, 44100), dtype=np.float32))
    assert len(finder.finish()) == 0
    hashes, frames = hash_landmarks(np.zeros((0, 2), dtype=np.uint32))
    assert (len(hashes), len(frames)) == (0, 0)
    assert find_candidates([np.zeros((0, 2), dtype=np.uint32)] * 2, [0, 1]) == ()
