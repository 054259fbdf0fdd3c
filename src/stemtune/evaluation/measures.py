"""What can be measured, under which names, and how the numbers of many tracks become one.

A *measure* is what one asks for (``--metrics bss_eval_v4``); it fills one *column* of the table or several
(``sdr_bss_eval_v4``, ``isr_...``). Every column has a definition, in words that are printed wherever its numbers are,
and a *rule* by which tracks are aggregated:

    mdx:      score = mean over tracks
    museval:  score = median over tracks of ( median over frames )
    defined:  score = mean over the tracks that have one

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

__all__ = ["DEFAULT_METRICS", "MEASURES", "RULES", "Column", "Measure", "Rule", "RuleName", "check_measures", "column"]

RuleName = Literal["mdx", "museval", "defined"]

DEFAULT_METRICS = ("sdr_global", "si_sdr")


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
        lower_is_better: of energies that should not be there.
    """

    name: str
    definition: str
    rule: RuleName
    framewise: bool = False
    lower_is_better: bool = False


@dataclass(frozen=True)
class Measure:
    """Something that can be asked for.

    Attributes:
        name: by which it is asked for.
        columns: that it fills.
        kind: how it is computed: from "sums" over samples; of each "stem" by itself; of all stems "together"; from
            the "silence" of stems, also of those that are silent throughout.
    """

    name: str
    columns: tuple[Column, ...]
    kind: Literal["sums", "stem", "together", "silence"]


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
    "defined": Rule("defined", "mean over the tracks that have one", _mean, skips_undefined=True),
}

_RATIOS = {  # numerator and denominator of each, as energies
    "sdr": "the stem over that of all that is wrong",
    "isr": "the stem over that of the error which a filter of the stem explains (spatial distortion)",
    "sir": "the stem, filtered as fits best, over that of what the other stems explain (interference)",
    "sar": "all that stems explain over that of the rest (artefacts, of which the mixture has none but rounding)",
}


def _v4(ratio: str) -> Column:
    return Column(
        f"{ratio}_bss_eval_v4",
        f"{ratio.upper()} of BSSEval version 4, as museval computes it: 10 log10 of the energy of {_RATIOS[ratio]}, in "
        "frames of one second; a frame in which anything is silent has none",
        "museval",
        framewise=True,
    )


def _v3(ratio: str) -> Column:
    numerator = {"sdr": "the stem, filtered as fits best, over that of all else"}.get(ratio, _RATIOS[ratio])
    return Column(
        f"{ratio}_bss_eval_v3_sources",
        f"{ratio.upper()} of BSSEval version 3 for sources: 10 log10 of the energy of {numerator}, over the whole "
        "track; filters are forgiven, which makes it higher than any other definition",
        "mdx",
    )


_SILENCE = {
    "predicted_energy_at_silence": "energy of the estimate, in dB, in seconds in which the stem is silent",
    "energy_at_predicted_silence": "energy of the stem, in dB, in seconds in which its estimate alone is silent",
}

MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        *(
            Measure(name, (Column(name, metric.definition, "mdx"),), "sums" if name == "sdr_global" else "stem")
            for name, metric in METRICS.items()
        ),
        Measure("bss_eval_v4", tuple(map(_v4, _RATIOS)), "together"),
        Measure("sdr_bss_eval_v4", (_v4("sdr"),), "together"),
        Measure("bss_eval_v3_sources", tuple(map(_v3, ("sdr", "sir", "sar"))), "together"),
        *(
            Measure(name, (Column(name, f"{text}; lower is better", "defined", lower_is_better=True),), "silence")
            for name, text in _SILENCE.items()
        ),
    )
}


def check_measures(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions.

    Raises:
        UsageError: for one that is unknown, or none at all; the message lists what there is.
    """
    unknown = [name for name in names if name not in MEASURES]
    if unknown or not names:
        what = f"unknown metric {', '.join(unknown)}" if unknown else "no metric was named"
        raise UsageError(f"{what}; the metrics are {', '.join(MEASURES)}")
    return tuple(dict.fromkeys(names))


def column(name: str) -> Column:
    """The column of that name; one of an unknown name, from a stranger's table, says so in its definition."""
    known = (own for measure in MEASURES.values() for own in measure.columns if own.name == name)
    unknown = Column(name, "not computed here, and not defined by the file that it comes from", "mdx")
    return next(known, unknown)
