"""A comparison from beginning to end: score every system, compare, listen again, and write one page.

FOLDER/index.html           the page, with everything in it
FOLDER/scores.csv           every score: system, track, stem, metric, value
FOLDER/pairs.csv            every comparison: both directions of every pair, with p-values
FOLDER/results/SYSTEM/      what each system scored, track by track; a second run goes on from there
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from stemtune.config import Frozen
from stemtune.data.files import write_text_atomically
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.comparison import Comparison, compare
from stemtune.evaluation.contenders import Contender
from stemtune.evaluation.listening import HeardPassage, hear_passages
from stemtune.evaluation.measures import DEFAULT_METRICS, RuleName
from stemtune.evaluation.passages import Passage, choose_passages
from stemtune.evaluation.protocol import TrackEvent, evaluate
from stemtune.evaluation.records import EvaluationRequest
from stemtune.evaluation.report_audio import choose_bit_rate, make_clips
from stemtune.evaluation.report_curves import read_log
from stemtune.evaluation.report_page import HeardClips, PageContent, render_page
from stemtune.evaluation.report_store import file_name
from stemtune.evaluation.report_summary import render_summary
from stemtune.evaluation.systems import MixtureSystem, System
from stemtune.evaluation.table import Evaluation

__all__ = ["BuildOptions", "build_report"]

PAGE = "index.html"
_MEGABYTE = 1e6


class BuildOptions(Frozen):
    """What a report contains."""

    metrics: tuple[str, ...] = Field(default=DEFAULT_METRICS, description="names of measures; the first decides")
    rule: RuleName | None = Field(default=None, description="of aggregation; each metric's own if None")
    sound: bool = Field(default=True, description="whether there are passages to listen to")
    passage_seconds: int = Field(default=10, ge=1, le=60)
    max_megabytes: float = Field(default=25, gt=0, description="that the sounds may take, about")
    jobs: int = Field(default=1, ge=1, description="tracks at once")
    title: str = ""
    command: str = ""


@dataclass(frozen=True)
class _Ears:
    """Who is heard, and by whose scores the passages are chosen."""

    systems: Mapping[str, System]
    chosen_by: str


def build_report(
    contenders: Sequence[Contender],
    tracks: Sequence[Track],
    folder: Path,
    options: BuildOptions | None = None,
    *,
    on_event: Callable[[str, TrackEvent], None] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Path:
    """Compare systems on a data set and write the report.

    Args:
        contenders: at least two; see `stemtune.evaluation.contenders`.
        tracks: with the references.
        folder: of the report; results in it are reused as far as they are not stale.
        options: what it contains.
        on_event: is told how far the scoring of which system is.
        on_step: is told what begins.

    Returns:
        the page.

    Raises:
        InputError: if systems and tracks do not fit together, or a file cannot be read.
        UsageError: for an unknown metric, or a missing package.
        OutputError: if something cannot be written.
    """
    options = options or BuildOptions()
    request = EvaluationRequest(metrics=options.metrics, baseline=False).checked()
    tell = on_step or _say_nothing
    evaluations = {
        contender.label: _scores(contender, tracks, folder, request, options.jobs, on_event) for contender in contenders
    }
    tell("comparing")
    oracles = frozenset(contender.label for contender in contenders if contender.is_oracle)
    comparison = compare(evaluations, bounds=oracles, rule=options.rule)
    curves = {c.label: [read_log(path) for path in c.logs] for c in contenders if c.logs}
    heard: list[HeardClips] = []
    ears = _ears(contenders, evaluations) if options.sound else None
    bit_rate = 0
    if ears:
        passages = _passages(evaluations[ears.chosen_by], comparison, options.passage_seconds)
        bit_rate = choose_bit_rate(
            num_clips=len(passages) * (2 + len(ears.systems)),
            seconds=options.passage_seconds,
            max_bytes=options.max_megabytes * _MEGABYTE,
        )
        heard = _hear(passages, ears, tracks, bit_rate, tell)
    tell("writing")
    page = render_page(
        PageContent(
            title=options.title or _title(comparison),
            comparison=comparison,
            about={contender.label: contender.about for contender in contenders},
            training_data={contender.label: contender.training_data for contender in contenders},
            oracles=oracles,
            curves=curves,
            passages=heard,
            chosen_by=ears.chosen_by if ears else "",
            bit_rate_kbps=bit_rate,
            command=options.command,
        )
    )
    summary = render_summary(comparison, title=options.title or _title(comparison), command=options.command)
    write_text_atomically(folder / "summary.md", summary)
    write_text_atomically(folder / "scores.csv", _csv(_SCORE_COLUMNS, _score_rows(comparison)))
    write_text_atomically(folder / "pairs.csv", _csv(_PAIR_COLUMNS, _pair_rows(comparison)))
    return write_text_atomically(folder / PAGE, page)


def _scores(
    contender: Contender,
    tracks: Sequence[Track],
    folder: Path,
    request: EvaluationRequest,
    jobs: int,
    on_event: Callable[[str, TrackEvent], None] | None,
) -> Evaluation:
    if contender.system is None:
        if contender.results is None:
            raise InputError(f"{contender.label} has neither a system nor results")
        return contender.results
    label = contender.label
    return evaluate(
        contender.system,
        tracks,
        request,
        folder=folder / "results" / file_name(label),
        jobs=jobs,
        on_event=(lambda event: on_event(label, event)) if on_event else None,
    )


def _ears(contenders: Sequence[Contender], evaluations: Mapping[str, Evaluation]) -> _Ears | None:
    """Nobody, if there is no system of which it is known where it is good."""
    systems = {c.label: c.system for c in contenders if c.system and not isinstance(c.system, MixtureSystem)}
    chosen_by = next((label for label in systems if evaluations[label].energies), None)
    return _Ears(systems, chosen_by) if chosen_by else None


def _passages(evaluation: Evaluation, comparison: Comparison, seconds: int) -> tuple[Passage, ...]:
    shared = [e for e in evaluation.energies if e.stem in comparison.stems and e.track in comparison.tracks]
    order = {stem: number for number, stem in enumerate(comparison.stems)}
    return choose_passages(sorted(shared, key=lambda energies: order[energies.stem]), seconds=seconds)


def _hear(
    passages: Sequence[Passage], ears: _Ears, tracks: Sequence[Track], bit_rate: int, tell: Callable[[str], None]
) -> list[HeardClips]:
    heard: tuple[HeardPassage, ...] = hear_passages(
        passages, ears.systems, tracks, on_track=lambda label, track: tell(f"listening: {label}, {track.name}")
    )
    clips: list[HeardClips] = []
    for one in heard:
        tell(f"drawing: {one.passage.stem}, {one.passage.rank}")
        clips.append(HeardClips(one, make_clips(one, bit_rate_kbps=bit_rate)))
    return clips


def _say_nothing(text: str) -> None:
    del text


def _title(comparison: Comparison) -> str:
    first, *others = comparison.systems
    return f"{first} beside {', '.join(others)}"


_SCORE_COLUMNS = ("system", "track", "stem", "metric", "value")
_PAIR_COLUMNS = (
    "metric", "stem", "better", "worse", "num_tracks", "median_difference", "mean_difference", "mean_low", "mean_high",
    "share_improved", "p_value", "p_value_holm", "is_significant",
)  # fmt: skip


def _score_rows(comparison: Comparison) -> Iterable[tuple[object, ...]]:
    for metric in comparison.metrics:
        for stem, systems in metric.scores.items():
            for system, of_tracks in systems.items():
                for track, value in of_tracks.items():
                    yield system, track, stem, metric.metric, value


def _pair_rows(comparison: Comparison) -> Iterable[tuple[object, ...]]:
    for metric in comparison.metrics:
        for pair in metric.pairs:
            mean = pair.mean_difference
            interval = (mean.value, mean.low, mean.high) if mean else ("", "", "")
            yield (
                metric.metric, pair.group, pair.better, pair.worse, pair.test.num_pairs, pair.median_difference,
                *interval, pair.share_improved, pair.test.p_value, pair.adjusted_p_value, pair.is_significant,
            )  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
