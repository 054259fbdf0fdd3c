"""From a data set and a model, or a folder of estimates made by any tool, to a table of scores.

    value = metric(estimate = separate(mixture), reference = stem),    mixture_baseline = metric(mixture, stem),

on whole tracks at the track's own sample rate and channel count, through the same separation code as the command
line. The mixture is the track's mixture file, or the sum of its stems. A stem that a track lacks, or that is silent
throughout, is not scored there, and the table says so.

References:
    Mitsufuji et al., "Music Demixing Challenge 2021", 2022: whole tracks, mean over tracks.

Deviations:
    The challenge scores tracks with a silent stem as its definition of the metric gives (a very negative number,
    which would dominate the mean); here they do not count for that stem.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import probe
from stemtune.data.datasets import open_dataset
from stemtune.data.tracks import Track, load_mixture, load_stem, read_excerpt
from stemtune.errors import InputError, UsageError
from stemtune.evaluation.metrics import METRICS, mixture_baseline
from stemtune.evaluation.table import Evaluation, TrackScore
from stemtune.models.base import Separator
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.types import StemSet

__all__ = ["Heard", "evaluate_estimates", "evaluate_model"]


@dataclass(frozen=True)
class Heard:
    """A track as it was scored; handed to ``on_track`` for listening, pictures and progress.

    Attributes:
        number: of the track, from 1.
        num_tracks: of the data set.
        mixture: ``channel time``.
        estimates: of the stems that were scored, ``channel time`` each.
        references: of the same stems.
        scores: of this track.
    """

    track: Track
    number: int
    num_tracks: int
    mixture: Float[Tensor, "channel time"]
    estimates: StemSet[Tensor]
    references: StemSet[Tensor]
    scores: tuple[TrackScore, ...]


@dataclass(frozen=True)
class _Answer:
    """Estimates of the wanted stems that exist, and what is to be noted about them."""

    estimates: dict[str, Tensor]
    notes: tuple[str, ...] = ()


_Estimator = Callable[[Track, Tensor, Sequence[str]], _Answer]


def evaluate_model(
    separator: Separator,
    tracks: Sequence[Track],
    *,
    subject: str = "model",
    metrics: Sequence[str] = tuple(METRICS),
    options: SeparationOptions | None = None,
    on_track: Callable[[Heard], None] | None = None,
) -> Evaluation:
    """Separate every track and score the stems that both the model and the track have.

    Args:
        separator: put into evaluation mode and left there.
        tracks: such as `stemtune.data.datasets.open_dataset` returns.
        subject: the model's name, for the table.
        metrics: names out of `METRICS`.
        options: of the separation; its defaults if None.
        on_track: called after each track that has something to score.

    Raises:
        InputError: if no track has any of the model's stems, or a file cannot be read.
        UsageError: for an unknown metric.
    """
    separator.eval()

    def separate(track: Track, mixture: Tensor, stems: Sequence[str]) -> _Answer:
        answer = separate_waveform(
            separator, mixture, sample_rate=track.sample_rate, options=options or SeparationOptions()
        )
        return _Answer({stem: answer[separator.stems.index(stem)] for stem in stems})

    missing = _absent_everywhere(separator.stems, tracks)
    notes = (f"no track has {', '.join(missing)}, which {subject} also estimates",) if missing else ()
    return _evaluate(
        separate, tracks, separator.stems, subject=subject, metrics=metrics, on_track=on_track, notes=notes
    )


def evaluate_estimates(
    folder: Path,
    tracks: Sequence[Track],
    *,
    metrics: Sequence[str] = tuple(METRICS),
    on_track: Callable[[Heard], None] | None = None,
) -> Evaluation:
    """Score the files ``folder/TRACK/STEM.wav`` (or any other audio format), made by any tool.

    An estimate at another rate is resampled, one of another length is cut or padded with silence, a mono one is
    heard on all channels; the table notes each of these, since each may cost a few dB.

    Args:
        folder: of the estimates; its sub-folders have the names of the tracks.
        tracks: with the references.
        metrics: names out of `METRICS`.
        on_track: called after each track that has something to score.

    Raises:
        InputError: if a track has no estimates, if nothing fits the references, or a file cannot be read.
        UsageError: for an unknown metric.
    """
    estimated = {track.name: track for track in open_dataset(folder, layout="songs")}

    def read(track: Track, _: Tensor, stems: Sequence[str]) -> _Answer:
        own = estimated.get(track.name) or estimated.get(Path(track.name).name)
        if own is None:
            raise InputError(f"{folder} has no estimates of {track.name!r}: expected {folder / track.name}/STEM.wav")
        present = [stem for stem in stems if stem in own.stems]
        notes = tuple(
            f"{track.name}: no estimate of {stem}, which is therefore not scored"
            for stem in stems
            if stem not in present
        )
        answers = {stem: _read_estimate(own.stems[stem], track, stem) for stem in present}
        return _Answer(
            {stem: samples for stem, (samples, _) in answers.items()},
            notes + tuple(note for _, found in answers.values() for note in found),
        )

    stems = tuple(dict.fromkeys(stem for track in tracks for stem in track.stems))
    return _evaluate(read, tracks, stems, subject=str(folder), metrics=metrics, on_track=on_track, notes=())


def _evaluate(
    estimate: _Estimator,
    tracks: Sequence[Track],
    stems: Sequence[str],
    *,
    subject: str,
    metrics: Sequence[str],
    on_track: Callable[[Heard], None] | None,
    notes: tuple[str, ...],
) -> Evaluation:
    unknown = [name for name in metrics if name not in METRICS]
    if unknown or not metrics:
        raise UsageError(f"unknown metric {', '.join(unknown) or '(none)'}; the metrics are {', '.join(METRICS)}")
    absent_everywhere = _absent_everywhere(stems, tracks)
    rows: list[TrackScore] = []
    found = list(notes)
    for number, track in enumerate(tracks, start=1):
        references = {stem: load_stem(track, stem) for stem in stems if stem in track.stems}
        silent = [stem for stem, samples in references.items() if _is_silent(samples)]
        absent = [stem for stem in stems if stem not in references and stem not in absent_everywhere]
        found += [f"{track.name}: {stem} is silent throughout, and therefore not scored" for stem in silent]
        found += [f"{track.name}: has no {stem}, which is therefore not scored" for stem in absent]
        mixture = load_mixture(track)
        wanted = [stem for stem in references if stem not in silent]
        if not wanted:
            continue
        answer = estimate(track, mixture, wanted)
        found += answer.notes
        if not answer.estimates:
            continue
        estimates = StemSet(answer.estimates)
        truths = StemSet({stem: references[stem] for stem in estimates})
        scores = tuple(_score(track, mixture, estimates, truths, metrics))
        rows += scores
        if on_track:
            on_track(Heard(track, number, len(tracks), mixture, estimates, truths, scores))
    if not rows:
        there = ", ".join(dict.fromkeys(stem for track in tracks for stem in track.stems)) or "none"
        raise InputError(f"nothing to score: expected references of {', '.join(stems)}; the data set has {there}")
    return Evaluation(subject=subject, rows=tuple(rows), notes=tuple(found))


def _score(
    track: Track,
    mixture: Tensor,
    estimates: StemSet[Tensor],
    references: StemSet[Tensor],
    metrics: Sequence[str],
) -> Iterator[TrackScore]:
    for stem in references:
        reference = references[stem].unsqueeze(0)
        for name in metrics:
            function = METRICS[name].function
            value = function(estimate=estimates[stem].unsqueeze(0), reference=reference)
            baseline = mixture_baseline(function, mixture=mixture, reference=reference)
            yield TrackScore(track.name, stem, name, float(value[0]), float(baseline[0]))


def _read_estimate(paths: tuple[Path, ...], track: Track, stem: str) -> tuple[Tensor, tuple[str, ...]]:
    info = probe(paths[0])
    notes: list[str] = []
    if info.sample_rate != track.sample_rate:
        notes.append(f"resampled from {info.sample_rate} to {track.sample_rate} Hz")
    elif info.exact_length and info.num_samples != track.num_samples:
        notes.append(
            f"{'cut' if info.num_samples > track.num_samples else 'padded'} from {info.num_samples} to "
            f"{track.num_samples} samples"
        )
    if info.num_channels != track.num_channels:
        notes.append(f"{info.num_channels} channels were made {track.num_channels}")
    samples = read_excerpt(
        paths,
        start_seconds=0.0,
        num_samples=track.num_samples,
        sample_rate=track.sample_rate,
        channels=track.num_channels,
    )
    return samples, tuple(f"{track.name}: the estimate of {stem}: {note}" for note in notes)


def _is_silent(samples: Tensor) -> bool:
    """Whether every channel is constant."""
    return samples.numel() == 0 or bool((samples == samples[:, :1]).all())


def _absent_everywhere(stems: Sequence[str], tracks: Sequence[Track]) -> list[str]:
    return [stem for stem in stems if not any(stem in track.stems for track in tracks)]
