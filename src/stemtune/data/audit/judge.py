"""From facts to findings: what counts as wrong with one track, and with a data set as a whole.

Every judgement is a threshold, listed at the head of this file, and every finding says what was expected, what came
and what to do. The thresholds on the null depth come from practice: rounding to 16 bits leaves about -80 dB, lossy
coding -20 to -40 dB, a mastered mixture -10 to -20 dB; above -6 dB the files hardly belong together.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stemtune.data.audit.duplicates import Place, duplicate_pairs
from stemtune.data.audit.measure import SILENCE_POWER, FileFacts, TrackFacts
from stemtune.data.audit.report import AuditReport, Finding, Severity, TrackReport

__all__ = ["judge_dataset", "judge_duplicates", "judge_track"]

_LENGTH_ERROR_SECONDS = 0.05
_NULL_ERROR_DB, _NULL_WARNING_DB, _NULL_NOTE_DB = -6.0, -15.0, -30.0
_ALIGNED_NULL_DB = -60.0
_CLIPPED_SHARE = 1e-4
_OFFSET = 0.01
_OVERSHOOT_PEAK = 1.0005
_FEW_MINUTES = 1.0
_SHORT_SECONDS = 1.0


def judge_track(facts: TrackFacts, report: TrackReport) -> Iterator[Finding]:
    """What is wrong with one track by itself."""
    track = facts.track
    where = {path: stem for stem, paths in track.stems.items() for path in paths}
    if track.mixture:
        where[track.mixture] = "mixture"
    for path, message in facts.failures.items():
        yield Finding(Severity.ERROR, "unreadable", track.name, where[path], message)
    yield from _judge_agreement(facts, where)
    for path, heard in facts.files.items():
        for severity, kind, message in _judge_sound(heard, is_mixture=path == track.mixture):
            yield Finding(severity, kind, track.name, where[path], message)
    yield from _judge_sum(report)


def _judge_agreement(facts: TrackFacts, where: dict[Path, str]) -> Iterator[Finding]:
    """Rates, lengths and channels of the files of one track."""
    name, files = facts.track.name, facts.files
    if not files:
        return
    reference = files.get(facts.track.mixture) if facts.track.mixture else None
    reference = reference or max(files.values(), key=lambda heard: (heard.seconds, heard.num_channels))
    for path, heard in files.items():
        stem = where[path]
        if heard.sample_rate != reference.sample_rate:
            yield Finding(
                Severity.ERROR, "sample_rate", name, stem,
                f"expected {reference.sample_rate} Hz as {where[reference.path]} has; "
                f"got {heard.sample_rate} Hz: resample all files of the track to one rate",
            )  # fmt: skip
        if heard.num_channels != reference.num_channels:
            harmless = 1 in (heard.num_channels, reference.num_channels)
            yield Finding(
                Severity.NOTE if harmless else Severity.WARNING, "channels", name, stem,
                f"channels: {heard.num_channels}, where {where[reference.path]} has {reference.num_channels}: "
                + ("mono is played on both sides" if harmless else "export all files of the track alike"),
            )  # fmt: skip
        apart = heard.seconds - reference.seconds
        if abs(apart) > 0.5 / heard.sample_rate:
            yield Finding(
                Severity.ERROR if abs(apart) > _LENGTH_ERROR_SECONDS else Severity.WARNING, "length", name, stem,
                f"expected {reference.seconds:.3f} s as {where[reference.path]} has; got {heard.seconds:.3f} s "
                f"({apart:+.3f} s): export all stems from the same start to the same end",
            )  # fmt: skip


def _judge_sound(heard: FileFacts, *, is_mixture: bool) -> Iterator[tuple[Severity, str, str]]:
    """Silence, clipping, overshoot and offset of one file."""
    if not bool((heard.frame_powers > SILENCE_POWER).any()):
        message = (
            f"expected sound; the file is silent (peak {heard.peak:.1g}): check the export, or remove the file if the "
            "song lacks this stem"
        )
        yield Severity.ERROR if is_mixture else Severity.WARNING, "silent", message
        return
    share = heard.clipped_samples / (heard.num_samples * heard.num_channels)
    if share > _CLIPPED_SHARE:
        message = f"{100 * share:.2f} % of the samples stand in flat tops at full scale: export at a lower level"
        yield Severity.WARNING, "clipping", message
    if heard.peak > _OVERSHOOT_PEAK:
        message = f"peaks at {heard.peak:.2f}, where 1 is full scale: fine in float files, but it would clip at 16 bits"
        yield Severity.NOTE, "overshoot", message
    if abs(heard.offset) > _OFFSET:
        yield (
            Severity.NOTE,
            "offset",
            f"expected a mean near 0; got {heard.offset:+.3f}: filter out what is below 20 Hz",
        )
    if heard.seconds < _SHORT_SECONDS:
        yield Severity.NOTE, "short", f"lasts only {heard.seconds:.2f} s: segments will be filled up with silence"


def _judge_sum(report: TrackReport) -> Iterator[Finding]:
    """Whether the stems lie in time where the mixture has them, and add up to it."""
    depth = report.null_depth_db
    aligned = depth is not None and depth < _ALIGNED_NULL_DB
    lagging = False
    for name, stem in report.stems.items():
        if stem.lag_samples and not aligned:
            lagging = True
            plural = "s" if abs(stem.lag_samples) > 1 else ""
            late = "late" if stem.lag_samples > 0 else "early"
            severity = Severity.ERROR if abs(stem.lag_samples) > 1 else Severity.WARNING
            yield Finding(
                severity, "lag", report.name, name,
                f"expected the stem where the mixture has it; it comes {abs(stem.lag_samples)} sample{plural} "
                f"({1000 * abs(stem.lag_samples) / stem.sample_rate:.1f} ms) {late}: shift it, or export it again",
            )  # fmt: skip
    if depth is None or lagging or depth < _NULL_NOTE_DB:
        return
    severity = Severity.NOTE
    if depth > _NULL_WARNING_DB:
        severity = Severity.ERROR if depth > _NULL_ERROR_DB else Severity.WARNING
    yield Finding(
        severity, "null_depth", report.name, "mixture",
        f"expected the mixture to be the sum of the stems; what remains without them lies at {depth:.1f} dB "
        "(16 bits give about -80): a stem is missing, or the mixture was mastered; remove the mixture to train on the "
        "sum of the stems",
    )  # fmt: skip


def judge_duplicates(places: Iterable[Place], reports: Sequence[TrackReport]) -> Iterator[Finding]:
    """The same sound under two names: across splits, within a track, or elsewhere."""
    by_name = {report.name: report for report in reports}
    for first, second in duplicate_pairs(places):
        if first.split != second.split:
            yield Finding(
                Severity.ERROR, "leakage", second.track, second.stem,
                f"expected splits without common audio; this is also {first.words}: a model would be judged on what "
                "it has learnt; keep one of the two",
            )  # fmt: skip
        elif first.track == second.track:
            stems = {first.stem, second.stem}
            if "mixture" in stems and _others_are_silent(by_name[first.track], stems):
                continue
            yield Finding(
                Severity.ERROR, "duplicate", second.track, second.stem,
                f"expected different stems; {first.stem} and {second.stem} hold the same audio: export both again",
            )  # fmt: skip
        else:
            yield Finding(
                Severity.WARNING, "duplicate", second.track, second.stem,
                f"expected different recordings; this is also {first.words}: it will be heard twice as often; keep "
                "one of the two",
            )  # fmt: skip


def _others_are_silent(report: TrackReport, stems: set[str]) -> bool:
    return all(stem.active_seconds == 0 for name, stem in report.stems.items() if name not in stems)


def judge_dataset(report: AuditReport) -> Iterator[Finding]:
    """What is wrong with the data set as a whole: stems that some songs lack, several rates, too little sound."""
    together = any(len(track.stems) > 1 for track in report.tracks)
    songs = [track for track in report.tracks if together and not _is_single_recording(track)]
    unreadable = {(finding.track, finding.stem) for finding in report.findings if finding.kind == "unreadable"}
    for name in dict.fromkeys(stem for song in songs for stem in song.stems):
        holders = sum(name in song.stems for song in songs)
        for song in songs:
            if name not in song.stems and (song.name, name) not in unreadable:
                yield Finding(
                    Severity.WARNING, "missing_stem", song.name, name,
                    f"expected this stem as in {holders} of {len(songs)} songs; there is none: add it, silent if the "
                    "song truly lacks it, for another stem may contain its sound",
                )  # fmt: skip
    for name, minutes in report.active_minutes.items():
        if minutes < _FEW_MINUTES:
            yield Finding(
                Severity.WARNING, "little_sound", "", name,
                f"expected at least {_FEW_MINUTES:.0f} minute in which the stem sounds; got {minutes:.2f}: add "
                "recordings of it",
            )  # fmt: skip
    rates = sorted({stem.sample_rate for track in report.tracks for stem in track.stems.values()})
    if len(rates) > 1:
        yield Finding(
            Severity.NOTE, "sample_rates", "", "",
            f"tracks have {', '.join(str(rate) for rate in rates)} Hz; they are resampled while training: what came "
            "from a low rate has no treble to learn from",
        )  # fmt: skip


def _is_single_recording(track: TrackReport) -> bool:
    """Whether the track is one file of a stem folder, ``STEM/FILE``: such a track belongs to no song."""
    folder = track.name.split("/")[-2:-1]
    return len(track.stems) == 1 and [name.lower() for name in folder] == list(track.stems)
