"""A comparison in Markdown: the tables of the page, for repositories and messages, where no page can be opened."""

from collections.abc import Iterator

from stemtune.evaluation.comparison import Comparison, MetricComparison
from stemtune.evaluation.measures import RULES
from stemtune.evaluation.report_words import (
    decibels_text,
    group_name,
    interval_text,
    pairs_text,
    probability,
    verdict,
    verdict_of_pair,
    warnings,
)

__all__ = ["render_summary"]


def render_summary(comparison: Comparison, *, title: str, command: str = "") -> str:
    """The whole summary."""
    lines = [f"# {title}", "", verdict(comparison), ""]
    lines += [f"- {warning}" for warning in warnings(comparison)] + [""]
    for metric in comparison.metrics:
        lines += [*_scores(metric, comparison), "", *_pairs(metric), ""]
    if command:
        lines += [f"Made by `{command}`.", ""]
    if comparison.notes:
        lines += ["Notes:", "", *(f"- {note}" for note in comparison.notes), ""]
    return "\n".join(lines)


def _scores(metric: MetricComparison, comparison: Comparison) -> Iterator[str]:
    yield f"## {metric.metric}"
    yield ""
    yield f"{metric.definition}. Aggregated: {RULES[metric.rule].definition} (rule {metric.rule})."
    yield "In dB, higher is better; in brackets the 95 % bootstrap interval over songs."
    yield ""
    yield f"| system | {' | '.join(group_name(group) for group in metric.groups)} |"
    yield f"| --- |{' ---: |' * len(metric.groups)}"
    for system in comparison.systems:
        cells: list[str] = []
        for group in metric.groups:
            summary = metric.summaries[group, system]
            interval = interval_text(summary.interval)
            cells.append(decibels_text(summary.value) + (f" ({interval})" if interval else ""))
        yield f"| {system} | {' | '.join(cells)} |"
    counts = [str(metric.summaries[group, comparison.systems[0]].num_tracks) for group in metric.groups]
    yield f"| *scores* | {' | '.join(counts)} |"


def _pairs(metric: MetricComparison) -> Iterator[str]:
    if not metric.pairs:
        return
    yield pairs_text(metric)
    yield ""
    yield "| stem | better | than | median, dB | mean, dB | on tracks | p | p, Holm | is it sure? |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for pair in metric.pairs:
        if pair.median_difference <= 0:
            continue
        mean = decibels_text(pair.mean_difference.value, "+") if pair.mean_difference else "–"
        better = pair.share_improved * pair.test.num_pairs
        yield (
            f"| {group_name(pair.group)} | {pair.better} | {pair.worse} | {decibels_text(pair.median_difference, '+')} "
            f"| {mean} | {better:g} of {pair.test.num_pairs} | {probability(pair.test.p_value)} "
            f"| {probability(pair.adjusted_p_value)} | {verdict_of_pair(pair, len(metric.pairs))} |"
        )
