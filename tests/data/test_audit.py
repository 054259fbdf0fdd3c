"""Every finding of the audit about single tracks, each on a data set in miniature that has just this one defect."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stemtune.config import parse
from stemtune.data.audit import AuditReport, Severity, audit
from stemtune.data.audit.alignment import shift
from stemtune.errors import InputError, UsageError
from tests.data.audit_songs import RATE, kinds, messages, rhythm, song, total, write, write_song


def test_a_sound_data_set_passes_with_its_facts(tmp_path: Path) -> None:
    for number in range(2):
        stems = song(number)
        write_song(tmp_path / f"song{number}", stems, mixture=total(stems))
    report = audit([tmp_path])
    assert kinds(report) == set()
    assert report.passes()
    assert not report.passes(strict=True)  # too little sound is a warning
    track = report.tracks[0]
    assert (track.name, track.split, track.seconds) == ("song0", "", 6.0)
    assert track.null_depth_db is not None
    assert track.null_depth_db < -50
    assert report.active_minutes[""] == pytest.approx({"vocals": 0.2, "drums": 0.2}, abs=0.01)
    assert track.mixture is not None
    assert track.mixture.num_samples == 6 * RATE
    heard = track.stems["vocals"].heard
    assert heard is not None
    assert len(heard.levels_db) == 6
    assert (heard.image, heard.cutoff_hz, heard.lag_samples) == ("stereo", None, None)


def test_the_report_is_json_that_can_be_read_back(tmp_path: Path) -> None:
    write_song(tmp_path / "song", song())
    report = audit([tmp_path])
    text = report.model_dump_json()
    assert parse(AuditReport, json.loads(text)) == report
    told = json.loads(text)
    assert told["schema_version"] == 1
    assert told["counts"] == {"error": 0, "warning": 2, "note": 0}
    assert told["tracks"][0]["stems"]["vocals"]["sample_rate"] == RATE
    assert {finding["kind"] for finding in told["findings"]} == set(told["explanations"])


@pytest.mark.parametrize(
    ("lag", "words"), [(-37, "37 samples (4.62 ms) too early"), (250, "250 samples (31.25 ms) too late")]
)
def test_a_lag_is_measured_to_the_sample(tmp_path: Path, lag: int, words: str) -> None:
    stems = song()
    mixture = total(stems)
    stems["drums"] = torch.roll(stems["drums"], lag, dims=1)
    write_song(tmp_path / "song", stems, mixture=mixture)
    report = audit([tmp_path])
    assert kinds(report) == {("error", "lag", "song", "drums")}
    assert messages(report, "lag") == [words]
    assert report.tracks[0].aligned_null_depth_db is not None
    assert report.tracks[0].aligned_null_depth_db < -40


def test_a_stem_whose_silent_beginning_was_cut_off_is_found_where_it_belongs(tmp_path: Path) -> None:
    stems = {name: rhythm(20.0, seed=number) for number, name in enumerate(("vocals", "drums"))}
    stems["drums"][:, : round(3.7 * RATE)] = 0
    mixture = total(stems)
    stems["drums"] = stems["drums"][:, round(3.7 * RATE) :]
    write_song(tmp_path / "song", stems, mixture=mixture)
    report = audit([tmp_path])
    assert kinds(report) == {("error", "lag", "song", "drums"), ("error", "length", "song", "drums")}
    assert messages(report, "lag") == ["29600 samples (3.700 s) too early"]


def test_half_a_sample_is_measured_too(tmp_path: Path) -> None:
    stems = {name: samples[:, : 6 * RATE] for name, samples in song().items()}
    mixture = total(stems)
    stems["drums"] = torch.from_numpy(shift(stems["drums"].numpy(), 0.5))
    write_song(tmp_path / "song", stems, mixture=mixture)
    report = audit([tmp_path])
    assert kinds(report) == {("warning", "lag", "song", "drums")}
    assert messages(report, "lag") == ["0.5 samples (0.06 ms) too late"]


def test_a_stem_upside_down_and_one_at_another_level(tmp_path: Path) -> None:
    stems = song()
    write_song(tmp_path / "song", stems, mixture=stems["vocals"] - 2 * stems["drums"])
    report = audit([tmp_path])
    assert kinds(report) == {("error", "polarity", "song", "drums"), ("warning", "gain", "song", "drums")}
    assert messages(report, "gain") == ["6.0 dB softer than in the mixture"]


@pytest.mark.parametrize(("share", "severity"), [(0.1, "note"), (0.3, "warning"), (1.0, "error")])
def test_a_mixture_that_is_not_the_sum_of_the_stems(tmp_path: Path, share: float, severity: str) -> None:
    stems = song()
    write_song(tmp_path / "song", stems, mixture=total(stems) + share * rhythm(seed=99))
    assert kinds(audit([tmp_path])) == {(severity, "null_depth", "song", "mixture")}


def test_a_mixture_of_another_song(tmp_path: Path) -> None:
    write_song(tmp_path / "song", song(1), mixture=total(song(2)))
    assert kinds(audit([tmp_path])) == {("error", "null_depth", "song", "mixture")}


def test_two_stems_that_are_the_same_sound(tmp_path: Path) -> None:
    vocals = rhythm()
    write_song(tmp_path / "song", {"vocals": vocals, "drums": rhythm(seed=1), "bass": -0.5 * vocals})
    report = audit([tmp_path])
    assert {(severity, kind) for severity, kind, _, _ in kinds(report)} == {("error", "identical_stems")}
    assert "bass" in messages(report, "identical_stems")[0]
    assert "vocals" in messages(report, "identical_stems")[0]


def test_bleed_of_one_stem_into_another(tmp_path: Path) -> None:
    drums = rhythm(20.0, seed=1)
    vocals = rhythm(20.0, seed=2)
    pauses = (torch.arange(20 * RATE) // RATE) % 4 < 2
    vocals[:, pauses] = 0
    late = torch.roll(drums, 40, dims=1)
    write_song(tmp_path / "song", {"vocals": vocals + 0.1 * late, "drums": drums})
    report = audit([tmp_path])
    assert kinds(report) == {("note", "bleed", "song", "vocals")}
    assert messages(report, "bleed") == ["drums is heard in vocals at -20 dB"]
    write_song(tmp_path / "song", {"vocals": vocals + 1e-3 * rhythm(20.0, seed=3), "drums": drums})
    assert kinds(audit([tmp_path])) == set()


def test_lengths_that_differ(tmp_path: Path) -> None:
    for name, missing in (("much", 800), ("little", 10)):
        stems = song(len(name))
        stems["drums"] = stems["drums"][:, :-missing]
        write_song(tmp_path / "valid" / name, stems)
    report = audit([tmp_path], split="valid")
    assert kinds(report) == {("error", "length", "much", "drums"), ("warning", "length", "little", "drums")}
    assert "10 samples shorter than valid/little/vocals.wav" in messages(report, "length")[1]


def test_rates_and_channels_that_differ(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", song(1))
    write(tmp_path / "song1" / "drums.wav", rhythm(seed=5, rate=2 * RATE), rate=2 * RATE)
    write_song(tmp_path / "song2", song(2))
    write(tmp_path / "song2" / "drums.wav", rhythm(seed=6, channels=1))
    write_song(tmp_path / "song3", song(3))
    write(tmp_path / "song3" / "drums.wav", rhythm(seed=7, channels=6))
    assert kinds(audit([tmp_path])) == {
        ("error", "sample_rate", "song1", "vocals"),
        ("note", "sample_rates", "", ""),
        ("note", "channels", "song2", "drums"),
        ("warning", "channels", "song3", "vocals"),
    }


def test_silence(tmp_path: Path) -> None:
    silent = {"vocals": 1e-4 * rhythm(), "drums": torch.zeros(2, 6 * RATE)}
    write_song(tmp_path / "song", {**silent, "bass": rhythm(seed=3)}, mixture=torch.zeros(2, 6 * RATE))
    report = audit([tmp_path])
    assert kinds(report) == {
        ("error", "silent", "song", "mixture"),
        ("warning", "silent", "song", "vocals"),
        ("warning", "silent", "song", "drums"),
    }
    told = {finding.stem: finding.message for finding in report.findings if finding.kind == "silent"}
    assert told["drums"] == "every sample is zero"
    assert "nothing above -60 dB" in told["vocals"]


def test_clipping_overshoot_and_offset(tmp_path: Path) -> None:
    loud = 30 * rhythm(seed=1)
    write(tmp_path / "song" / "vocals.wav", loud.clamp(-1, 1))
    write(tmp_path / "song" / "drums.wav", loud.flip(1), subtype="FLOAT")
    write(tmp_path / "song" / "bass.wav", rhythm(seed=3) + 0.1)
    write(tmp_path / "song" / "other.wav", 0.3 * (30 * rhythm(seed=4)).clamp(-1, 1))
    report = audit([tmp_path])
    assert kinds(report) == {
        ("warning", "clipping", "song", "vocals"),
        ("note", "clipping", "song", "other"),
        ("note", "overshoot", "song", "drums"),
        ("note", "offset", "song", "bass"),
    }


def test_a_loud_tone_is_not_taken_for_clipping(tmp_path: Path) -> None:
    time = torch.arange(6 * RATE) / RATE
    write(tmp_path / "vocals" / "a.wav", 0.98 * torch.sin(2 * torch.pi * 50 * time)[None])
    assert kinds(audit([tmp_path], layout="stems")) == set()


def test_channels_that_are_equal_opposite_or_missing(tmp_path: Path) -> None:
    mono = rhythm(channels=1)
    write(tmp_path / "song" / "vocals.wav", mono.expand(2, -1))
    write(tmp_path / "song" / "drums.wav", torch.cat([rhythm(seed=1, channels=1), -rhythm(seed=1, channels=1)]))
    write(tmp_path / "song" / "bass.wav", torch.cat([rhythm(seed=2, channels=1), torch.zeros(1, 6 * RATE)]))
    assert kinds(audit([tmp_path])) == {
        ("note", "same_channels", "song", "vocals"),
        ("warning", "inverted_channels", "song", "drums"),
        ("warning", "one_sided", "song", "bass"),
    }


def damage_nan(path: Path) -> None:
    samples = rhythm(seed=5)
    samples[1, 1234] = torch.nan
    write(path, samples, subtype="FLOAT")


def damage_infinite(path: Path) -> None:
    samples = rhythm(seed=5)
    samples[0, 40000] = -torch.inf
    write(path, samples, subtype="FLOAT")


def damage_cut(path: Path) -> None:
    write(path, rhythm(seed=5))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_text(path: Path) -> None:
    path.write_text("this is not audio", encoding="utf-8")


@pytest.mark.parametrize("damage", [damage_nan, damage_infinite, damage_cut, damage_text])
@pytest.mark.parametrize("stem", ["drums", "vocals"])
def test_files_that_cannot_be_read_to_their_end(tmp_path: Path, damage: Callable[[Path], None], stem: str) -> None:
    """Whether the damaged file is the first of its song or not, it is one line, and the others are listened to."""
    for name in ("song1", "song2"):
        write_song(tmp_path / name, song(int(name[-1])))
    damage(tmp_path / "song1" / f"{stem}.wav")
    report = audit([tmp_path])
    assert not report.passes()
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert [(error.kind, error.file) for error in errors] == [("unreadable", f"song1/{stem}.wav")]
    assert str(tmp_path) not in errors[0].message
    assert all(finding.kind != "missing_stem" for finding in report.findings)
    assert {track.name for track in report.tracks} == {"song1", "song2"}


def test_every_damaged_file_is_named_at_once(tmp_path: Path) -> None:
    for name in ("song1", "song2", "song3"):
        write_song(tmp_path / name, song(int(name[-1])))
    damage_text(tmp_path / "song1" / "drums.wav")
    damage_text(tmp_path / "song2" / "drums.wav")
    damage_text(tmp_path / "song2" / "vocals.wav")
    damage_nan(tmp_path / "song3" / "drums.wav")
    found = {finding.track for finding in audit([tmp_path]).findings if finding.kind == "unreadable"}
    assert found == {"song1", "song2", "song3"}


def test_a_stem_that_one_song_lacks(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", {**song(1), "bass": rhythm(seed=131)})
    write_song(tmp_path / "song2", {**song(2), "bass": rhythm(seed=132)})
    write_song(tmp_path / "song3", song(3))
    report = audit([tmp_path])
    assert kinds(report) == {("warning", "missing_stem", "song3", "bass")}
    assert messages(report, "missing_stem") == ["no bass, which 2 of 3 songs have"]


def test_a_song_with_one_stem_lacks_the_others_too(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", song(1))
    write_song(tmp_path / "song2", {"drums": rhythm(seed=77)})
    assert kinds(audit([tmp_path])) == {("warning", "missing_stem", "song2", "vocals")}


def test_stem_folders_have_no_missing_stems(tmp_path: Path) -> None:
    for index, stem in enumerate(("vocals", "drums")):
        write(tmp_path / stem / f"{index}.wav", rhythm(0.5 if index else 6.0, seed=index))
    report = audit([tmp_path])
    assert kinds(report) == {("note", "short", "drums/1", "drums")}
    assert {f.stem for f in report.findings if f.kind == "little_sound"} == {"vocals", "drums"}


def test_a_library_without_stems_can_be_audited(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", rhythm(seed=1))
    write(tmp_path / "deep" / "b.wav", rhythm(seed=2))
    report = audit([tmp_path], layout="unlabelled")
    assert kinds(report) == set()
    assert [track.name for track in report.tracks] == ["a", "deep/b"]
    assert ("error", "dataset", "", "") in kinds(audit([tmp_path / "deep"]))  # not without being asked for


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = audit([tmp_path / "empty"])
    assert kinds(report) == {("error", "dataset", "", "")}
    assert not report.passes()
    with pytest.raises(InputError, match="no such"):
        audit([tmp_path / "nowhere"])
    write_song(tmp_path / "train" / "song", song())
    with pytest.raises(UsageError, match="valid"):
        audit([tmp_path], split="valid")


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    for number in range(2):
        write_song(tmp_path / f"song{number}", song(number))
    heard: list[tuple[str, float, float]] = []
    audit([tmp_path], on_progress=lambda *now: heard.append(now))
    done = [seconds for activity, seconds, _ in heard if activity == "listening"]
    assert done == sorted(done)
    assert heard[0][2] == 24.0  # two songs of two files
    assert done[-1] == 24.0


def test_headers_only(tmp_path: Path) -> None:
    for name in ("song1", "song2", "song3"):
        write_song(tmp_path / name, song(int(name[-1])))
    damage_text(tmp_path / "song1" / "drums.wav")
    damage_nan(tmp_path / "song2" / "drums.wav")  # which headers do not tell
    write(tmp_path / "song3" / "drums.wav", rhythm(5.0))
    (tmp_path / "song3" / "vocals.wav").write_bytes((tmp_path / "song1" / "vocals.wav").read_bytes())
    report = audit([tmp_path], is_quick=True)
    assert kinds(report) == {
        ("error", "unreadable", "song1", "drums"),
        ("error", "length", "song3", "drums"),
        ("warning", "shared_audio", "song3", "vocals"),
    }
    assert report.is_quick
    assert report.tracks[0].stems["vocals"].heard is None
