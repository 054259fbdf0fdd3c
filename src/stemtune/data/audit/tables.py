"""The facts of an audit as a table: a row for each stem of each split of each data set, in the usual order.

(data set, split, stem) -> files, minutes, minutes in which it sounds, level, rate, channels, treble.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stemtune.data.audit.report import AuditReport, StemReport

__all__ = ["MEASURES", "StemRow", "stem_rows"]

MEASURES = ("files", "minutes", "it sounds", "level, dB", "Hz", "channels", "treble up to, kHz")
_SPLIT_ORDER = ("train", "valid", "test")


@dataclass(frozen=True)
class StemRow:
    """One stem of one split of one data set; ``measures`` go with `MEASURES`."""

    dataset: str
    split: str
    stem: str
    measures: tuple[str, ...]


def stem_rows(report: AuditReport) -> tuple[StemRow, ...]:
    """Data sets as they were given, splits in the usual order, stems as they came."""
    stems: dict[tuple[str, str, str], list[StemReport]] = {}
    for track in report.tracks:
        for name, stem in track.stems.items():
            stems.setdefault((track.dataset, track.split, name), []).append(stem)
    datasets = list(dict.fromkeys(dataset for dataset, _, _ in stems))

    def order(key: tuple[str, str, str]) -> tuple[int, int]:
        split = _SPLIT_ORDER.index(key[1]) if key[1] in _SPLIT_ORDER else len(_SPLIT_ORDER)
        return datasets.index(key[0]), split

    return tuple(StemRow(*key, measures=_measure(stems[key])) for key in sorted(stems, key=order))


def _measure(stems: Sequence[StemReport]) -> tuple[str, ...]:
    heard = [stem.heard for stem in stems if stem.heard]
    treble = [(one.cutoff_hz or stem.sample_rate / 2) / 1000 for stem in stems if (one := stem.heard)]
    return (
        str(sum(len(stem.files) for stem in stems)),
        f"{sum(stem.seconds for stem in stems) / 60:.1f}",
        f"{sum(one.active_seconds for one in heard) / 60:.1f}" if heard else "",
        _range([one.rms_db for one in heard], 0),
        ", ".join(str(rate) for rate in sorted({stem.sample_rate for stem in stems})),
        ", ".join(str(count) for count in sorted({stem.num_channels for stem in stems})),
        _range(treble, 1),
    )


def _range(values: Iterable[float], digits: int) -> str:
    """Such as "-30 to -20", or one number if both ends look the same."""
    ends = [f"{value:.{digits}f}" for value in sorted(values)]
    return " to ".join(dict.fromkeys((ends[0], ends[-1]))) if ends else ""
