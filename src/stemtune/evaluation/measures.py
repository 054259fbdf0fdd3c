"""What can be measured, under which names, and how the numbers of many tracks become one.

A *measure* is what one asks for (``--metrics bss_eval_v4``); it fills one *column* of the table or several
(``sdr_bss_eval_v4``, ``isr_...``). Every column has a definition, in words that are printed wherever its numbers are,
and a *rule* by which tracks are aggregated:

    mdx:      score = mean over tracks
    museval:  score = median over tracks of ( median over frames )

References:
    mdx: Mitsufuji et al., "Music Demixing Challenge 2021", 2022. museval: Stoeter, Liutkus and Ito, "The 2018 signal
    separation evaluation campaign", 2018. The row ``(all)``: Defossez et al., 2019, whose tables pool the per-track
    medians of all stems before they take the median over tracks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stemtune.errors import UsageError
from stemtune.evaluation.metrics import METRICS

__all__ = [
    "BSS_EVAL_V4",
    "DEFAULT_METRICS",
    "RULES",
    "Column",
    "Rule",
    "RuleName",
    "check_measures",
    "column",
    "columns_of",
    "measure_names",
]

RuleName = Literal["mdx", "museval"]

DEFAULT_METRICS = ("sdr_global", "si_sdr")
BSS_EVAL_V4 = "bss_eval_v4"
_RATIOS = {
    "sdr": "everything that is wrong",
    "isr": "what a filter of the stem itself explains (spatial distortion)",
    "sir": "what the other stems explain (interference)",
    "sar": "what no stem explains (artefacts)",
}


@dataclass(frozen=True)
class Rule:
    """How the scores of many tracks become one.

    Attributes:
        name: by which it is printed.
        definition: in words.
        over_tracks: the function; NaN only if there is nothing to aggregate, or NaN is not to be hidden.
        skips_undefined: whether tracks without a score are left out (and counted as absent).
    """

    name: RuleName
    definition: str
    over_tracks: Callable[[Sequence[float]], float]
    skips_undefined: bool


@dataclass(frozen=True)
class Column:
    """One kind of number in the table.

    Attributes:
        name: such as ``sdr_bss_eval_v4``.
        definition: what it means, in a sentence without its end.
        rule: the aggregation that is usual for it.
        framewise: whether a track has one for each frame.
    """

    name: str
    definition: str
    rule: RuleName
    framewise: bool = False


def _mean(values: Sequence[float]) -> float:
    """Exact for finite values; an infinity or a NaN is not hidden, and inf - inf is NaN rather than an error."""
    if not values:
        return math.nan
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else sum(values) / len(values)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan


RULES: Mapping[RuleName, Rule] = {
    "mdx": Rule("mdx", "mean over tracks", _mean, skips_undefined=False),
    "museval": Rule("museval", "median over frames, then median over tracks", _median, skips_undefined=True),
}


def measure_names() -> tuple[str, ...]:
    """All that may be asked for."""
    return (*METRICS, BSS_EVAL_V4, *(f"{ratio}_{BSS_EVAL_V4}" for ratio in ("sdr",)))


def check_measures(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions.

    Raises:
        UsageError: for one that is unknown, or none at all; the message lists what there is.
    """
    unknown = [name for name in names if name not in measure_names()]
    if unknown or not names:
        what = f"unknown metric {', '.join(unknown)}" if unknown else "no metric was named"
        raise UsageError(f"{what}; the metrics are {', '.join(measure_names())}")
    return tuple(dict.fromkeys(names))


def columns_of(measure: str) -> tuple[str, ...]:
    """The columns that a measure fills."""
    return tuple(f"{ratio}_{BSS_EVAL_V4}" for ratio in _RATIOS) if measure == BSS_EVAL_V4 else (measure,)


def column(name: str) -> Column:
    """The column of that name; one of an unknown name, from a stranger's table, says so in its definition."""
    ratio, _, family = name.partition("_")
    if family == BSS_EVAL_V4 and ratio in _RATIOS:
        return Column(
            name,
            f"BSSEval version 4 as museval computes it, {ratio.upper()}: 10 log10 of the energy of the stem over that "
            f"of {_RATIOS[ratio]}, in frames of one second; a frame in which anything is silent has none",
            "museval",
            framewise=True,
        )
    if name in METRICS:
        return Column(name, METRICS[name].definition, "mdx")
    return Column(name, "not computed here, and not defined by the file that it comes from", "mdx")
