"""The page of a comparison: everything that the template shows, and the template filled in.

    page = template(tables, charts, words, sounds)        one file, no network, readable by people and screen readers

What is said and how it is arranged is in ``report_words.py`` and ``templates/``; here numbers become cells.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from stemtune.errors import UsageError
from stemtune.evaluation.comparison import Comparison, MetricComparison
from stemtune.evaluation.listening import HeardPassage
from stemtune.evaluation.measures import RULES, column
from stemtune.evaluation.pictures import HIGHEST_HZ, LOWEST_HZ
from stemtune.evaluation.report_audio import Clip
from stemtune.evaluation.report_charts import Curve, colours_of, draw_boxes, draw_curves, draw_differences
from stemtune.evaluation.report_curves import LearningCurve
from stemtune.evaluation.report_words import (
    caveats,
    clock,
    decibels_text,
    group_name,
    interval_text,
    pairs_text,
    probability,
    size_text,
    verdict,
    verdict_of_pair,
    warnings,
)
from stemtune.evaluation.statistics import PairedComparison

__all__ = ["HeardClips", "PageContent", "render_page"]

CONFIDENCE = "95 %"
_SIZE = "@size@"


@dataclass(frozen=True)
class HeardClips:
    """A passage with its players."""

    heard: HeardPassage
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class PageContent:
    """What goes into a page.

    Attributes:
        title: of the page.
        comparison: the numbers.
        about: what each system is, by name.
        training_data: what each system learnt from, in words, by name, where it is known.
        oracles: systems that know the truth, and are no rivals.
        curves: of each system's training.
        passages: to listen to; none for a page without sound.
        chosen_by: the system whose scores chose them.
        bit_rate_kbps: of the sounds.
        command: that made it.
    """

    title: str
    comparison: Comparison
    about: Mapping[str, str]
    training_data: Mapping[str, str] = field(default_factory=dict[str, str])
    oracles: frozenset[str] = frozenset()
    curves: Mapping[str, Sequence[LearningCurve]] = field(default_factory=dict[str, Sequence[LearningCurve]])
    passages: Sequence[HeardClips] = ()
    chosen_by: str = ""
    bit_rate_kbps: int = 0
    command: str = ""


def render_page(content: PageContent) -> str:
    """The whole page as HTML.

    Raises:
        UsageError: if jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UsageError("a report needs jinja2: pip install 'stemtune[report]'") from None
    folder = files("stemtune.evaluation") / "templates"
    texts = {kind: (folder / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(texts["html"]).render(
        page=_page(content), css=texts["css"], js=texts["js"], size=_SIZE
    )
    return page.replace(_SIZE, size_text(len(page.encode())))


def _page(content: PageContent) -> dict[str, Any]:
    comparison = content.comparison
    colours = colours_of(comparison.systems)
    minutes = math.fsum(seconds for seconds in comparison.tracks.values() if not math.isnan(seconds)) / 60
    facts = [(len(comparison.tracks), "tracks"), (len(comparison.stems), "stems"), (len(comparison.systems), "systems")]
    return {
        "title": content.title,
        "verdict": verdict(comparison),
        "facts": [*facts, *([(f"{minutes:.1f}", "minutes of music")] if minutes else [])],
        "warnings": warnings(comparison),
        "confidence": CONFIDENCE,
        "systems": [
            {
                "name": name,
                "colour": colours[name],
                "about": content.about.get(name, ""),
                "heard": content.training_data.get(name, ""),
            }
            for name in comparison.systems
        ],
        "how_to_read": (
            "Different definitions of one name differ by several dB on the same sound, so each score is given with its "
            "own. Compare numbers down a column, never across metrics."
        ),
        "how_to_compare": (
            "Songs differ far more than systems, so systems are compared song by song. p is the probability of "
            "differences at least as favourable if the first were no better than the second."
        ),
        "metrics": [_metric(metric, content, colours) for metric in comparison.metrics],
        "curves": _curves(content, colours),
        "stems_heard": _stems_heard(content, colours),
        "how_to_listen": (
            f"Of every stem the best, the median and the worst passage of {content.chosen_by}, by its energy ratio "
            "there, among all passages in half of which the stem is heard. They were chosen by rule, not by ear."
        ),
        "top_hz": f"{_top_hz(content) / 1000:.0f} kHz",
        "caveats": caveats(
            comparison,
            confidence=CONFIDENCE,
            command=content.command,
            has_sound=bool(content.passages),
            bit_rate_kbps=content.bit_rate_kbps,
        ),
        "notes": comparison.notes,
        "footer": f"stemtune {version('stemtune')}, {datetime.now(tz=UTC).date().isoformat()}.",
    }


def _metric(metric: MetricComparison, content: PageContent, colours: Mapping[str, int]) -> dict[str, Any]:
    systems, stems = content.comparison.systems, list(metric.scores)
    rivals = [name for name in systems if name not in content.oracles]
    cells: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    for group in metric.groups:
        best = max((metric.summaries[group, name].value for name in rivals), default=math.nan)
        for name in systems:
            summary = metric.summaries[group, name]
            cells[name].append(
                {
                    "value": decibels_text(summary.value),
                    "interval": interval_text(summary.interval),
                    "is_best": name in rivals and len(rivals) > 1 and summary.value == best,
                    "is_total": group not in stems,
                }
            )
    shown = _in_observed_direction(metric.pairs, systems)
    with_first = [pair for pair in shown if systems[0] in (pair.better, pair.worse)]
    others = [pair for pair in shown if pair not in with_first]
    tables = [(True, with_first, f"{systems[0]} beside the others"), (False, others, "the others among themselves")]
    few = sum(len(next(iter(stem.values()))) < 5 for stem in metric.scores.values())
    return {
        "name": metric.metric,
        "definition": metric.definition,
        "rule": metric.rule,
        "rule_text": RULES[metric.rule].definition,
        "groups": [group_name(group) for group in metric.groups],
        "num_stems": len(stems),
        "rows": [{"system": name, "colour": colours[name], "cells": cells[name]} for name in systems],
        "counts": [metric.summaries[group, systems[0]].num_tracks for group in metric.groups],
        "has_intervals": any(summary.interval for summary in metric.summaries.values()),
        "boxes": draw_boxes(metric, systems),
        "boxes_text": "Upright line: median. Triangle at the edge: a track far outside."
        + (
            "" if few == len(stems) else " Box: the middle half of the tracks; whiskers: the furthest within 1.5 boxes."
        ),
        "pairs": bool(metric.pairs),
        "pairs_text": pairs_text(metric),
        "differences": draw_differences(with_first, metric.scores, systems),
        "tables": [
            (is_open, [_pair(pair, pairs, colours, len(metric.pairs)) for pair in pairs], caption)
            for is_open, pairs, caption in tables
            if pairs
        ],
        "is_framewise": column(metric.metric).framewise,
        "track_rows": _track_rows(metric, content),
    }


def _in_observed_direction(pairs: Sequence[PairedComparison], systems: Sequence[str]) -> list[PairedComparison]:
    """Of the two directions of each pair, the one in which the median differs; the first system's if none does."""
    order = {name: number for number, name in enumerate(systems)}
    return [
        pair
        for pair in pairs
        if pair.median_difference > 0 or (not pair.median_difference and order[pair.better] < order[pair.worse])
    ]


def _pair(
    pair: PairedComparison, pairs: Sequence[PairedComparison], colours: Mapping[str, int], num_questions: int
) -> dict[str, Any]:
    mean = pair.mean_difference
    better = pair.share_improved * pair.test.num_pairs
    return {
        "group": group_name(pair.group),
        "is_first": next(one for one in pairs if one.group == pair.group) is pair,
        "better": pair.better,
        "worse": pair.worse,
        "colour": colours[pair.better],
        "median": decibels_text(pair.median_difference, "+"),
        "mean": decibels_text(mean.value, "+") if mean else "–",
        "interval": interval_text(mean, "+"),
        "share": f"{better:g} of {pair.test.num_pairs}",
        "p": probability(pair.test.p_value),
        "p_corrected": probability(pair.adjusted_p_value),
        "is_significant": pair.is_significant,
        "verdict": verdict_of_pair(pair, num_questions),
    }


def _track_rows(metric: MetricComparison, content: PageContent) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for track in content.comparison.tracks:
        stems = [stem for stem, own in metric.scores.items() if track in own[content.comparison.systems[0]]]
        rows += [
            {
                "track": track,
                "is_first": stem == stems[0],
                "stem": stem,
                "cells": [decibels_text(metric.scores[stem][name][track]) for name in content.comparison.systems],
            }
            for stem in stems
        ]
    return rows


def _curves(content: PageContent, colours: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Title, text and chart: validation, then loss, of every phase of every system."""
    found: list[tuple[str, str, str]] = []
    for name, curves in content.curves.items():
        for curve in curves:
            if curve.validation:
                lines = [Curve("mean", curve.validation, colours[name])]
                others = [number for number in range(7) if number != colours[name]]
                lines += [
                    Curve(stem, points, others[number % len(others)])
                    for number, (stem, points) in enumerate(curve.stems.items())
                ]
                chart = draw_curves(lines, title=f"Validation of {name} during training", unit="sdr_global, dB")
                found.append(
                    (f"{name}, {curve.phase}: validation", "Mean over validation songs, and each stem.", chart)
                )
            if curve.loss:
                lines = [Curve("loss", curve.smooth_loss(), colours[name])]
                chart = draw_curves(lines, title=f"Training loss of {name}", unit="loss")
                found.append((f"{name}, {curve.phase}: loss", "Mean of 25 logged values.", chart))
    return found


def _stems_heard(content: PageContent, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    by_stem: dict[str, list[dict[str, Any]]] = {}
    ticks = _frequency_ticks(_top_hz(content))
    for item in content.passages:
        passage = item.heard.passage
        by_stem.setdefault(passage.stem, []).append(
            {
                "rank": passage.rank,
                "track": passage.track,
                "seconds": passage.stop_seconds - passage.start_seconds,
                "time": f"{clock(passage.start_seconds)}–{clock(passage.stop_seconds)}",
                "text": f"{decibels_text(passage.ratio_db)} dB, among {passage.num_windows} passages",
                "ticks": ticks,
                "clips": [_clip(clip, passage.stem, passage.track, colours) for clip in item.clips],
            }
        )
    return [{"name": stem, "passages": passages} for stem, passages in by_stem.items()]


def _clip(clip: Clip, stem: str, track: str, colours: Mapping[str, int]) -> dict[str, Any]:
    what = {"mixture": "the mixture", "reference": f"the true {stem}"}.get(clip.label, f"{stem} by {clip.label}")
    return {
        "label": {"reference": f"true {stem}"}.get(clip.label, clip.label),
        "colour": colours.get(clip.label),
        "ratio": "" if clip.ratio_db is None else f"{decibels_text(clip.ratio_db)} dB",
        "picture": clip.picture,
        "audio": clip.audio,
        "alt": f"Spectrogram of {what}, {track}",
        "alt_audio": f"Listen to {what}, {track}",
    }


def _top_hz(content: PageContent) -> float:
    rates = [item.heard.sample_rate for item in content.passages]
    return min(HIGHEST_HZ, min(rates, default=44100) / 2)


def _frequency_ticks(top_hz: float) -> list[tuple[str, str]]:
    octaves = math.log2(top_hz / LOWEST_HZ)
    ticks = {100: "100 Hz", 1000: "1 kHz", 10000: "10 kHz"}
    return [
        (label, f"{100 * math.log2(hertz / LOWEST_HZ) / octaves:.1f}")
        for hertz, label in ticks.items()
        if hertz < 0.9 * top_hz
    ]
