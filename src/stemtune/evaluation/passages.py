"""Which ten seconds to listen to: of each stem the best, the median and the worst, by one system's score.

    ratio(window) = 10 log10( energy of the stem / energy of the error ),    windows of ten seconds, one each second

Windows in which the stem is hardly heard have no meaningful ratio and are passed over: it must sound in at least half
of the seconds, no more than 20 dB softer than its sounding seconds are on the average of the data set. Chosen windows
do not overlap. Choosing by rule rather than by ear is what keeps a report honest.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from stemtune.evaluation.table import SecondEnergies

__all__ = ["Passage", "Rank", "choose_passages"]

Rank = Literal["best", "median", "worst"]
SOFT_DB = -20.0
_SILENCE = 1e-7  # energy of a second below which nothing sounds: a hundred samples of one 16-bit step


@dataclass(frozen=True)
class Passage:
    """A window of one track, chosen for one stem.

    Attributes:
        ratio_db: by which it was chosen.
        num_windows: among how many.
    """

    stem: str
    rank: Rank
    track: str
    start_seconds: int
    stop_seconds: int
    ratio_db: float
    num_windows: int


def choose_passages(energies: Iterable[SecondEnergies], *, seconds: int = 10) -> tuple[Passage, ...]:
    """The passages of every stem, in the order of the stems, best first.

    Args:
        energies: of the system by which they are chosen, of all stems and tracks.
        seconds: how long they are; a shorter track is one window.
    """
    by_stem: dict[str, list[SecondEnergies]] = {}
    for item in energies:
        by_stem.setdefault(item.stem, []).append(item)
    return tuple(passage for stem, items in by_stem.items() for passage in _of_stem(stem, items, seconds))


def _of_stem(stem: str, items: Sequence[SecondEnergies], seconds: int) -> list[Passage]:
    sounding = [energy for item in items for energy in item.reference if energy > _SILENCE]
    if not sounding:
        return []
    threshold = 10 ** (SOFT_DB / 10) * math.fsum(sounding) / len(sounding)
    windows = sorted(_windows(items, seconds, threshold), key=lambda window: (-window[0], window[1], window[2]))
    ranks: dict[Rank, list[tuple[float, str, int, int]]] = {
        "best": windows,
        "worst": windows[::-1],
        "median": _outwards_from_middle(windows),
    }
    chosen: dict[Rank, tuple[float, str, int, int]] = {}
    for rank, candidates in ranks.items():
        free = (one for one in candidates if not any(_overlap(one, other) for other in chosen.values()))
        first = next(free, None)
        if first is not None:
            chosen[rank] = first
    return [
        Passage(stem, rank, track, start, stop, ratio, len(windows))
        for rank in ("best", "median", "worst")
        if rank in chosen
        for ratio, track, start, stop in [chosen[rank]]
    ]


def _windows(items: Sequence[SecondEnergies], seconds: int, threshold: float) -> Iterable[tuple[float, str, int, int]]:
    for item in items:
        last = max(1, len(item.reference) - seconds + 1)
        for start in range(last):
            stop = min(start + seconds, len(item.reference))
            if 2 * sum(energy >= threshold for energy in item.reference[start:stop]) >= stop - start:
                ratio = item.ratio_db(start, stop)
                if not math.isnan(ratio):
                    yield ratio, item.track, start, stop


def _outwards_from_middle(
    windows: Sequence[tuple[float, str, int, int]],
) -> list[tuple[float, str, int, int]]:
    middle = (len(windows) - 1) / 2
    order = sorted(range(len(windows)), key=lambda index: abs(index - middle))
    return [windows[index] for index in order]


def _overlap(one: tuple[float, str, int, int], other: tuple[float, str, int, int]) -> bool:
    return one[1] == other[1] and one[2] < other[3] and other[2] < one[3]
