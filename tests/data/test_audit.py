"""Every finding of the audit, each on a data set in miniature that has just this one defect."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch

from stemtune.data.audit import AuditReport, Severity, audit_dataset
from stemtune.data.audit.alignment import lag_of_excerpt
from stemtune.errors import InputError, UsageError

RATE = 8000
STEMS = ("vocals", "drums")


def rhythm(seconds: float = 6.0, *, seed: int = 0, channels: int = 2) -> torch.Tensor:
    """Noise whose level changes every tenth of a second, so that its envelope is its fingerprint."""
    generator = torch.Generator().manual_seed(seed)
    num_samples = round(seconds * RATE)
    levels = torch.rand(round(seconds * 10) + 1, generator=generator).repeat_interleave(RATE // 10)[:num_samples]
    noise = torch.randn(1, num_samples, generator=generator).expand(channels, -1)
    return 0.05 * noise * (0.05 + levels)


def write(path: Path, samples: torch.Tensor, *, rate: int = RATE, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T.numpy(), rate, subtype=subtype)


def write_song(folder: Path, stems: dict[str, torch.Tensor], *, mixture: torch.Tensor | None = None) -> None:
    for name, samples in stems.items():
        write(folder / f"{name}.wav", samples)
    if mixture is not None:
        write(folder / "mixture.wav", mixture)


def song(seed: int = 0) -> dict[str, torch.Tensor]:
    return {stem: rhythm(seed=10 * seed + index) for index, stem in enumerate(STEMS)}


def total(stems: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(tuple(stems.values())).sum(dim=0)


def kinds(report: AuditReport, *, besides: tuple[str, ...] = ("little_sound",)) -> set[tuple[str, str, str, str]]:
    """The findings as (severity, kind, track, stem); tiny data sets always have too little sound."""
    return {(f.severity.value, f.kind, f.track, f.stem) for f in report.findings if f.kind not in besides}


def test_a_sound_data_set_passes_with_its_facts(tmp_path: Path) -> None:
    for number in range(2):
        stems = song(number)
        write_song(tmp_path / f"song{number}", stems, mixture=total(stems))
    report = audit_dataset(tmp_path)
    assert kinds(report) == set()
    assert report.passes()
    assert not report.passes(strict=True)  # too little sound is a warning
    track = report.tracks[0]
    assert (track.name, track.split, track.seconds) == ("song0", "", 6.0)
    assert track.null_depth_db is not None
    assert track.null_depth_db < -50
    assert {name: stem.lag_samples for name, stem in track.stems.items()} == {"vocals": 0, "drums": 0}
    assert report.active_minutes == pytest.approx({"vocals": 0.2, "drums": 0.2}, abs=0.01)
    assert track.mixture is not None
    assert track.mixture.num_samples == 6 * RATE


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    write_song(tmp_path / "song", song())
    told = json.loads(json.dumps(audit_dataset(tmp_path).to_json()))
    assert told["passes"] is True
    assert told["num_tracks"] == 1
    assert told["counts"]["error"] == 0
    assert told["tracks"][0]["stems"]["vocals"]["sample_rate"] == RATE
    assert {finding["severity"] for finding in told["findings"]} <= {"error", "warning", "note"}


@pytest.mark.parametrize("lag", [-37, 250])
def test_a_lag_is_measured_to_the_sample(tmp_path: Path, lag: int) -> None:
    stems = song()
    mixture = total(stems)
    stems["drums"] = torch.roll(stems["drums"], lag, dims=1)
    write_song(tmp_path / "song", stems, mixture=mixture)
    report = audit_dataset(tmp_path)
    assert kinds(report) == {("error", "lag", "song", "drums")}
    assert report.tracks[0].stems["drums"].lag_samples == lag
    message = next(f.message for f in report.findings if f.kind == "lag")
    assert f"{abs(lag)} samples" in message
    assert ("late" if lag > 0 else "early") in message


def test_the_lag_of_unrelated_sound_is_not_guessed() -> None:
    assert lag_of_excerpt(rhythm(seed=1)[0], rhythm(seed=2)[0], max_lag=1000) is None
    assert lag_of_excerpt(torch.zeros(4000), rhythm(seed=2)[0][:4000], max_lag=1000) is None


@pytest.mark.parametrize(("share", "severity"), [(0.1, "note"), (0.3, "warning"), (1.0, "error")])
def test_a_mixture_that_is_not_the_sum_of_the_stems(tmp_path: Path, share: float, severity: str) -> None:
    stems = song()
    write_song(tmp_path / "song", stems, mixture=total(stems) + share * rhythm(seed=99))
    assert kinds(audit_dataset(tmp_path)) == {(severity, "null_depth", "song", "mixture")}


def test_lengths_that_differ(tmp_path: Path) -> None:
    for name, missing in (("much", 800), ("little", 10)):
        stems = song()
        stems["drums"] = stems["drums"][:, :-missing]
        write_song(tmp_path / "valid" / name, stems)
    assert kinds(audit_dataset(tmp_path, split="valid"), besides=("little_sound", "duplicate")) == {
        ("error", "length", "much", "drums"),
        ("warning", "length", "little", "drums"),
    }


def test_rates_and_channels_that_differ(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", song(1))
    write(tmp_path / "song1" / "drums.wav", rhythm(12.0, seed=5), rate=2 * RATE)
    write_song(tmp_path / "song2", song(2))
    write(tmp_path / "song2" / "drums.wav", rhythm(seed=6, channels=1))
    write_song(tmp_path / "song3", song(3))
    write(tmp_path / "song3" / "drums.wav", rhythm(seed=7, channels=6))
    assert kinds(audit_dataset(tmp_path)) == {
        ("error", "sample_rate", "song1", "vocals"),
        ("note", "sample_rates", "", ""),
        ("note", "channels", "song2", "drums"),
        ("warning", "channels", "song3", "vocals"),
    }


def test_silence(tmp_path: Path) -> None:
    stems = song()
    write_song(tmp_path / "song", {**stems, "drums": torch.zeros(2, 6 * RATE)}, mixture=torch.zeros(2, 6 * RATE))
    assert kinds(audit_dataset(tmp_path)) == {
        ("error", "silent", "song", "mixture"),
        ("warning", "silent", "song", "drums"),
    }


def test_clipping_overshoot_and_offset(tmp_path: Path) -> None:
    loud = 30 * rhythm(seed=1)
    write(tmp_path / "song" / "vocals.wav", loud.clamp(-1, 1))
    write(tmp_path / "song" / "drums.wav", loud.flip(1), subtype="FLOAT")
    write(tmp_path / "song" / "bass.wav", rhythm(seed=3) + 0.1)
    assert kinds(audit_dataset(tmp_path)) == {
        ("warning", "clipping", "song", "vocals"),
        ("note", "overshoot", "song", "drums"),
        ("note", "offset", "song", "bass"),
    }


def test_a_loud_tone_is_not_taken_for_clipping(tmp_path: Path) -> None:
    time = torch.arange(6 * RATE) / RATE
    write(tmp_path / "vocals" / "a.wav", 0.98 * torch.sin(2 * torch.pi * 50 * time)[None])
    assert kinds(audit_dataset(tmp_path, layout="stems")) == set()


def damage_nan(path: Path) -> None:
    samples = rhythm(seed=5)
    samples[1, 1234] = torch.nan
    write(path, samples, subtype="FLOAT")


def damage_cut(path: Path) -> None:
    write(path, rhythm(seed=5))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_text(path: Path) -> None:
    path.write_text("this is not audio", encoding="utf-8")


@pytest.mark.parametrize("damage", [damage_nan, damage_cut, damage_text])
@pytest.mark.parametrize("stem", ["drums", "vocals"])
def test_files_that_cannot_be_read_to_their_end(tmp_path: Path, damage: Callable[[Path], None], stem: str) -> None:
    for name in ("song1", "song2"):
        write_song(tmp_path / name, song(int(name[-1])))
    damage(tmp_path / "song1" / f"{stem}.wav")
    report = audit_dataset(tmp_path)
    assert not report.passes()
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert len(errors) == 1
    assert f"{stem}.wav" in errors[0].message
    assert all(finding.kind != "missing_stem" for finding in report.findings)


def test_a_data_set_that_cannot_be_opened_names_all_its_bad_files(tmp_path: Path) -> None:
    for name in ("song1", "song2", "song3"):
        write_song(tmp_path / name, song(int(name[-1])))
    damage_text(tmp_path / "song1" / "drums.wav")
    damage_text(tmp_path / "song2" / "drums.wav")
    damage_nan(tmp_path / "song3" / "drums.wav")
    report = audit_dataset(tmp_path)
    messages = " ".join(finding.message for finding in report.findings if finding.severity is Severity.ERROR)
    assert all(name in messages for name in ("song1", "song2", "song3"))


def test_the_same_audio_under_two_names(tmp_path: Path) -> None:
    first, second = song(1), song(2)
    write_song(tmp_path / "train" / "a", first)
    write_song(tmp_path / "train" / "b", {"vocals": 0.5 * first["vocals"], "drums": second["drums"]})
    write_song(tmp_path / "train" / "c", {"vocals": second["vocals"], "drums": second["vocals"]})
    write_song(tmp_path / "test" / "d", {"vocals": rhythm(seed=77), "drums": 0.3 * first["drums"]})
    found = {(f.severity.value, f.kind, f.track, f.message) for f in audit_dataset(tmp_path).findings}
    assert {(s, k) for s, k, _, _ in found} == {
        ("warning", "duplicate"),
        ("error", "duplicate"),
        ("error", "leakage"),
        ("warning", "little_sound"),
    }
    pairs = {
        (severity, kind, frozenset(name for name in "abcd" if f"/{name}" in f"{track} {message}"))
        for severity, kind, track, message in found
        if kind != "little_sound"
    }
    assert pairs == {
        ("warning", "duplicate", frozenset("ab")),
        ("error", "duplicate", frozenset("c")),
        ("error", "leakage", frozenset("ad")),
    }


def test_a_stem_may_be_the_mixture_where_all_others_are_silent(tmp_path: Path) -> None:
    solo = rhythm()
    write_song(tmp_path / "song", {"vocals": solo, "drums": torch.zeros_like(solo)}, mixture=solo)
    assert kinds(audit_dataset(tmp_path)) == {("warning", "silent", "song", "drums")}
    write_song(tmp_path / "song", {"vocals": solo, "drums": rhythm(seed=2)}, mixture=solo)
    assert ("error", "duplicate") in {(severity, kind) for severity, kind, _, _ in kinds(audit_dataset(tmp_path))}


def test_leakage_is_seen_in_a_table(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", rhythm(seed=1))
    write(tmp_path / "b.wav", 0.4 * rhythm(seed=1))
    table = "track,stem,path,split\nA,vocals,a.wav,train\nB,vocals,b.wav,valid\n"
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    report = audit_dataset(tmp_path / "table.csv")
    assert {(kind, severity) for severity, kind, _, _ in kinds(report)} == {("leakage", "error")}
    assert [track.split for track in report.tracks] == ["train", "valid"]


def test_a_stem_that_one_song_lacks(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", {**song(1), "bass": rhythm(seed=131)})
    write_song(tmp_path / "song2", {**song(2), "bass": rhythm(seed=132)})
    write_song(tmp_path / "song3", song(3))
    assert kinds(audit_dataset(tmp_path)) == {("warning", "missing_stem", "song3", "bass")}


def test_a_song_with_one_stem_lacks_the_others_too(tmp_path: Path) -> None:
    write_song(tmp_path / "song1", song(1))
    write_song(tmp_path / "song2", {"drums": rhythm(seed=77)})
    assert kinds(audit_dataset(tmp_path)) == {("warning", "missing_stem", "song2", "vocals")}


def test_stem_folders_have_no_missing_stems(tmp_path: Path) -> None:
    for index, stem in enumerate(STEMS):
        write(tmp_path / stem / f"{index}.wav", rhythm(0.5 if index else 6.0, seed=index))
    report = audit_dataset(tmp_path)
    assert kinds(report) == {("note", "short", "drums/1", "drums")}
    assert {f.stem for f in report.findings if f.kind == "little_sound"} == set(STEMS)


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = audit_dataset(tmp_path / "empty")
    assert kinds(report) == {("error", "dataset", "", "")}
    assert not report.passes()
    with pytest.raises(InputError, match="no such"):
        audit_dataset(tmp_path / "nowhere")
    write_song(tmp_path / "train" / "song", song())
    with pytest.raises(UsageError, match="valid"):
        audit_dataset(tmp_path, split="valid")


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    for number in range(2):
        write_song(tmp_path / f"song{number}", song(number))
    heard: list[tuple[str, float, float]] = []
    audit_dataset(tmp_path, on_progress=lambda *now: heard.append(now))
    assert [name for name, _, _ in heard] == sorted(name for name, _, _ in heard)
    done = [seconds for _, seconds, _ in heard]
    assert done == sorted(done)
    assert heard[0][2] == 12.0
    assert done[-1] <= 12.0
