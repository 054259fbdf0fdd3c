"""The facts of an audit as a table: a row for each stem of each split of each data set, in the usual order.

(data set, split, stem) -> files, minutes, minutes in which it sounds, level, rate and channels, treble.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stemtune.data.audit.report import AuditReport, StemReport

__all__ = ["MEASURES", "StemRow", "short_names", "stem_rows"]

MEASURES = ("files", "minutes", "sounding", "level dB", "format", "treble kHz")
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
        ", ".join(dict.fromkeys(f"{stem.sample_rate} {_width(stem.num_channels)}" for stem in stems)),
        _range(treble, 1),
    )


def _width(num_channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(num_channels, f"{num_channels} channels")


def _range(values: Iterable[float], digits: int) -> str:
    """Such as "-30…-20", or one number if both ends look the same."""
    ends = [f"{value:.{digits}f}" for value in sorted(values)]
    return "…".join(dict.fromkeys((ends[0], ends[-1]))) if ends else ""


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """For each of some paths as much of its end as tells it from the others."""
    unique = list(dict.fromkeys(paths))
    parts = {path: path.rstrip("/").split("/") for path in unique}
    depth = next((d for d in range(1, 99) if len({tuple(part[-d:]) for part in parts.values()}) == len(unique)), 99)
    return {path: "/".join(part[-depth:]) for path, part in parts.items()}
