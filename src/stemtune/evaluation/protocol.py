"""From a data set and a model, or a folder of estimates made by any tool, to a table of scores.

    value = metric(estimate = separate(mixture), reference = stem),    mixture_baseline = metric(mixture, stem),

on whole tracks at the track's own sample rate and channel count, through the same separation code as the command
line. The mixture is the track's mixture file, or the sum of its stems. A stem that a track lacks, or that is silent
throughout, is not scored there, and the table says so.

Tracks are independent: processes share them, and each result is kept as soon as it is there, so that an evaluation
that was killed goes on where it stopped, and one whose files or model have changed does again what has changed.

References:
    Mitsufuji et al., "Music Demixing Challenge 2021", 2022: whole tracks, mean over tracks. Stoeter et al., "The 2018
    signal separation evaluation campaign", 2018: frames of one second, medians.

Deviations:
    The challenge scores tracks with a silent stem as its definition of the metric gives (a very negative number,
    which would dominate the mean); museval refuses them. Here they do not count for that stem.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.measures import DEFAULT_METRICS
from stemtune.evaluation.model_systems import LoadedSystem
from stemtune.evaluation.records import EvaluationRequest, TrackRecord, assemble, fingerprint_of
from stemtune.evaluation.report_store import RecordStore
from stemtune.evaluation.systems import EstimatesSystem, System
from stemtune.evaluation.table import Evaluation
from stemtune.evaluation.track_workers import in_processes, one_by_one, picture_of
from stemtune.models.base import Separator
from stemtune.separation.options import SeparationOptions

__all__ = ["TrackEvent", "evaluate", "evaluate_estimates", "evaluate_model"]


@dataclass(frozen=True)
class TrackEvent:
    """Something happened to a track.

    Attributes:
        kind: "progress" while it is being scored (in this process only), "done", or "kept" if an earlier run did it.
        track: which.
        seconds_done: how much of it was heard.
        num_finished: how many tracks are finished.
        num_tracks: of all.
    """

    kind: Literal["progress", "done", "kept"]
    track: Track
    seconds_done: float
    num_finished: int
    num_tracks: int


OnEvent = Callable[[TrackEvent], None]


def evaluate(
    system: System,
    tracks: Sequence[Track],
    request: EvaluationRequest | None = None,
    *,
    folder: Path | None = None,
    pictures: Path | None = None,
    jobs: int = 1,
    on_event: OnEvent | None = None,
) -> Evaluation:
    """Score a system on a data set.

    Args:
        system: what to evaluate, such as `stemtune.evaluation.subjects.open_system` finds.
        tracks: with the references, such as `stemtune.data.datasets.open_dataset` returns.
        request: what to measure; sdr_global and si_sdr beside the mixture's if None.
        folder: where results are kept track by track; a second run does what is missing or stale. None: nowhere.
        pictures: where a picture of each track goes, 30 seconds from its middle, estimates beside references.
        jobs: how many processes share the tracks; the cores are divided among them.
        on_event: is told how far it is, in this process.

    Raises:
        InputError: if no track has any of the system's stems, estimates are missing or do not fit, or a file cannot be
            read.
        UsageError: for an unknown metric.
        OutputError: if results cannot be kept.
    """
    request = (request or EvaluationRequest()).checked()
    system.check(tracks)
    _require_common_stems(system, tracks)
    store = RecordStore(folder) if folder is not None else None
    planned = [(number, track, fingerprint_of(system, track, request)) for number, track in enumerate(tracks)]
    records: dict[int, TrackRecord] = {}
    todo: list[tuple[int, Track, str]] = []

    def tell(kind: Literal["progress", "done", "kept"], track: Track, seconds: float) -> None:
        if on_event:
            on_event(TrackEvent(kind, track, seconds, len(records), len(tracks)))

    for number, track, mark in planned:
        kept = store.find(track.name, fingerprint=mark) if store else None
        if kept is None or (pictures and not picture_of(track, pictures).is_file()):
            todo.append((number, track, mark))
        else:
            records[number] = kept
            tell("kept", track, track.duration_seconds)
    run = in_processes if jobs > 1 and len(todo) > 1 else one_by_one
    for number, record in run(system, todo, request, pictures, jobs, lambda track, seen: tell("progress", track, seen)):
        if store:
            store.keep(record)
        records[number] = record
        tell("done", tracks[number], tracks[number].duration_seconds)
    ordered = [records[number] for number in range(len(tracks))]
    evaluation = assemble(ordered, subject=system.name, notes=_notes(system, tracks))
    if not evaluation.rows:
        there = ", ".join(dict.fromkeys(stem for track in tracks for stem in track.stems))
        raise InputError(f"nothing to score: the references of {there} are silent throughout")
    return evaluation


def evaluate_model(
    separator: Separator,
    tracks: Sequence[Track],
    *,
    subject: str = "model",
    metrics: Sequence[str] = DEFAULT_METRICS,
    options: SeparationOptions | None = None,
    on_event: OnEvent | None = None,
) -> Evaluation:
    """Separate every track with a model that is in memory, and score the stems that both have.

    Args:
        separator: put into evaluation mode and left there.
        tracks: such as `stemtune.data.datasets.open_dataset` returns.
        subject: the model's name, for the table.
        metrics: names of measures.
        options: of the separation; its defaults if None.
        on_event: is told how far it is.

    Raises:
        InputError: if no track has any of the model's stems, or a file cannot be read.
        UsageError: for an unknown metric.
    """
    system = LoadedSystem(separator.eval(), subject, options or SeparationOptions())
    return evaluate(system, tracks, EvaluationRequest(metrics=tuple(metrics)), on_event=on_event)


def evaluate_estimates(
    folder: Path,
    tracks: Sequence[Track],
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    fit: bool = False,
    on_event: OnEvent | None = None,
) -> Evaluation:
    """Score the files ``folder/TRACK/STEM.wav`` (or any other audio format), made by any tool.

    Args:
        folder: of the estimates; its sub-folders have the names of the tracks.
        tracks: with the references.
        metrics: names of measures.
        fit: resample, cut, pad and duplicate channels where estimates do not fit, and note it, instead of refusing.
        on_event: is told how far it is.

    Raises:
        InputError: if a track has no estimates, if nothing fits the references, or a file cannot be read.
        UsageError: for an unknown metric.
    """
    system = EstimatesSystem(folder, name=str(folder), fit=fit)
    return evaluate(system, tracks, EvaluationRequest(metrics=tuple(metrics)), on_event=on_event)


def _require_common_stems(system: System, tracks: Sequence[Track]) -> None:
    if any(stem in system.stems(track) for track in tracks for stem in track.stems):
        return
    there = ", ".join(dict.fromkeys(stem for track in tracks for stem in track.stems)) or "none"
    estimated = ", ".join(dict.fromkeys(stem for track in tracks for stem in system.stems(track))) or "none"
    raise InputError(f"nothing to score: expected references of {estimated}; the data set has {there}")


def _notes(system: System, tracks: Sequence[Track]) -> tuple[str, ...]:
    """About stems that the system estimates and tracks lack."""
    estimated = dict.fromkeys(stem for track in tracks for stem in system.stems(track))
    nowhere = [stem for stem in estimated if not any(stem in track.stems or stem in track.silent for track in tracks)]
    notes = [f"no track has {', '.join(nowhere)}, which {system.name} also estimates"] if nowhere else []
    notes += [
        f"{track.name}: has no {stem}, which is therefore not scored"
        for track in tracks
        for stem in estimated
        if stem not in nowhere and stem not in track.stems and stem not in track.silent
    ]
    return tuple(notes)
