"""The sentences of a report: what the numbers say, and what they cannot say.

Whoever decides from a page reads its words first. They are made from the same numbers as the tables, by rules that
stand here, and claim no more than the tests allow.
"""

import math
from collections.abc import Sequence

from stemtune.evaluation.comparison import Comparison, MetricComparison
from stemtune.evaluation.statistics import THRESHOLD, Interval, PairedComparison
from stemtune.evaluation.systems import MIXTURE_SYSTEM
from stemtune.evaluation.table import ALL_STEMS, POOLED

__all__ = [
    "caveats",
    "clock",
    "decibels_text",
    "group_name",
    "interval_text",
    "is_possible",
    "pairs_text",
    "probability",
    "size_text",
    "verdict",
    "verdict_of_pair",
    "warnings",
]

FEW_TRACKS = 10


def verdict(comparison: Comparison) -> str:
    """The first sentence: the first system beside every other, by the first metric."""
    metric, first = comparison.metrics[0], comparison.systems[0]
    group = ALL_STEMS if (ALL_STEMS, first) in metric.summaries else next(iter(metric.scores))
    what = "on the mean over stems" if group == ALL_STEMS else f"on {group}"
    own = metric.summaries[group, first].value
    parts: list[str] = []
    for other in comparison.systems[1:]:
        difference = own - metric.summaries[group, other].value
        if math.isnan(difference) or math.isinf(difference):
            continue
        side = "above" if difference >= 0 else "below"
        pair = _find(metric.pairs, group, *((first, other) if difference >= 0 else (other, first)))
        word = "better" if difference >= 0 else "worse"
        sure = f" ({word} {_certainty(pair, len(metric.pairs))})" if pair else ""
        parts.append(f"{abs(difference):.2f} dB {side} {other}{sure}")
    where = f", {_listed(parts)}" if parts else ""
    return f"{first} scores {decibels_text(own)} dB {metric.metric} {what}{where}."


def warnings(comparison: Comparison) -> list[str]:
    """What must be known before any number is read."""
    found: list[str] = []
    count = len(comparison.tracks)
    if count < FEW_TRACKS:
        found.append(
            f"{_tracks(count)} only. Any mean here moves by a decibel or more when one song is exchanged, intervals "
            "are too narrow, and no test can be sure of anything but a difference that is the same on every song."
        )
    frozen = [m for m in comparison.metrics if m.pairs and not any(is_possible(p, len(m.pairs)) for p in m.pairs)]
    if frozen:
        smallest = min(pair.test.smallest_p_value for metric in frozen for pair in metric.pairs)
        found.append(
            f"With {_tracks(count)} the smallest p-value that the signed-rank test can give is "
            f"{probability(smallest)}, so nothing can be significant at {THRESHOLD:g} here, whatever the difference."
        )
    return found


def pairs_text(metric: MetricComparison) -> str:
    """What was tested, how often, and corrected how."""
    sure = sum(pair.is_significant for pair in metric.pairs)
    return (
        f"{len(metric.pairs)} questions were asked of {metric.metric} (every pair that does not know the truth, both "
        f"directions, every stem"
        f"{' and their mean' if ALL_STEMS in metric.groups else ''}); after Holm's correction for all of them "
        f"{f'{sure} are' if sure > 1 else '1 is' if sure else 'none is'} answered with p < {THRESHOLD:g}."
    )


def verdict_of_pair(pair: PairedComparison, num_questions: int) -> str:
    """Is it sure? In a word or two."""
    if pair.is_significant:
        return f"yes, p < {THRESHOLD:g}"
    return "no" if is_possible(pair, num_questions) else f"cannot be, with {_tracks(pair.test.num_pairs)}"


def is_possible(pair: PairedComparison, num_questions: int) -> bool:
    """Whether so many tracks could give a significant answer to so many questions."""
    return pair.test.smallest_p_value * num_questions < THRESHOLD


def caveats(comparison: Comparison, *, confidence: str, command: str, has_sound: bool, bit_rate_kbps: int) -> list[str]:
    """The list at the end."""
    found = [
        f"Made by: {command}" if command else "",
        "Every system was scored on the same tracks; a track or stem that one of them lacks is left out for all.",
        f"Intervals are {confidence} bootstrap intervals over songs (BCa, 9999 resamples, seed 0). They say how far "
        "the value might lie elsewhere on other songs like these, not on other kinds of music, and not how it would "
        "change if a model were trained again.",
        "Tests are Wilcoxon's signed-rank tests, one-sided, on tracks; a track is one unit however long it is. "
        "Holm's correction holds for all questions of one metric together; "
        f"significant means p < {THRESHOLD:g} after it.",
        "A score says how near the samples are, which is not how it sounds: listen before you decide.",
        "Scores above some 20 dB on references that were stored as mp3, Ogg or AAC measure the codec.",
    ]
    if MIXTURE_SYSTEM in comparison.systems:
        found.append(
            "The mixture is the unprocessed song as the estimate of every stem: whatever is not above it is no use."
        )
    if any("oracle" in name for name in comparison.systems):
        found.append(
            "Oracles know the true stems; they bound what a method of their kind could reach, and are no rivals."
        )
    if has_sound:
        found.append(
            f"The sounds are MP3 ({bit_rate_kbps} kbit/s in stereo), whose noise is far below what separators leave; "
            "all sounds of a passage have one common gain. For subtleties listen to the files."
        )
    return [text for text in found if text]


def group_name(group: str) -> str:
    """How a group of scores is called in a table."""
    return {ALL_STEMS: "mean of stems", POOLED: "all (pooled)"}.get(group, group)


def decibels_text(value: float, sign: str = "") -> str:
    """A score with two digits; a dash where there is none."""
    if math.isnan(value):
        return "–"
    return f"{value:{sign}.2f}".replace("-", "−") if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def interval_text(interval: Interval | None, sign: str = "") -> str:
    """``1.2 … 3.4``."""
    if interval is None:
        return ""
    return f"{decibels_text(interval.low, sign)} … {decibels_text(interval.high, sign)}"


def probability(value: float) -> str:
    """A p-value with two digits, never a zero."""
    if value < 1e-4:
        return f"{value:.0e}".replace("e-0", "e−").replace("e-", "e−")
    return f"{value:.2g}" if value >= 0.01 else f"{value:.1g}"


def clock(seconds: int) -> str:
    """``1:02``."""
    return f"{seconds // 60}:{seconds % 60:02d}"


def size_text(num_bytes: int) -> str:
    """``3.4 MB``."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.0f} kB"


def _certainty(pair: PairedComparison, num_questions: int) -> str:
    share = f"on {pair.share_improved * pair.test.num_pairs:g} of {_tracks(pair.test.num_pairs)}"
    if pair.is_significant:
        return f"{share}, significant"
    return f"{share}, not significant" if is_possible(pair, num_questions) else f"{share}, too few to be sure"


def _find(pairs: Sequence[PairedComparison], group: str, better: str, worse: str) -> PairedComparison | None:
    matching = (pair for pair in pairs if (pair.group, pair.better, pair.worse) == (group, better, worse))
    return next(matching, None)


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
