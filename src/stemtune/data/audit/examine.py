"""The audit itself: open the data set, listen to every track, judge.

    audit_dataset(path) = judge(facts of every track) + judge(duplicates) + judge(the whole).

A data set that cannot even be opened is not the end: then every audio file under it is decoded, and those that fail
are named, all at once rather than one a run.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch

from stemtune.data.audio import AUDIO_EXTENSIONS, open_audio
from stemtune.data.audit.alignment import find_lag
from stemtune.data.audit.duplicates import Place
from stemtune.data.audit.judge import judge_dataset, judge_duplicates, judge_track
from stemtune.data.audit.measure import FRAME_SECONDS, SILENCE_POWER, FileFacts, TrackFacts, measure_track
from stemtune.data.audit.report import AuditReport, Finding, Severity, StemReport, TrackReport
from stemtune.data.datasets import SPLITS, open_dataset
from stemtune.data.tracks import Track
from stemtune.errors import InputError, UsageError

__all__ = ["Progress", "audit_dataset"]

Progress = Callable[[str, float, float], None]
"""Called with the name of the track at hand, the seconds listened to so far, and the seconds in all."""

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_BLOCK_SAMPLES = 1 << 19


def audit_dataset(
    path: str | Path,
    *,
    split: str | None = None,
    layout: Literal["songs", "stems"] | None = None,
    on_progress: Progress | None = None,
) -> AuditReport:
    """Decode everything, and say what is wrong.

    Args:
        path: a data set as `open_dataset` takes it.
        split: which of the splits to audit; all of them, and what they have in common, if None.
        layout: what the folders are, where it cannot be recognised.
        on_progress: hears how far the audit is.

    Raises:
        InputError: if there is nothing at ``path``.
        UsageError: if the split does not exist or the layout cannot be recognised.
    """
    root = Path(path)
    try:
        tracks = open_dataset(root, split=split, layout=layout)
    except InputError as error:
        if not root.exists():
            raise
        return _audit_unopened(root, error)
    splits = _split_by_track(root, tracks, split)
    total, done = sum(track.duration_seconds for track in tracks), 0.0
    findings: list[Finding] = []
    reports: list[TrackReport] = []
    places: list[Place] = []
    for track in tracks:
        heard = 0.0

        def on_seconds(seconds: float, *, track: Track = track, done: float = done) -> None:
            nonlocal heard
            heard = min(heard + seconds, track.duration_seconds)
            if on_progress:
                on_progress(track.name, done + heard, total)

        if on_progress:
            on_progress(track.name, done, total)
        facts = measure_track(track, on_seconds=on_seconds)
        report = _report(facts, splits[track.name])
        findings += judge_track(facts, report)
        reports.append(report)
        places += _places(facts, report.split)
        done += track.duration_seconds
    findings += judge_duplicates(places, reports)
    findings += judge_dataset(AuditReport(str(root), tuple(reports), tuple(findings)))
    return AuditReport(str(root), tuple(reports), tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])))


def _split_by_track(root: Path, tracks: Sequence[Track], split: str | None) -> dict[str, str]:
    if split is not None:
        return {track.name: split for track in tracks}
    splits = {track.name: track.name.split("/")[0] if track.name.split("/")[0] in SPLITS else "" for track in tracks}
    if root.is_file():
        for name in SPLITS:
            try:
                splits |= {track.name: name for track in open_dataset(root, split=name)}
            except UsageError:
                continue
    return splits


def _report(facts: TrackFacts, split: str) -> TrackReport:
    track = facts.track
    mixture = facts.files.get(track.mixture) if track.mixture else None
    stems: dict[str, StemReport] = {}
    for name in track.stems:
        files = facts.stem_files(name)
        if files:
            stems[name] = _stem_report(files, _lag(facts, name, mixture))
    return TrackReport(
        name=track.name,
        split=split,
        seconds=max((heard.seconds for heard in facts.files.values()), default=track.duration_seconds),
        stems=stems,
        mixture=_stem_report((mixture,), None) if mixture else None,
        null_depth_db=None if facts.null_depth_db is None else round(facts.null_depth_db, 2),
    )


def _lag(facts: TrackFacts, stem: str, mixture: FileFacts | None) -> int | None:
    files, paths = facts.stem_files(stem), facts.track.stems[stem]
    if mixture is None or len(files) != len(paths) or {f.sample_rate for f in files} != {mixture.sample_rate}:
        return None
    powers = _frame_powers(files)
    others = [
        heard.path
        for name in facts.track.stems
        if name != stem
        for heard in facts.stem_files(name)
        if heard.sample_rate == mixture.sample_rate
    ]
    return find_lag(paths, mixture.path, others=others, frame_powers=powers, sample_rate=mixture.sample_rate)


def _stem_report(files: Sequence[FileFacts], lag_samples: int | None) -> StemReport:
    longest = max(files, key=lambda heard: heard.num_samples)
    return StemReport(
        sample_rate=longest.sample_rate,
        num_channels=longest.num_channels,
        num_samples=longest.num_samples,
        rms_db=round(max(heard.rms_db for heard in files), 2),
        peak=round(max(heard.peak for heard in files), 4),
        active_seconds=round(float((_frame_powers(files) > SILENCE_POWER).sum()) * FRAME_SECONDS, 1),
        clipped_samples=sum(heard.clipped_samples for heard in files),
        lag_samples=lag_samples,
    )


def _frame_powers(files: Sequence[FileFacts]) -> torch.Tensor:
    """The power of the sum of some files in every tenth of a second, taking them for unrelated."""
    total = torch.zeros(max(heard.frame_powers.shape[0] for heard in files))
    for heard in files:
        total[: heard.frame_powers.shape[0]] += heard.frame_powers
    return total


def _places(facts: TrackFacts, split: str) -> list[Place]:
    track = facts.track
    places = [Place(split, track.name, stem, heard) for stem in track.stems for heard in facts.stem_files(stem)]
    if track.mixture and track.mixture in facts.files and len(track.stems) > 1:
        places.append(Place(split, track.name, "mixture", facts.files[track.mixture]))
    return places


def _audit_unopened(root: Path, error: InputError) -> AuditReport:
    """Name the files that keep a data set from being opened."""
    findings = [Finding(Severity.ERROR, "dataset", "", "", str(error))]
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_EXTENSIONS) if root.is_dir() else []
    for path in paths:
        try:
            with open_audio(path) as reader:
                for _ in reader.blocks(_BLOCK_SAMPLES):
                    pass
        except InputError as failure:
            if str(failure) != str(error):
                folder = path.parent.relative_to(root).as_posix()
                findings.append(Finding(Severity.ERROR, "unreadable", folder, path.stem, str(failure)))
    return AuditReport(str(root), (), tuple(findings))
